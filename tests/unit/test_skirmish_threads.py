"""The threads among which a batch of battles is shared: they come and go with their environment."""

import gc
import threading
import time

import numpy as np
import pytest

from ptde_core.envs.skirmish.skirmish import Skirmish


def workers() -> int:
    return sum(thread.name == "ptde-skirmish" for thread in threading.enumerate())


def wait_for(count: int) -> None:
    end = time.monotonic() + 5.0
    while workers() != count:
        assert time.monotonic() < end, f"{workers()} worker threads instead of {count}"
        time.sleep(0.01)


def test_close_ends_the_threads_and_a_closed_environment_refuses_to_step() -> None:
    before = workers()
    env = Skirmish("3m", 4, threads=3)
    env.reset(np.arange(4, dtype=np.uint64))
    assert workers() == before + 2
    env.close()
    wait_for(before)
    with pytest.raises(RuntimeError, match="stopped"):
        env.step(np.full((4, 3), 1))


def test_the_threads_of_a_forgotten_environment_end() -> None:
    before = workers()
    env = Skirmish("3m", 4, threads=2)
    assert workers() == before + 1
    del env
    gc.collect()
    wait_for(before)
