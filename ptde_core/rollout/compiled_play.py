"""Play of skirmish by plain teachers in compiled code: threads share the environments, and none waits for another.

A thread takes its share of the battles that are still going on, plays them a few steps (`round_kernel.go_on`), puts
them back, and takes its share of what there is then. A battle that has ended makes room for the next episode. A seed
decides its episode and rows do not touch each other, so these are, bit for bit, the episodes of the plain loop.
"""

from collections.abc import Iterator
from functools import cache
from threading import Condition
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ptde_core import kernels
from ptde_core.base.batch import Episode
from ptde_core.base.seeding import generator
from ptde_core.base.threads import Threads, one_thread
from ptde_core.envs.skirmish import fields as f
from ptde_core.envs.skirmish.battle import RESET, advance
from ptde_core.envs.skirmish.compiled import note_compiled
from ptde_core.envs.skirmish.skirmish import Skirmish, scratch
from ptde_core.kernels.calling import address_of
from ptde_core.nets.play_step import StepWeights
from ptde_core.policies.policy import Exploration, not_finite
from ptde_core.rollout.round_kernel import Addresses, Draws, Information, Record, Room, Rows, go_on

STEPS = 16  # of a battle between two looks at who else needs some
AHEAD = 4  # times E: how many episodes are played before the first of them is yielded, at most


def play_compiled(
    env: Skirmish, weights: StepWeights, noise_size: int, seeds: NDArray[np.uint64], how: Exploration
) -> Iterator[Episode]:
    """Play one whole episode per seed and yield them in the order of the seeds; see `rollout.play.play`.

    Args:
        env: E battles, one to each environment.
        weights: of the teacher's networks.
        noise_size: Z of the teacher.
        seeds: (K,).
        how: as of `play`.
    """
    shared = _Shared(env, weights, noise_size, how)
    for first in range(0, len(seeds), AHEAD * env.n_envs):
        yield from shared.play(seeds[first : first + AHEAD * env.n_envs])


class _Shared:
    """The environments, and who plays which."""

    def __init__(self, env: Skirmish, weights: StepWeights, noise_size: int, how: Exploration) -> None:
        self._env, self._weights, self._how = env, weights, how
        self._sampling = noise_size > 0 and how.z == "sampled"
        self._threads = _threads(torch.get_num_threads())
        count = min(self._threads.count, env.n_envs)
        # One thread alone plays all that there is; of several, none ever has more than its share.
        sizes = _Sizes.of(env, weights, noise_size, -(-env.n_envs // count))
        self._rooms = [sizes.room() for _ in range(count)]
        self._draws = [sizes.draws(how, self._sampling) for _ in range(count)]
        self._rows, self._record = sizes.rows(env.n_envs, how), sizes.record(env, how.keep_noise and self._sampling)
        self._information = _information(weights)
        self._at = _addresses(env, self._rooms[0], self._rows, weights, self._information, sizes)
        self._changed = Condition()  # guards all that follows
        self._waiting: list[int] = []  # environments that no thread plays now
        self._busy = 0  # environments that have something to play, waiting or not
        self._seeds: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._begun = 0  # how many of the seeds
        self._place = np.zeros(env.n_envs, np.int64)  # which of the seeds each environment plays
        self._streams: dict[int, np.random.Generator] = {}
        self._episodes: dict[int, Episode] = {}  # by place of their seeds

    def play(self, seeds: NDArray[np.uint64]) -> Iterator[Episode]:
        """The episodes of these seeds, once all are there."""
        self._seeds, self._begun, self._episodes = seeds, 0, {}
        self._waiting = [row for row in range(self._env.n_envs) if self._begin(row)]
        self._busy = len(self._waiting)
        with one_thread():
            self._threads.map(self._work, range(min(len(self._rooms), self._busy)))
        self._env.flag()
        yield from (self._episodes[place] for place in range(len(seeds)))

    def _begin(self, row: int) -> bool:
        """Give an environment the next episode, if there is one."""
        if self._begun == len(self._seeds):
            return False
        seed = self._seeds[self._begun]
        self._place[row], self._rows.seeds[row], self._rows.fresh[row] = self._begun, seed, True
        self._streams[row] = generator(int(seed), "play")
        self._begun += 1
        return True

    def _work(self, thread: int) -> None:
        """Play what there is until nothing is left."""
        env, room, draws = self._env, self._rooms[thread], self._draws[thread]
        try:
            taken = self._exchange([])
            while taken:
                for k, row in enumerate(taken):
                    room.row[k] = row
                    self._draw(k, self._streams[row], draws)
                if not go_on(
                    self._at, *env.inside, self._weights.agent, self._information,
                    self._rows, self._record, draws, room, len(taken), STEPS,
                ):  # fmt: skip
                    raise not_finite()
                taken = self._exchange(taken)
        except BaseException:
            with self._changed:
                self._busy = 0
                self._changed.notify_all()
            raise

    def _exchange(self, played: list[int]) -> list[int]:
        """Put environments back and take others; none when all is played."""
        outcome = self._env.inside[1].outcome
        ended = [row for row in played if outcome[row] != f.RUNNING]
        episodes = {int(self._place[row]): self._episode(row) for row in ended}
        with self._changed:
            self._episodes |= episodes
            if self._busy:
                over = {row for row in ended if not self._begin(row)}
                self._busy -= len(over)
                self._waiting += [row for row in played if row not in over]
            while self._busy and not self._waiting:
                self._changed.wait()
            share = -(-self._busy // len(self._rooms))
            taken, self._waiting = self._waiting[:share], self._waiting[share:]
            if self._waiting or not self._busy:
                self._changed.notify_all()
            return taken if self._busy else []

    def _draw(self, k: int, stream: np.random.Generator, draws: Draws) -> None:
        """The next numbers of an episode's stream, in the order in which the plain loop draws them."""
        explores = self._rows.epsilon[0] > 0
        if not (len(draws.noise) or len(draws.minus)):
            if explores:
                stream.random(out=draws.uniforms[k])
            return
        for step in range(STEPS):
            if len(draws.noise):
                stream.standard_normal(out=draws.noise[k, step], dtype=np.float32)
            if len(draws.minus):
                stream.standard_exponential(out=draws.minus[k, step])
            if explores:
                stream.random(out=draws.uniforms[k, step])
        if len(draws.minus):
            np.log(draws.minus[k], out=draws.minus[k])

    def _episode(self, row: int) -> Episode:
        """What an environment has played to its end."""
        b, record = self._env.inside[1], self._record
        n, outcome = int(b.clock[row]), int(b.outcome[row])
        return Episode(
            seed=int(self._rows.seeds[row]),
            obs=record.obs[row, : n + 1].copy(),
            state=record.state[row, : n + 1].copy(),
            available=record.available[row, : n + 1].copy(),
            actions=record.actions[row, :n].copy(),
            reward=record.reward[row, :n].copy(),
            terminated=outcome != f.TIMED_OUT,
            won=outcome == f.WON,
            noise=record.noise[row, :n].copy() if len(record.noise) else None,
        )


class _Sizes(NamedTuple):
    """Sizes of the arrays that `go_on` takes."""

    k: int  # environments of one thread
    n: int
    a: int
    s: int
    local: int
    hidden: int
    z: int  # 0 without information
    units: int

    @classmethod
    def of(cls, env: Skirmish, weights: StepWeights, noise_size: int, k: int) -> "_Sizes":
        spec, units = env.spec, env.inside[1].real.shape[2]
        local, hidden = len(weights.agent[0]), weights.agent[4].shape[1]
        return cls(k, spec.n_agents, spec.n_actions, spec.state_size, local, hidden, noise_size, units)

    def room(self) -> Room:
        """For one thread."""
        near, block = scratch(self.units)
        k, rows = self.k, self.k * self.n
        whole = (np.zeros(k, np.int64) for _ in range(2))
        return Room(
            near,
            block,
            *whole,
            _floats(rows, self.local),
            _floats(k, self.s),
            _floats(k, self.n, self.z),
            _floats(rows, self.z),
            _floats(rows, self.hidden),
            _floats(rows, self.a),
        )

    def draws(self, how: Exploration, sampling: bool) -> Draws:
        """For one thread."""
        k, drawn = self.k, how.actions == "sampled"
        return Draws(
            _floats(k if sampling else 0, STEPS, self.n, self.z),
            np.zeros((k if drawn else 0, STEPS, self.n, self.a)),
            np.ones((k, STEPS, 2, self.n)),
        )

    def rows(self, count: int, how: Exploration) -> Rows:
        """For all environments."""
        return Rows(
            np.zeros((count, self.n), np.int64),
            np.zeros(count, np.uint64),
            np.zeros(count, np.bool_),
            _floats(count, self.n, self.hidden),
            np.full(count, how.epsilon, np.float64),
        )

    def record(self, env: Skirmish, keeps_noise: bool) -> Record:
        """For all environments."""
        e, t, spec = env.n_envs, env.spec.episode_limit, env.spec
        return Record(
            np.empty((e, t + 1, self.n, spec.obs_size), np.float32),  # pages that nothing is written to take no memory
            np.empty((e, t + 1, self.s), np.float32),
            np.empty((e, t + 1, self.n, self.a), np.bool_),
            np.empty((e, t, self.n), np.int16),
            np.empty((e, t), np.float32),
            np.empty((e if keeps_noise else 0, t, self.n, self.z), np.float32),
        )


def _floats(*shape: int) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32)


@cache
def _threads(count: int) -> Threads:
    """They live as long as the process."""
    threads = Threads()
    assert threads.count == count
    return threads


_SHAPES = (2, 2, 1, 2, 2, 1, *4 * (2, 1))  # dimensions of what `kernels.inform` takes
_NONE = tuple(np.zeros((0,) * dimensions, np.float32) for dimensions in _SHAPES)


def _information(weights: StepWeights) -> Information:
    if weights.information is None:
        return Information(0, _NONE, 0.0)
    return Information(*weights.information)


def _addresses(
    env: Skirmish, room: Room, rows: Rows, weights: StepWeights, information: Information, sizes: _Sizes
) -> Addresses:
    """Of the kernels, which are compiled first if they are not yet."""
    b = env.inside[1]
    local = room.local.reshape(sizes.k, sizes.n, -1)
    values = room.values.reshape(sizes.k, sizes.n, -1)
    simulator = *env.inside, RESET, rows.numbers, rows.seeds, 0, 0, room.near, room.block
    seen = local, room.state, information.one_hot, room.noise
    found = Addresses(
        advance=address_of(advance, *simulator),
        act=address_of(kernels.act, room.local, room.z, *weights.agent, room.memory, room.values),
        inform=address_of(kernels.inform, *seen, *information.weights, information.floor, room.noise)
        if weights.information
        else 0,
        choose=address_of(kernels.choose, values, b.available, rows.epsilon, np.ones((1, 2, sizes.n)), rows.numbers),
    )
    note_compiled(advance)
    return found
