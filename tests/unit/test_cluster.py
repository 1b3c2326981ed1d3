"""Workers on a Ray cluster: the same promises as at home, on a cluster of this machine."""

import importlib.util
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.workers.host import chosen_place
from ptde_core.envs.workers.limits import Limits
from ptde_core.envs.workers.pool import EnginePool
from tests.faulty_engine import Walk
from tests.unit.test_workers import episodes, gone, same

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (extra `ray`)")


@pytest.fixture
def cluster() -> Iterator[None]:
    """A cluster of this machine alone."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        yield
    ray.shutdown()


@needs_ray
@pytest.mark.filterwarnings("default")  # Ray's own
def test_a_cluster_plays_the_same_and_replaces_what_breaks(
    cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_home = EnginePool(partial(Walk, None), 2)
    wanted = episodes(at_home)
    at_home.close()
    monkeypatch.setenv("PTDE_WORKERS", "ray")
    broken = wanted[5]
    (tmp_path / str(broken.seed)).write_text(f"{broken.length - 1} die")
    env = EnginePool(partial(Walk, tmp_path), 3, Limits(step_seconds=20.0, start_seconds=120.0))
    before = env.pids
    assert all(same(a, b) for a, b in zip(episodes(env), wanted, strict=True))
    assert env.restarts == 1
    env.reset(episode_seeds(3, "t", 0, 3))
    os.kill(env.pids[1], signal.SIGKILL)  # the engine; its actor lives and says so
    env.step(np.zeros((3, 2), np.int64))
    assert env.lost.tolist() == [False, True, False]
    assert all(same(a, b) for a, b in zip(episodes(env), wanted, strict=True))
    pids = {*before, *env.pids}
    env.close()
    assert all(gone(pid) for pid in pids)


def test_without_ray_one_sentence_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ptde_core.envs.workers.host.find_spec", lambda name: None)
    with pytest.raises(PtdeError, match=r"Ray, which is not installed; type: pip install 'ptde\[ray\]'"):
        chosen_place({"PTDE_WORKERS": "ray"})
    with pytest.raises(PtdeError, match="no place for workers named 'rai'; did you mean 'ray'"):
        chosen_place({"PTDE_WORKERS": "rai"})
    assert chosen_place({}) == "local"
