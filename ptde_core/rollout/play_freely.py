"""Rollouts in which no environment waits for another: games in processes of their own (`FreeRows`).

An environment that has answered gets its next actions at once; one whose episode has ended begins the next. The
episodes are bit for bit those of play in lock-step: a seed decides its episode, and the rows of a policy do not depend
on each other.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptde_core.base.batch import Episode
from ptde_core.base.seeding import generator
from ptde_core.base.threads import one_thread
from ptde_core.envs.interface import FreeRows
from ptde_core.policies.network_inputs import LocalInputs, Rows
from ptde_core.policies.policy import Exploration, Policy, choose
from ptde_core.rollout.memories import joined, split
from ptde_core.rollout.recorder import Recorder

AHEAD = 4  # times E: how many episodes may have begun before the next one in order is done; bounds the memory


def play_freely(env: FreeRows, policy: Policy, seeds: NDArray[np.uint64], how: Exploration) -> Iterator[Episode]:
    """Play one whole episode per seed and yield them in the order of the seeds; see `rollout.play.play`."""
    playing = _Playing(env, policy, seeds, how)
    for place in range(len(seeds)):
        yield playing.episode(place)


class _Running:
    """An episode that is being played; `place` is that of its seed in the list of seeds."""

    def __init__(self, place: int, seed: int) -> None:
        self.place, self.seed = place, seed
        self.chance = generator(seed, "play")
        self.memory: Any = None
        self.recorder: Recorder | None = None  # from the first views on

    @property
    def acted(self) -> bool:
        """Whether its agents have acted yet."""
        return self.recorder is not None and self.recorder.begun


class _Playing:
    """Which environment plays which episode, and the episodes that are done."""

    def __init__(self, env: FreeRows, policy: Policy, seeds: NDArray[np.uint64], how: Exploration) -> None:
        assert isinstance(how.epsilon, float), (
            "an epsilon for each environment means nothing where each plays any episode"
        )
        self._env, self._policy, self._seeds, self._how, self._epsilon = env, policy, seeds, how, how.epsilon
        self._sampling = policy.noise_size > 0 and how.z == "sampled"
        self._local = LocalInputs(env.spec, env.n_envs)
        self._idle = list(range(env.n_envs))
        self._begun = 0  # how many of the seeds
        self._running: dict[int, _Running] = {}  # by row
        self._finished: dict[int, Episode] = {}  # by place of their seeds

    @torch.inference_mode()
    @one_thread()  # a step's tensors are too small to share
    def episode(self, place: int) -> Episode:
        """The episode of that seed; they are asked for in order."""
        most = min(len(self._seeds), place + AHEAD * self._env.n_envs)
        self._begin(most)
        while place not in self._finished:
            waiting = self._take_in(self._env.answered())
            self._begin(most)
            first = [row for row in waiting if not self._running[row].acted]
            self._act(first)  # a policy has no memory of these, so they are asked apart
            self._act([row for row in waiting if row not in first])
        return self._finished.pop(place)

    def _begin(self, most: int) -> None:
        """Give idle environments the next seeds, of the first `most`."""
        while self._idle and self._begun < most:
            self._begin_at(self._idle.pop(), self._begun)
            self._begun += 1

    def _begin_at(self, row: int, place: int) -> None:
        seed = int(self._seeds[place])
        self._running[row] = _Running(place, seed)
        self._local.begin(row)
        self._env.begin(row, seed)

    def _take_in(self, answered: Sequence[int]) -> list[int]:
        """Record what these rows show; those that now wait for actions."""
        env, waiting = self._env, []
        for row in answered:
            if row not in self._running:
                continue  # it answers an earlier player, which was given up
            one = self._running[row]
            if env.lost[row]:
                self._begin_at(row, one.place)
                continue
            if one.recorder is None:
                one.recorder = Recorder(env, slice(row, row + 1), np.array([one.seed], np.uint64))
            else:
                one.recorder.stepped(np.ones(1, np.bool_))
            if env.terminated[row] or env.truncated[row]:
                (episode,) = one.recorder.episodes()
                assert episode is not None, "an engine that is lost has no episode"
                self._finished[one.place] = episode
                del self._running[row]
                self._idle.append(row)
            else:
                waiting.append(row)
        return waiting

    def _act(self, rows: list[int]) -> None:
        """Let the policy act in k environments, and ask them for a step. It is the first step of all or of none."""
        if not rows:
            return
        env, ones = self._env, [self._running[row] for row in rows]
        at: Rows = slice(rows[0], rows[0] + 1) if len(rows) == 1 else rows
        noise = np.empty((len(rows), env.spec.n_agents, self._policy.noise_size), np.float32)  # (k, N, Z)
        if self._sampling:
            for one, own in zip(ones, noise, strict=True):
                one.chance.standard_normal(out=own, dtype=np.float32)
        values, memory, _ = self._policy.step(
            self._local.of(at, env.obs),
            joined([one.memory for one in ones]),
            torch.from_numpy(env.state[at]) if self._policy.reads_state else None,
            torch.from_numpy(noise) if self._sampling else None,
        )
        chance = {k: one.chance for k, one in enumerate(ones)}
        actions = choose(values, env.available[at], self._how, np.full(len(rows), self._epsilon), chance)  # (k, N)
        env.ask(rows, actions)
        self._local.acted(rows, actions)
        for k, (one, own_memory) in enumerate(zip(ones, split(memory, len(rows)), strict=True)):
            one.memory, now = own_memory, slice(k, k + 1)
            assert one.recorder is not None, "an environment acted before it showed anything"
            one.recorder.acted(actions[now], noise[now] if self._sampling and self._how.keep_noise else None)
