"""Episodes as the replay buffer keeps them: given back bit for bit, and smaller where views repeat."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.storage.kept_episode import KeptEpisode, KeptEpisodes
from ptde_core.storage.replay_buffer import Replay

FLOATS = st.sampled_from([0.0, -0.0, 1.0, np.inf, np.nan, 1e-45]) | st.floats(width=32)


def same_bits(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@st.composite
def episodes(draw: st.DrawFn) -> Episode:
    steps, agents, obs, state, actions = (draw(st.integers(1, most)) for most in (6, 3, 5, 11, 4))
    return Episode(
        seed=3,
        obs=draw(arrays(np.float32, (steps + 1, agents, obs), elements=FLOATS)),
        state=draw(arrays(np.float32, (steps + 1, state), elements=FLOATS)),
        available=draw(arrays(np.bool_, (steps + 1, agents, actions))),
        actions=draw(arrays(np.int16, (steps, agents))),
        reward=draw(arrays(np.float32, steps, elements=FLOATS)),
        terminated=draw(st.booleans()),
        won=False,
        noise=draw(st.none() | arrays(np.float32, (steps, agents, 2), elements=FLOATS)),
    )


@settings(deadline=None)  # the first example compiles
@given(one=episodes())
def test_nothing_is_lost(one: Episode) -> None:
    kept = KeptEpisode.of(one)
    back = kept.whole()
    assert (kept.length, back.seed, back.terminated, back.won) == (one.length, one.seed, one.terminated, one.won)
    for name in ("obs", "state", "available", "actions", "reward"):
        assert same_bits(getattr(back, name), getattr(one, name))
    assert (back.noise is None) == (one.noise is None)
    assert one.noise is None or (back.noise is not None and same_bits(back.noise, one.noise))


@settings(deadline=None)
@given(several=st.lists(st.integers(1, 200), min_size=1, max_size=5), width=st.integers(1, 140))
def test_a_batch_of_them_is_the_batch_of_the_episodes(several: list[int], width: int) -> None:
    """Also where the numbers of a view fill several words of bits."""
    chance = np.random.default_rng(width)

    def walk(*shape: int) -> NDArray[np.float32]:
        return np.cumsum(chance.integers(2, size=shape), axis=0).astype(np.float32)

    whole = [
        Episode(
            k, walk(steps + 1, 2, width), walk(steps + 1, width), walk(steps + 1, 2, 3) % 2 == 0,
            walk(steps, 2).astype(np.int16), walk(steps), True, False,
        )
        for k, steps in enumerate(several)
    ]  # fmt: skip
    plain, kept = EpisodeBatch.of(whole), EpisodeBatch.of([KeptEpisode.of(one) for one in whole])
    for field in fields(EpisodeBatch):
        one, other = getattr(plain, field.name), getattr(kept, field.name)
        assert one is other or (one.dtype == other.dtype and torch.equal(one, other))


def test_many_are_given_one_at_a_time_or_as_a_part() -> None:
    def numbered(k: int) -> Episode:
        return Episode(
            k, np.full((k + 1, 1, 2), k, np.float32), np.zeros((k + 1, 1), np.float32),
            np.ones((k + 1, 1, 2), np.bool_), np.zeros((k, 1), np.int16), np.ones(k, np.float32), True, False,
        )  # fmt: skip

    many = KeptEpisodes([KeptEpisode.of(numbered(k)) for k in range(1, 5)])
    assert [one.seed for one in many] == [1, 2, 3, 4]
    assert many[-1].obs.tolist() == numbered(4).obs.tolist()
    assert [one.seed for one in many[2:]] == [3, 4]
    replay = Replay(2)
    replay.add(many)
    assert sorted(one.seed for one in replay.drain()) == [3, 4]


def test_arrays_that_do_not_fit_each_other_are_refused() -> None:
    one = Episode(
        1, np.zeros((3, 2, 2), np.float32), np.zeros((3, 1), np.float32), np.ones((3, 4, 3), np.bool_),
        np.zeros((2, 2), np.int16), np.ones(2, np.float32), True, False,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"available actions \(3, 4, 3\) beside views \(3, 2, 2\)"):
        KeptEpisode.of(one)


def test_by_hand() -> None:
    """3 views of 2 + 3 numbers: 4 are not 0 at first, then 1 changes, then none."""
    obs = np.array([[[1, 2]], [[1, 3]], [[1, 3]]], np.float32)
    state = np.array([[4, 0, 5]] * 3, np.float32)
    available = np.ones((3, 1, 4), np.bool_)
    one = Episode(1, obs, state, available, np.zeros((2, 1), np.int16), np.ones(2, np.float32), True, False)
    kept = KeptEpisode.of(one)
    assert kept.values.tolist() == [1, 2, 4, 5, 3]
    assert kept.changed.tolist() == [[0b10111], [0b00010], [0]]
    assert kept.nbytes == 5 * 4 + 3 * 8 + 3 * 1 + 2 * 2 + 2 * 4
