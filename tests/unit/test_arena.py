"""Arrays in an arena: equal copies, side by side, whose memory goes back with the last of a block."""

import mmap
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from ptde_core.storage import arena as arena_module
from ptde_core.storage.arena import Arena
from ptde_core.storage.kept_episode import KeptEpisode
from ptde_core.storage.replay_buffer import Replay
from tests.unit.test_storage import episode

DTYPES = st.sampled_from([np.uint8, np.int16, np.float32, np.uint64])


@settings(deadline=None)
@given(several=st.lists(DTYPES.flatmap(lambda t: arrays(t, array_shapes(min_side=0, max_side=9))), max_size=9))
def test_copies_are_equal_and_none_overlaps_another(several: list[NDArray[Any]]) -> None:
    """In blocks of 64 bytes, so that many arrays begin one and some are larger."""
    arena = Arena(block=64)
    copies = [arena.put(one.T) for one in several]
    for one, copy in zip(several, copies, strict=True):
        assert copy.dtype == one.dtype
        assert copy.shape == one.T.shape
        assert copy.tobytes() == one.T.tobytes()
        assert copy.flags.aligned
        assert copy.flags.c_contiguous


def test_a_block_is_given_back_with_its_last_array(monkeypatch: pytest.MonkeyPatch) -> None:
    mapped: list[weakref.ref[Any]] = []

    class Watched(mmap.mmap):
        pass

    def watched(*words: Any, **more: Any) -> mmap.mmap:
        made = Watched(*words, **more)
        mapped.append(weakref.ref(made))
        return made

    monkeypatch.setattr(arena_module.mmap, "mmap", watched)
    arena = Arena(block=80)
    first, second, third, large = (arena.put(np.ones(size, np.float32)) for size in (10, 10, 10, 100))
    assert len(mapped) == 3  # two in the first block, one in the second, and the large one by itself
    del first
    assert mapped[0]() is not None
    del second
    assert [block() is None for block in mapped] == [True, False, False]
    assert third.sum() + large.sum() == 110


def test_no_memory_is_a_memory_error() -> None:
    with pytest.raises(MemoryError, match="cannot be mapped"):
        Arena(block=2**60).put(np.ones(1))


def test_a_replay_holds_nothing_on_the_heap() -> None:
    replay = Replay(4)
    replay.add([episode(k) for k in range(6)])
    kept = replay.sample(4, np.random.default_rng(0))
    for one in kept:
        for name in ("changed", "values", "available_bits", "actions", "reward"):
            assert isinstance(root(getattr(one, name)), mmap.mmap)
    assert not isinstance(root(KeptEpisode.of(episode(0)).values), mmap.mmap)


def root(array: Any) -> Any:
    """What owns an array's memory."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array.obj if isinstance(array, memoryview) else array
