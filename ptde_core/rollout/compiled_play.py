"""Play of skirmish by plain teachers in compiled code: threads share the environments, and none waits for another.

A thread takes its share of the battles that are still going on, plays them a few steps (`round_kernel.go_on`), puts
them back, and takes its share of what there is then. A battle that has ended makes room for the next episode. A seed
decides its episode and rows do not touch each other, so these are, bit for bit, the episodes of the plain loop.
"""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from threading import Condition
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from ptde_core import kernels
from ptde_core.base.batch import Episode
from ptde_core.base.seeding import generator
from ptde_core.base.threads import Threads, one_thread
from ptde_core.envs.interface import BatchedEnv
from ptde_core.envs.skirmish import fields as f
from ptde_core.envs.skirmish.battle import RESET, Battles, advance
from ptde_core.envs.skirmish.compiled import note_compiled
from ptde_core.envs.skirmish.map_constants import MapTables
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.kernels.calling import address_of, compiled_for
from ptde_core.nets.play_step import StepWeights
from ptde_core.policies.network_inputs import local_input_size
from ptde_core.policies.policy import Exploration, Policy, not_finite
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.round_arrays import NO_INFORMATION, Addresses, Draws, Information, Record, Room, Rows, Sizes
from ptde_core.rollout.round_kernel import go_on

STEPS = 16  # of each battle between two looks at who else needs some
Arguments = tuple[Addresses, MapTables, Battles, Any, Information, Rows, Record, Draws, Room]  # of `go_on`
AHEAD = 4  # times E: how many episodes are played before the first of them is yielded, at most

_ADDRESSES: WeakKeyDictionary[Skirmish, dict[int, Addresses]] = WeakKeyDictionary()
"""Of the kernels for the types of an environment's arrays, by Z; to ask for them takes longer than some rounds do."""


def compiled_weights(env: BatchedEnv, policy: Policy, how: Exploration) -> StepWeights | None:
    """The policy's weights as `play_compiled` takes them; None where it cannot play this policy in this environment."""
    if type(env) is not Skirmish or type(policy) is not Teacher or isinstance(how.epsilon, tuple):
        return None
    spec = env.spec
    size = local_input_size(spec.obs_size, spec.n_actions, spec.n_agents)
    assert (policy.local_size, policy.n_actions) == (size, spec.n_actions), "the policy is of other views than these"
    with torch.inference_mode():
        return policy.step_weights()


def play_compiled(
    env: BatchedEnv, weights: StepWeights, seeds: NDArray[np.uint64], how: Exploration
) -> Iterator[Episode]:
    """Play one whole episode per seed and yield them in the order of the seeds; see `rollout.play.play`.

    Args:
        env: E environments.
        weights: of the teacher's networks, of `compiled_weights`.
        seeds: (K,).
        how: with one epsilon for all.
    """
    assert isinstance(env, Skirmish)
    playing = _Playing(env, weights, how)
    for first in range(0, len(seeds), AHEAD * env.n_envs):
        yield from playing.episodes(seeds[first : first + AHEAD * env.n_envs])


def compile_for(env: BatchedEnv, weights: StepWeights, how: Exploration) -> None:
    """Compile what such play takes beside the kernels of the simulator and of the networks, which it calls."""
    assert isinstance(env, Skirmish)
    given = _Playing(env, weights, how).arguments(0, Addresses(0, 0, 0, 0))
    compiled_for(go_on, *given, 0, 0)


class _Playing:
    """The environments, and who plays which."""

    def __init__(self, env: Skirmish, weights: StepWeights, how: Exploration) -> None:
        self._env, self._weights = env, weights
        self._threads = _threads(torch.get_num_threads())
        count = min(self._threads.count, env.n_envs)
        self._sizes = sizes = Sizes.of(env, weights, -(-env.n_envs // count))
        self._information = Information(*weights.information) if weights.information else NO_INFORMATION
        self._sampling = sizes.z > 0 and how.z == "sampled"
        self._explores = float(how.epsilon) > 0  # type: ignore[arg-type]  # of a tuple `compiled_weights` says no
        self._draws_numbers = self._explores or self._sampling or how.actions == "sampled"
        self._rooms = [sizes.room(env) for _ in range(count)]
        self._draws = [sizes.draws(how, self._sampling, STEPS) for _ in range(count)]
        self._rows, self._record = sizes.rows(env, how), sizes.record(env, how.keep_noise and self._sampling)
        self._changed = Condition()  # guards all that follows
        self._waiting: list[int] = []  # environments that no thread plays now
        self._busy = 0  # environments that have something to play, waiting or not
        self._working: set[int] = set()  # threads
        self._seeds: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._begun = 0  # how many of the seeds
        self._place = np.zeros(env.n_envs, np.int64)  # which of the seeds each environment plays
        self._streams: dict[int, np.random.Generator] = {}
        self._episodes: dict[int, Episode] = {}  # by place of their seeds

    def episodes(self, seeds: NDArray[np.uint64]) -> Iterator[Episode]:
        """The episodes of these seeds, once all are there."""
        self._seeds, self._begun, self._episodes = seeds, 0, {}
        self._waiting = [row for row in range(self._env.n_envs) if self._begin(row)]
        self._busy = len(self._waiting)
        known = _ADDRESSES.setdefault(self._env, {})
        if self._sizes.z not in known:
            known[self._sizes.z] = self._addresses()
        at = known[self._sizes.z]
        try:
            with one_thread():
                self._threads.map(partial(self._work, at), range(min(len(self._rooms), self._busy)))
        finally:  # also when somebody interrupts: nobody may go on with these environments
            with self._changed:
                self._busy = 0
                self._changed.wait_for(lambda: not self._working)
            self._env.flag()
        yield from (self._episodes[place] for place in range(len(seeds)))

    def arguments(self, thread: int, at: Addresses) -> Arguments:
        """What `go_on` takes but for its last two."""
        own = self._rows, self._record, self._draws[thread], self._rooms[thread]
        return at, *self._env.inside, self._weights.agent, self._information, *own

    def _addresses(self) -> Addresses:
        """Of the kernels, which are compiled now if they are not yet."""
        (m, b), room, rows, sizes = self._env.inside, self._rooms[0], self._rows, self._sizes
        local, z, values = (x.reshape(sizes.k, sizes.n, -1) for x in (room.local, room.noise, room.values))
        seen = local, room.state, self._information.one_hot, room.noise
        choosing = values, b.available, rows.epsilon, self._draws[0].uniforms[0], rows.numbers
        found = Addresses(
            address_of(advance, m, b, RESET, rows.numbers, rows.seeds, 0, 0, room.scratch),
            address_of(kernels.act, room.local, room.z, *self._weights.agent, room.memory, room.values),
            address_of(kernels.inform, *seen, *self._information.weights, self._information.floor, z) if sizes.z else 0,
            address_of(kernels.choose, *choosing),
        )
        note_compiled(advance)
        return found

    def _begin(self, row: int) -> bool:
        """Give an environment the next episode, if there is one."""
        if self._begun == len(self._seeds):
            return False
        seed = self._seeds[self._begun]
        self._place[row], self._rows.seeds[row], self._rows.fresh[row] = self._begun, seed, True
        if self._draws_numbers:
            self._streams[row] = generator(int(seed), "play")
        self._begun += 1
        return True

    def _work(self, at: Addresses, thread: int) -> None:
        """Play until nothing is left."""
        given, room = self.arguments(thread, at), self._rooms[thread]
        try:
            with self._changed:
                self._working.add(thread)
            taken = self._exchange([])
            while taken:
                room.row[: len(taken)] = taken
                if self._draws_numbers:
                    self._draw([self._streams[row] for row in taken], self._draws[thread])
                if not go_on(*given, len(taken), STEPS):
                    raise not_finite()
                taken = self._exchange(taken)
        finally:
            with self._changed:
                self._working.discard(thread)
                self._busy = 0  # nothing is left, or one of the threads has failed
                self._changed.notify_all()

    def _exchange(self, played: list[int]) -> list[int]:
        """Put environments back and take one's share of those that play on; none when all is played."""
        outcome = self._env.inside[1].outcome
        ended = [row for row in played if outcome[row] != f.RUNNING]
        episodes = {int(self._place[row]): self._episode(row) for row in ended}
        with self._changed:
            if not self._busy:
                return []
            self._episodes |= episodes
            over = {row for row in ended if not self._begin(row)}
            self._busy -= len(over)
            self._waiting += [row for row in played if row not in over]
            self._changed.wait_for(lambda: self._waiting or not self._busy)
            share = -(-self._busy // len(self._rooms))
            taken, self._waiting = self._waiting[:share], self._waiting[share:]
            if self._waiting or not self._busy:
                self._changed.notify_all()
            return taken

    def _draw(self, streams: Sequence[np.random.Generator], draws: Draws) -> None:
        """The next numbers of some episodes' streams, in the order in which the plain loop draws them."""
        for k, stream in enumerate(streams):
            if self._explores and not (len(draws.noise) or len(draws.logarithms)):
                stream.random(out=draws.uniforms[k])
                continue
            for step in range(STEPS):
                if len(draws.noise):
                    stream.standard_normal(out=draws.noise[k, step], dtype=np.float32)
                if len(draws.logarithms):
                    stream.standard_exponential(out=draws.logarithms[k, step])
                if self._explores:
                    stream.random(out=draws.uniforms[k, step])
        drawn = draws.logarithms[: len(streams)]
        np.log(drawn, out=drawn)

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


@cache
def _threads(count: int) -> Threads:
    """The threads that play; they are kept until the process ends."""
    threads = Threads()
    assert threads.count == count
    return threads
