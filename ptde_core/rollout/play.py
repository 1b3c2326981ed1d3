"""Rollouts: how a policy plays environments. Training, collecting and evaluating all go through here.

All randomness of an episode (battle, exploration, noise of z) comes from its own seed. So the list of seeds decides the
episodes; how many are played side by side, and which of them is faster, does not change them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptde_core.base.batch import Episode
from ptde_core.base.seeding import generator
from ptde_core.base.threads import one_thread
from ptde_core.envs.interface import BatchedEnv, FreeRows
from ptde_core.policies.network_inputs import LocalInputs, Rows
from ptde_core.policies.policy import Exploration, Policy, choose
from ptde_core.policies.stacked_views import StackedPolicy
from ptde_core.rollout.compiled_play import compiled_weights, play_compiled
from ptde_core.rollout.memories import of_rows
from ptde_core.rollout.play_freely import play_freely
from ptde_core.rollout.recorder import Recorder


def play(env: BatchedEnv, policy: Policy, seeds: NDArray[np.uint64], how: Exploration) -> Iterator[Episode]:
    """Play one whole episode per seed and yield them in the order of the seeds.

    An episode whose engine broke (`BatchedEnv.lost`) is played again from its seed, so that none is missing. Three ways
    give the same episodes: battles of skirmish that a plain teacher plays go through one kernel (`compiled_play.py`),
    games in processes do not wait for each other (`play_freely.py`), and all others, in lock-step, go through the loop
    of this file.

    Args:
        env: E environments.
        policy: a teacher or a student.
        seeds: (K,) one seed per episode.
        how: exploration and source of z.
    """
    if weights := compiled_weights(env, policy, how):
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
    """Play up to E episodes side by side until all have ended. The policy acts only in those that have not.

    Returns:
        One episode per seed; None where its engine broke.
    """
    rows = len(seeds)
    # With fewer than E seeds the surplus environments repeat the first episode; nothing of them is kept.
    env.reset(np.concatenate([seeds, np.repeat(seeds[:1], env.n_envs - rows)]))
    chance = [generator(int(seed), "play") for seed in seeds]
    local = LocalInputs(env.spec, env.n_envs)
    memory: Any = None
    noise = np.zeros((env.n_envs, env.spec.n_agents, policy.noise_size), np.float32)  # (E, N, Z)
    sampling = policy.noise_size > 0 and how.z == "sampled"
    recorder = Recorder(env, slice(rows), seeds)
    epsilon = np.full(env.n_envs, how.epsilon, np.float64)  # (E,)
    actions = np.zeros((env.n_envs, env.spec.n_agents), np.int64)  # (E, N)
    running, shown = np.arange(env.n_envs) < rows, np.arange(env.n_envs)  # (E,), (k,)
    together = isinstance(policy, StackedPolicy)  # it acts in all environments, always
    changed = True  # which environments are running
    while running.any():
        if changed:
            if not together:
                memory, shown = of_rows(memory, running[shown]), shown[running[shown]]
            at: Rows = shown if len(shown) < env.n_envs else slice(None)
            drawing = {place: chance[row] for place, row in enumerate(shown) if running[row]}
        if sampling:
            for place, stream in drawing.items():
                stream.standard_normal(out=noise[shown[place]], dtype=np.float32)
        values, memory, _ = policy.step(
            local.of(at, env.obs),
            memory,
            torch.from_numpy(env.state[at]) if policy.reads_state else None,
            torch.from_numpy(noise[at]) if sampling else None,
        )
        actions[at] = choose(values, env.available[at], how, epsilon[at], drawing)  # (k, N)
        actions[rows:] = actions[0]  # their episode is the first one
        recorder.acted(actions[:rows], noise[:rows] if sampling and how.keep_noise else None)
        env.step(actions)
        local.acted(slice(None), actions)
        recorder.stepped(running[:rows])
        over = running & (env.terminated | env.truncated | env.lost)  # (E,)
        changed = bool(over.any())
        running ^= over
    return recorder.episodes()
