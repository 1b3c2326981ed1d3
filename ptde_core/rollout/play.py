"""How a policy plays environments: training, collecting and evaluating all go through here.

An episode's chance (battle, exploration, noise of z) comes from the episode's own seed, so that the list of seeds
decides the episodes, not how many are played side by side, nor which of them is faster.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptde_core.base.batch import Episode
from ptde_core.base.seeding import generator
from ptde_core.base.threads import one_thread
from ptde_core.envs.interface import BatchedEnv, FreeRows
from ptde_core.policies.policy import Exploration, LocalInputs, Policy, Rows, choose
from ptde_core.policies.stacked_views import StackedPolicy
from ptde_core.rollout.compiled_play import play_compiled, taken_whole
from ptde_core.rollout.play_freely import play_freely


def play(env: BatchedEnv, policy: Policy, seeds: NDArray[np.uint64], how: Exploration) -> Iterator[Episode]:
    """Play one whole episode per seed and yield them in the order of the seeds.

    An episode whose engine broke (`BatchedEnv.lost`) is played again from its seed: nothing of a broken one is yielded,
    and none is missing. Three ways give the same episodes: battles of skirmish played by a plain teacher go through one
    kernel (`compiled_play.py`), games in processes do not wait for each other (`play_freely.py`), and all others, in
    lock-step, go through the loop of this file.

    Args:
        env: E environments.
        policy: teacher or student.
        seeds: (K,) one seed per episode.
        how: exploration and source of z.
    """
    if weights := taken_whole(env, policy, how):
        yield from play_compiled(env, weights, seeds, how)
    elif isinstance(env, FreeRows):
        yield from play_freely(env, policy, seeds, how)
    else:
        yield from play_in_rounds(env, policy, seeds, how)


def play_in_rounds(env: BatchedEnv, policy: Policy, seeds: NDArray[np.uint64], how: Exploration) -> Iterator[Episode]:
    """The plain loop, for any environment and any policy: rounds of up to E episodes; see `play`."""
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
    """Play up to E episodes side by side until the last has ended; only those that have not are shown to the policy.

    Returns:
        One episode per seed; None where its engine broke.
    """
    rows = len(seeds)
    # A round smaller than E still fills all rows: the surplus repeats what the first does and is thrown away.
    env.reset(np.concatenate([seeds, np.repeat(seeds[:1], env.n_envs - rows)]))
    chance = [generator(int(seed), "play") for seed in seeds]
    local = LocalInputs(env)
    memory: Any = None
    noise = np.zeros((env.n_envs, env.spec.n_agents, policy.noise_size), np.float32)  # (E, N, Z)
    sampling = policy.noise_size > 0 and how.z == "sampled"
    recorder = _Recorder(env, rows, noise if sampling and how.keep_noise else None)
    epsilon = np.full(env.n_envs, how.epsilon, np.float64)  # (E,)
    actions = np.zeros((env.n_envs, env.spec.n_agents), np.int64)  # (E, N)
    running, shown = np.arange(env.n_envs) < rows, np.arange(env.n_envs)  # (E,), (k,)
    together = isinstance(policy, StackedPolicy)  # which is always asked for all
    changed = True  # who is running
    while running.any():
        if changed:
            if not together:
                memory, shown = _of_rows(memory, running[shown]), shown[running[shown]]
            at: Rows = shown if len(shown) < env.n_envs else slice(None)
            drawing = {place: chance[row] for place, row in enumerate(shown) if running[row]}
        if sampling:
            for place, stream in drawing.items():
                stream.standard_normal(out=noise[shown[place]], dtype=np.float32)
        values, memory = policy.step(
            local.of(at),
            memory,
            torch.from_numpy(env.state[at]) if policy.reads_state else None,
            torch.from_numpy(noise[at]) if sampling else None,
        )
        actions[at] = choose(values, env.available[at], how, epsilon[at], drawing)  # (k, N)
        actions[rows:] = actions[0]  # of the same seed, so that what is available is the same
        recorder.before(actions)
        env.step(actions)
        local.acted(actions)
        recorder.after(running)
        over = running & (env.terminated | env.truncated | env.lost)  # (E,)
        changed = bool(over.any())
        running ^= over
    return recorder.episodes(seeds)


def _of_rows(memory: Any, which: NDArray[np.bool_]) -> Any:
    """What a policy remembers of those of its rows (k,)."""
    if memory is None:
        return None
    if isinstance(memory, Tensor):
        return memory[torch.from_numpy(which)]
    return type(memory)(*(_of_rows(part, which) for part in memory))


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
