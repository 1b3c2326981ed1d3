"""Play in which no environment waits for another: games in processes of their own (`FreeRows`).

Whoever has answered gets its next actions at once, and whoever has ended its next episode. A seed decides its episode
and a policy's rows do not touch each other, so these are, bit for bit, the episodes of play in lock-step.
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
from ptde_core.policies.policy import Exploration, LocalInputs, Policy, Rows, choose
from ptde_core.rollout.memories import joined, parted

AHEAD = 4  # times E: how many episodes may be begun or done from the one on that is due, so that memory is bounded


def play_freely(env: FreeRows, policy: Policy, seeds: NDArray[np.uint64], how: Exploration) -> Iterator[Episode]:
    """Play one whole episode per seed and yield them in the order of the seeds; see `policies.play.play`."""
    playing = _Playing(env, policy, seeds, how)
    for place in range(len(seeds)):
        yield playing.episode(place)


class _InTheMaking:
    """An episode as far as it has been played; `place` is that of its seed."""

    def __init__(self, place: int, seed: int) -> None:
        self.place, self._seed = place, seed
        self.chance = generator(seed, "play")
        self.memory: Any = None
        self.noises: list[NDArray[np.float32]] = []
        self.actions: list[NDArray[np.int16]] = []
        self._views: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]] = []
        self._rewards: list[np.float32] = []

    def see(self, env: FreeRows, row: int) -> None:
        """Keep what the row shows: the first view, or what the newest actions brought."""
        if self.actions:
            self._rewards.append(env.reward[row])
        self._views.append((env.obs[row].copy(), env.state[row].copy(), env.available[row].copy()))

    def done(self, env: FreeRows, row: int) -> Episode:
        """The episode, which has ended."""
        obs, state, available = (np.stack(column) for column in zip(*self._views, strict=True))  # (T+1, .)
        return Episode(
            seed=self._seed,
            obs=obs,
            state=state,
            available=available,
            actions=np.stack(self.actions),
            reward=np.array(self._rewards, np.float32),
            terminated=bool(env.terminated[row]),
            won=bool(env.won[row]),
            noise=np.stack(self.noises) if self.noises else None,
        )


class _Playing:
    """What `play_freely` knows: who plays what, and what is finished."""

    def __init__(self, env: FreeRows, policy: Policy, seeds: NDArray[np.uint64], how: Exploration) -> None:
        assert isinstance(how.epsilon, float), (
            "an epsilon for each environment means nothing where each plays any episode"
        )
        self._env, self._policy, self._seeds, self._how, self._epsilon = env, policy, seeds, how, how.epsilon
        self._sampling = policy.noise_size > 0 and how.z == "sampled"
        self._local = LocalInputs(env)
        self._idle = list(range(env.n_envs))
        self._begun = 0  # how many of the seeds
        self._rows: dict[int, _InTheMaking] = {}
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
            first = [row for row in waiting if not self._rows[row].actions]
            self._act(first)
            self._act([row for row in waiting if row not in first])
        return self._finished.pop(place)

    def _begin(self, most: int) -> None:
        """Give idle environments the next seeds, of the first `most`."""
        while self._idle and self._begun < most:
            self._begin_at(self._idle.pop(), self._begun)
            self._begun += 1

    def _begin_at(self, row: int, place: int) -> None:
        seed = int(self._seeds[place])
        self._rows[row] = _InTheMaking(place, seed)
        self._local.has_begun(row)
        self._env.begin(row, seed)

    def _take_in(self, answered: Sequence[int]) -> list[int]:
        """Keep what was brought; the rows that wait for actions."""
        env, waiting = self._env, []
        for row in answered:
            if row not in self._rows:
                continue  # somebody else had asked it for something, and went away
            one = self._rows[row]
            if env.lost[row]:
                self._begin_at(row, one.place)
                continue
            one.see(env, row)
            if env.terminated[row] or env.truncated[row]:
                self._finished[one.place] = one.done(env, row)
                del self._rows[row]
                self._idle.append(row)
            else:
                waiting.append(row)
        return waiting

    def _act(self, rows: list[int]) -> None:
        """Ask k environments for a step; at the first step of all of them, or of none."""
        if not rows:
            return
        env, ones = self._env, [self._rows[row] for row in rows]
        at: Rows = slice(rows[0], rows[0] + 1) if len(rows) == 1 else rows
        noise = np.empty((len(rows), env.spec.n_agents, self._policy.noise_size), np.float32)  # (k, N, Z)
        if self._sampling:
            for one, own in zip(ones, noise, strict=True):
                one.chance.standard_normal(out=own, dtype=np.float32)
                if self._how.keep_noise:
                    one.noises.append(own)
        values, memory = self._policy.step(
            self._local.of(at),
            joined([one.memory for one in ones]),
            torch.from_numpy(env.state[at]) if self._policy.reads_state else None,
            torch.from_numpy(noise) if self._sampling else None,
        )
        chance = {k: one.chance for k, one in enumerate(ones)}
        actions = choose(values, env.available[at], self._how, np.full(len(rows), self._epsilon), chance)  # (k, N)
        env.ask(rows, actions)
        for one, own_memory, row, own_actions in zip(ones, parted(memory, len(rows)), rows, actions, strict=True):
            one.memory = own_memory
            one.actions.append(own_actions.astype(np.int16))
            self._local.has_acted(row, own_actions)
