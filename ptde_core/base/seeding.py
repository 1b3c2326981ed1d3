"""Where every random stream comes from: a run's seed, a role, and a place in that role. Nothing else draws seeds.

An episode's seed depends on (run seed, role, index of the episode) alone. So episode 1,234 of a run is the same
battle whatever the number of environments, and a resumed run continues with the battles it would have had.
"""

import zlib

import numpy as np
from numpy.typing import NDArray


def _sequence(seed: int, role: str, *place: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, zlib.crc32(role.encode()), *place])


def seed_for(seed: int, role: str, *place: int) -> int:
    """One 64-bit seed for a role ("networks", "noise", ...) of a run."""
    return int(_sequence(seed, role, *place).generate_state(1, np.uint64)[0])


def generator(seed: int, role: str, *place: int) -> np.random.Generator:
    """A numpy generator for a role of a run; equal arguments give equal streams."""
    return np.random.Generator(np.random.PCG64(_sequence(seed, role, *place)))


def episode_seeds(seed: int, role: str, first: int, count: int) -> NDArray[np.uint64]:
    """Seeds (count,) of the episodes `first`, `first + 1`, ... of a role; one per episode, none shared."""
    return np.array([seed_for(seed, role, first + k) for k in range(count)], dtype=np.uint64)
