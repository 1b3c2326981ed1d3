"""A trained policy for loops of one's own: NumPy in, NumPy out; last actions, identities and memory are kept inside."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import episode_seeds, generator
from ptde_core.base.setting_fields import MOST_SEED, check_number
from ptde_core.base.threads import one_thread
from ptde_core.envs.interface import EnvSpec
from ptde_core.policies.network_inputs import LocalInputs
from ptde_core.policies.policy import Exploration, Policy, ZChoice, choose
from ptde_core.rollout.memories import joined, split

MOST_ROWS = 1_000_000  # environments side by side
MOST_EPISODE_SEED = 2**64 - 1  # of `BatchedEnv.reset`


class LoadedPolicy:
    """A teacher or a student that acts greedily in E environments side by side.

    Call `reset` first; then `act` once for each step of all environments. When one of them begins a new episode, call
    `begin` for its row. Actions in a row do not depend on the other rows.

    Args:
        policy: of a checkpoint.
        spec: of the environment it was trained on: what its inputs must fit.
        z: whether a teacher's z is sampled (the paper's way) or its mean; a student's is always its prediction.
    """

    def __init__(self, policy: Policy, spec: EnvSpec, z: ZChoice = "sampled") -> None:
        self.spec = spec
        self._policy, self._how = policy, Exploration(z=z)
        self._sampling = policy.noise_size > 0 and z == "sampled"
        self._memories: list[Any] = []
        self._begun: list[bool] = []  # of each row, whether it has acted since its episode began
        self._chance: list[np.random.Generator] = []
        self._local = LocalInputs(spec, 0)

    def __repr__(self) -> str:
        return f"LoadedPolicy({self.spec.map!r}, reads_state={self.reads_state})"

    @property
    def reads_state(self) -> bool:
        """Whether `act` needs the global state: a teacher with global information does, a student never."""
        return self._policy.reads_state

    def reset(self, n: int = 1, seed: int = 0) -> None:
        """Begin n episodes side by side.

        Args:
            n: E, at least 1.
            seed: decides the samples of z.

        Raises:
            PtdeError: less than one environment, or a negative seed.
        """
        check_number("n", n, 1, MOST_ROWS)
        check_number("seed", seed, 0, MOST_SEED)
        self._memories, self._begun = [None] * n, [False] * n
        self._local = LocalInputs(self.spec, n)
        self._chance = [generator(int(own), "play") for own in episode_seeds(seed, "act", 0, n)]

    def begin(self, row: int, episode_seed: int | None = None) -> None:
        """A new episode begins in that row: forget the one before.

        Args:
            row: 0 to E - 1.
            episode_seed: decides its samples of z from here on, as in the episode of that seed in an evaluation. None:
                the row's stream of samples goes on.

        Raises:
            PtdeError: there is no such row.
        """
        check_number("row", row, 0, len(self._memories) - 1)
        check_number("episode_seed", episode_seed, 0, MOST_EPISODE_SEED)
        self._memories[row], self._begun[row] = None, False
        self._local.begin(row)
        if episode_seed is not None:
            self._chance[row] = generator(episode_seed, "play")

    def act(
        self,
        obs: NDArray[np.float32],
        available: NDArray[np.bool_],
        state: NDArray[np.float32] | None = None,
    ) -> NDArray[np.int64]:
        """The agents' actions (E, N), each the best available one.

        Args:
            obs: (E, N, O).
            available: (E, N, A), at least one of each agent.
            state: (E, S), where `reads_state`.

        Raises:
            PtdeError: arrays of other shapes, a state that is missing, or an agent without an available action.
        """
        spec, rows = self.spec, len(self._memories)
        if not rows:
            raise PtdeError("the policy has not been reset", "call reset(n) before act(...)")
        obs = _checked("obs", obs, (rows, spec.n_agents, spec.obs_size))
        available = _checked("available", available, (rows, spec.n_agents, spec.n_actions))
        state = _checked("state", state, (rows, spec.state_size)) if self.reads_state else None
        if not (some := available.any(-1)).all():  # (E, N)
            row, agent = np.argwhere(~some)[0]
            raise PtdeError(f"agent {agent} of row {row} has no available action", "give each agent one at least")
        actions = np.empty((rows, spec.n_agents), np.int64)
        for begun in (False, True):  # an episode's first step has no memory; such rows are asked apart
            of_kind = [row for row in range(rows) if self._begun[row] is begun]
            if of_kind:
                actions[of_kind] = self._act(of_kind, obs, available, state)
        self._begun = [True] * rows
        self._local.acted(slice(None), actions)
        return actions

    @torch.inference_mode()
    @one_thread()  # a step's tensors are too small to share
    def _act(
        self, rows: Sequence[int], obs: NDArray[Any], available: NDArray[Any], state: NDArray[Any] | None
    ) -> NDArray[np.int64]:
        """Actions (k, N) of some rows, all at their episode's first step or none."""
        at = list(rows)
        noise = np.empty((len(at), self.spec.n_agents, self._policy.noise_size), np.float32)  # (k, N, Z)
        if self._sampling:
            for row, own in zip(at, noise, strict=True):
                self._chance[row].standard_normal(out=own, dtype=np.float32)
        values, memory, _ = self._policy.step(
            self._local.of(at, obs),
            joined([self._memories[row] for row in at]),
            None if state is None else torch.from_numpy(state[at].astype(np.float32)),
            torch.from_numpy(noise) if self._sampling else None,
        )
        for row, own_memory in zip(at, split(memory, len(at)), strict=True):
            self._memories[row] = own_memory
        chance = {k: self._chance[row] for k, row in enumerate(at)}
        return choose(values, np.asarray(available[at], np.bool_), self._how, np.zeros(len(at)), chance)


def _checked(name: str, given: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """What was given, as an array.

    Raises:
        PtdeError: it is missing or of another shape.
    """
    array = np.asarray(given)
    if array.shape != shape:
        told = "is missing" if given is None else f"has the shape {array.shape}"
        raise PtdeError(f"{name} {told}", f"give {shape}: rows as in reset(n), then as the environment's spec says")
    return array
