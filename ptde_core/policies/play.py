"""How a policy plays a batch of environments: training, collecting and evaluating all go through here.

An episode's chance (battle, exploration, noise of z) comes from the episode's own seed, so that the list of seeds
decides the episodes, not how many are played side by side.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptde_core.base import kernels
from ptde_core.base.batch import Episode
from ptde_core.base.seeding import generator
from ptde_core.base.threads import one_thread
from ptde_core.envs.interface import BatchedEnv

ZChoice = Literal["sampled", "mean"]
ActionChoice = Literal["greedy", "sampled"]


class Policy(Protocol):
    """What can play: the teacher and the student."""

    @property
    def reads_state(self) -> bool:
        """Whether `step` is shown the global state; otherwise it gets None."""

    @property
    def noise_size(self) -> int:
        """Z: standard normals per agent and step that sampling takes; 0 where nothing is sampled."""

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> tuple[Tensor, Any]:
        """Action values, or a policy's logits, (E, N, A) and the new memory; at the episodes' first step it is None."""


class DevicePolicy:
    """A policy whose networks are on a device, for play, which is on the CPU."""

    def __init__(self, policy: Policy, device: torch.device) -> None:
        self._policy, self._device = policy, device
        self.reads_state, self.noise_size = policy.reads_state, policy.noise_size

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> tuple[Tensor, Any]:
        """As the policy's; the memory stays on the device."""
        seen = [None if tensor is None else tensor.to(self._device) for tensor in (local, state, noise)]
        assert seen[0] is not None
        values, memory = self._policy.step(seen[0], memory, *seen[1:])
        return values.cpu(), memory


class TimedPolicy:
    """A policy that counts its calls and the wall time spent in them, and is else the policy it is given."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.seconds, self.calls = 0.0, 0

    @property
    def reads_state(self) -> bool:
        """As the policy's."""
        return self._policy.reads_state

    @property
    def noise_size(self) -> int:
        """As the policy's."""
        return self._policy.noise_size

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> tuple[Tensor, Any]:
        """As the policy's."""
        began = time.perf_counter()
        found = self._policy.step(local, memory, state, noise)
        self.seconds += time.perf_counter() - began
        self.calls += 1
        return found


@dataclass(frozen=True)
class Exploration:
    """How play departs from the greedy policy. An epsilon for each environment stands in a tuple."""

    epsilon: float | tuple[float, ...] = 0.0  # chance of a uniformly random available action, per agent and step
    z: ZChoice = "sampled"
    actions: ActionChoice = "greedy"  # the best available one, or one drawn from the softmax of the available ones
    keep_noise: bool = False  # whether episodes hold the standard normals that z was sampled with


def play(env: BatchedEnv, policy: Policy, seeds: NDArray[np.uint64], how: Exploration) -> Iterator[Episode]:
    """Play one whole episode per seed and yield them in the order of the seeds.

    An episode whose engine broke (`BatchedEnv.lost`) is played again from its seed: nothing of a broken one is yielded,
    and none is missing.

    Args:
        env: E environments; the seeds are played in rounds of up to E.
        policy: teacher or student.
        seeds: (K,) one seed per episode.
        how: exploration and source of z.
    """
    for first in range(0, len(seeds), env.n_envs):
        of_round = seeds[first : first + env.n_envs]
        episodes: dict[int, Episode] = {}  # by place in the round
        while missing := [place for place in range(len(of_round)) if place not in episodes]:
            played = _round(env, policy, of_round[missing], how)
            episodes |= {place: one for place, one in zip(missing, played, strict=True) if one is not None}
        yield from (episodes[place] for place in range(len(of_round)))


@torch.inference_mode()
@one_thread()  # a step's tensors are too small to share
def _round(env: BatchedEnv, policy: Policy, seeds: NDArray[np.uint64], how: Exploration) -> list[Episode | None]:
    """Play up to E episodes side by side until the last has ended; rows without a seed take part as idle copies.

    Returns:
        One episode per seed; None where its engine broke.
    """
    rows = len(seeds)
    # A round smaller than E still fills all rows: the surplus repeats the first seed and is thrown away.
    env.reset(np.concatenate([seeds, np.repeat(seeds[:1], env.n_envs - rows)]))
    chance = [generator(int(seed), "play") for seed in seeds]
    local = LocalInputs(env)
    memory: Any = None
    noise = np.zeros((env.n_envs, env.spec.n_agents, policy.noise_size), np.float32)  # (E, N, Z)
    sampling = policy.noise_size > 0 and how.z == "sampled"
    recorder = _Recorder(env, rows, noise if sampling and how.keep_noise else None)
    draws = np.ones((env.n_envs, 2, env.spec.n_agents))  # (E, 2, N)
    drawn = np.ones((env.n_envs, env.spec.n_agents, env.spec.n_actions))  # (E, N, A)
    state = torch.from_numpy(env.state) if policy.reads_state else None
    epsilon = np.full(env.n_envs, how.epsilon, np.float64)  # (E,)
    exploring = epsilon > 0  # (E,)
    running = np.ones(env.n_envs, np.bool_)
    running[rows:] = False
    while running.any():
        if sampling:
            for row in np.flatnonzero(running):
                chance[row].standard_normal(out=noise[row], dtype=np.float32)
        values, memory = policy.step(local.view(), memory, state, torch.from_numpy(noise) if sampling else None)
        scores: NDArray[np.floating[Any]] = values.numpy()  # (E, N, A)
        if how.actions == "sampled":
            for row in np.flatnonzero(running):
                chance[row].standard_exponential(out=drawn[row])
            scores = perturbed(scores, drawn)
        actions = greedy(scores, env.available)  # (E, N)
        if exploring.any():
            for row in np.flatnonzero(running & exploring):
                chance[row].random(out=draws[row])
            explore(actions, env.available, epsilon, draws)
        recorder.before(actions)
        env.step(actions)
        local.acted(actions)
        recorder.after(running)
        running &= ~(env.terminated | env.truncated | env.lost)
    return recorder.episodes(seeds)


def perturbed(logits: NDArray[np.floating[Any]], exponentials: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
    """Logits (..., A) whose greedy choice is a draw from their softmax, whatever part of the actions is available.

    The Gumbel-max trick: minus the logarithm of a standard exponential (..., A) is a Gumbel variable.
    """
    found: NDArray[np.floating[Any]] = logits - np.log(exponentials)
    return found


def greedy(values: NDArray[np.floating[Any]], available: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Best available action of each agent: (..., N) from (..., N, A); the first of equals."""
    best: NDArray[np.int64] = np.where(available, values, -np.inf).argmax(axis=-1)
    return best


def explore(
    actions: NDArray[np.int64], available: NDArray[np.bool_], epsilon: NDArray[np.float64], draws: NDArray[np.float64]
) -> None:
    """Replace each agent's action, with probability epsilon, by a uniformly random available one; in place.

    Args:
        actions: (E, N).
        available: (E, N, A).
        epsilon: (E,) probability per agent.
        draws: (E, 2, N) uniforms, two of each agent whatever happens, so that streams stay aligned.
    """
    kernels.explore(actions, available, epsilon, draws)


class LocalInputs:
    """The agents' local inputs (E, N, L) in one array that is kept up to date: obs, last action, agent id.

    The same as `nets.recurrent_agent.local_input`, without building one-hots anew at every step.
    """

    def __init__(self, env: BatchedEnv) -> None:
        spec = env.spec
        self._env, self._size = env, spec.obs_size
        ids = np.eye(spec.n_agents, dtype=np.float32)
        last = np.zeros((spec.n_agents, spec.n_actions), np.float32)
        row = np.concatenate([np.zeros((spec.n_agents, spec.obs_size), np.float32), last, ids], axis=1)  # (N, L)
        self._array = np.tile(row, (env.n_envs, 1, 1))  # (E, N, L)
        self._agents = np.ogrid[: env.n_envs, : spec.n_agents]
        self._last = self._array[:, :, spec.obs_size : spec.obs_size + spec.n_actions]  # (E, N, A), a view

    def view(self) -> Tensor:
        """The inputs now (E, N, L); overwritten by the next call."""
        self._array[:, :, : self._size] = self._env.obs
        return torch.from_numpy(self._array)

    def acted(self, actions: NDArray[np.int64]) -> None:
        """Remember the actions (E, N) as the last ones."""
        self._last[...] = 0.0
        self._last[*self._agents, actions] = 1.0


class _Recorder:
    """Keeps the rounds' views and actions, and the noise if given its array, and cuts them into episodes."""

    def __init__(self, env: BatchedEnv, rows: int, noise: NDArray[np.float32] | None) -> None:
        self._env, self._rows, self._noise = env, rows, noise
        self._noises: list[NDArray[np.float32]] = []
        self._views: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]] = []
        self._actions: list[NDArray[np.int16]] = []
        self._rewards: list[NDArray[np.float32]] = []
        self._length = np.zeros(env.n_envs, np.int64)
        self._keep_view()

    def _keep_view(self) -> None:
        env, rows = self._env, self._rows
        self._views.append((env.obs[:rows].copy(), env.state[:rows].copy(), env.available[:rows].copy()))

    def before(self, actions: NDArray[np.int64]) -> None:
        self._actions.append(actions[: self._rows].astype(np.int16))
        if self._noise is not None:
            self._noises.append(self._noise[: self._rows].copy())

    def after(self, running: NDArray[np.bool_]) -> None:
        self._rewards.append(self._env.reward[: self._rows].copy())
        self._length += running
        self._keep_view()

    def episodes(self, seeds: NDArray[np.uint64]) -> list[Episode | None]:
        """One per seed; None in place of one that its engine did not bring to an end."""
        obs, state, available = (
            np.stack(column, axis=1) for column in zip(*self._views, strict=True)
        )  # (rows, T+1, .)
        actions = np.stack(self._actions, axis=1)  # (rows, T, N)
        reward = np.stack(self._rewards, axis=1)  # (rows, T)
        noise = np.stack(self._noises, axis=1) if self._noises else None  # (rows, T, N, Z)
        return [
            None
            if self._env.lost[row]
            else Episode(
                seed=int(seeds[row]),
                obs=obs[row, : n + 1].copy(),
                state=state[row, : n + 1].copy(),
                available=available[row, : n + 1].copy(),
                actions=actions[row, :n].copy(),
                reward=reward[row, :n].copy(),
                terminated=bool(self._env.terminated[row]),
                won=bool(self._env.won[row]),
                noise=None if noise is None else noise[row, :n].copy(),
            )
            for row in range(self._rows)
            for n in [int(self._length[row])]
        ]
