"""The arrays on which a round of play in compiled code works (`round_kernel.py`), and their sizes."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.scratch import Scratch, scratch
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.nets.play_step import StepWeights
from ptde_core.policies.policy import Exploration

Floats = NDArray[np.float32]


class Addresses(NamedTuple):
    """Of the kernels that are called; `inform` is 0 where the networks have no global information."""

    advance: int
    act: int
    inform: int
    choose: int


class Information(NamedTuple):
    """What `inform` takes beside what is seen; empty arrays where there is no information."""

    one_hot: int
    weights: Any  # a tuple of arrays
    floor: float


class Rows(NamedTuple):
    """What is known of each of the E environments from one call to the next; each belongs to one thread at a time."""

    numbers: NDArray[np.int64]  # (E, N) actions; to begin a battle, the row's own number
    seeds: NDArray[np.uint64]  # (E,)
    fresh: NDArray[np.bool_]  # (E,) whether its battle is still to be begun
    memory: Floats  # (E, N, H)
    epsilon: NDArray[np.float64]  # (E,)


class Record(NamedTuple):
    """The episode that each environment is playing, up to the limit of T steps."""

    obs: Floats  # (E, T+1, N, O)
    state: Floats  # (E, T+1, S)
    available: NDArray[np.bool_]  # (E, T+1, N, A)
    actions: NDArray[np.int16]  # (E, T, N)
    reward: Floats  # (E, T)
    noise: Floats  # (E, T, N, Z), or (0, T, N, Z) where it is not kept


class Draws(NamedTuple):
    """Random numbers for the next C steps of each of K environments, drawn from the streams of their episodes."""

    noise: Floats  # (K, C, N, Z) standard normals of z; (0, C, N, Z) for its mean
    logarithms: NDArray[np.float64]  # (K, C, N, A) of standard exponentials, to draw actions; (0, C, N, A) for the best
    uniforms: NDArray[np.float64]  # (K, C, 2, N) of exploration


class Room(NamedTuple):
    """Where one thread works on up to K environments."""

    scratch: Scratch  # of the simulator
    row: NDArray[np.int64]  # (K,) which of the E environments
    place: NDArray[np.int64]  # (K,) which of the draws
    local: Floats  # (K*N, L)
    state: Floats  # (K, S)
    noise: Floats  # (K, N, Z)
    z: Floats  # (K*N, Z)
    memory: Floats  # (K*N, H)
    values: Floats  # (K*N, A)


_DIMENSIONS = (2, 2, 1, 2, 2, 1, *4 * (2, 1))  # of what `kernels.inform` takes
NO_INFORMATION = Information(0, tuple(np.zeros((0,) * count, np.float32) for count in _DIMENSIONS), 0.0)


class Sizes(NamedTuple):
    """How many there are, of the letters above."""

    k: int
    n: int
    a: int
    s: int
    local: int
    hidden: int
    z: int  # 0 without information

    @classmethod
    def of(cls, env: Skirmish, weights: StepWeights, k: int) -> "Sizes":
        """For threads that take up to `k` environments each."""
        spec, information = env.spec, weights.information
        encode, recurrent = weights.agent[0], weights.agent[3]
        z = len(information.arrays[-1]) if information else 0
        return cls(k, spec.n_agents, spec.n_actions, spec.state_size, len(encode), len(recurrent), z)

    def room(self, env: Skirmish) -> Room:
        """For one thread."""
        (k, n, a, s, local, hidden, z), rows = self, self.k * self.n
        floats = (_zeros(rows, local), _zeros(k, s), _zeros(k, n, z), _zeros(rows, z), _zeros(rows, hidden))
        units = env.inside[1].real.shape[2]
        return Room(scratch(units), np.zeros(k, np.int64), np.zeros(k, np.int64), *floats, _zeros(rows, a))

    def draws(self, how: Exploration, sampling: bool, steps: int) -> Draws:
        """For one thread."""
        k, drawn = self.k, self.k if how.actions == "sampled" else 0
        noise, ones = _zeros(k if sampling else 0, steps, self.n, self.z), np.ones((drawn, steps, self.n, self.a))
        return Draws(noise, ones, np.ones((k, steps, 2, self.n)))

    def rows(self, env: Skirmish, how: Exploration) -> Rows:
        """For all environments."""
        count = env.n_envs
        numbers, seeds, fresh = (
            np.zeros((count, self.n), np.int64),
            np.zeros(count, np.uint64),
            np.zeros(count, np.bool_),
        )
        return Rows(numbers, seeds, fresh, _zeros(count, self.n, self.hidden), np.full(count, how.epsilon, np.float64))

    def record(self, env: Skirmish, keeps_noise: bool) -> Record:
        """For all environments. Pages that nothing is written to take no memory."""
        (_, n, a, s, *_), e, t = self, env.n_envs, env.spec.episode_limit
        return Record(
            np.empty((e, t + 1, n, env.spec.obs_size), np.float32),
            np.empty((e, t + 1, s), np.float32),
            np.empty((e, t + 1, n, a), np.bool_),
            np.empty((e, t, n), np.int16),
            np.empty((e, t), np.float32),
            np.empty((e if keeps_noise else 0, t, n, self.z), np.float32),
        )


def _zeros(*shape: int) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32)
