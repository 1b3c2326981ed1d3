"""Workers: the contract on a small engine, and engines that die, hang, raise, or outlive whoever started them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from benchmarks.workers import InLockStep
from ptde_core.base.batch import Episode
from ptde_core.base.errors import EngineError, PtdeError
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.contract import check_environment
from ptde_core.envs.interface import BatchedEnv, FreeRows
from ptde_core.envs.workers.limits import Limits, limits_of_machine
from ptde_core.envs.workers.pool import EnginePool
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.policies.policy import Exploration
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.play import play
from tests.faulty_engine import LIMIT, SPEC, Walk

EXPLORING = Exploration(0.3)
QUICK = Limits(step_seconds=2.0, start_seconds=60.0, breakdowns=3)


def pool(n_envs: int, plan: Path | None = None) -> EnginePool:
    return EnginePool(partial(Walk, plan), n_envs, QUICK)


def teacher() -> Teacher:
    torch.manual_seed(0)
    return Teacher(SPEC, NetworkSettings.model_validate({"global_info": "agent-specific"}))


def episodes(env: BatchedEnv, how: Exploration = EXPLORING) -> list[Episode]:
    return list(play(env, teacher(), episode_seeds(3, "t", 0, 10), how))


def same(one: Episode, other: Episode) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process ends within the time; one that only waits to be reaped has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def undisturbed() -> Iterator[list[Episode]]:
    """What is played when nothing breaks."""
    env = pool(1)
    yield episodes(env)
    env.close()


def test_workers_keep_the_contract() -> None:
    check_environment(pool, steps=LIMIT, can_snapshot=False)


@pytest.mark.parametrize("how", [EXPLORING, Exploration(actions="sampled", keep_noise=True)], ids=str)
def test_neither_the_number_of_workers_nor_waiting_for_each_other_changes_an_episode(how: Exploration) -> None:
    pools = [EnginePool(partial(Walk, None, 0.004), count, QUICK) for count in (1, 2, 5)]
    assert all(isinstance(env, FreeRows) for env in pools)
    in_lock_step = cast(BatchedEnv, InLockStep(pools[2]))
    assert not isinstance(in_lock_step, FreeRows)
    wanted = episodes(in_lock_step, how)
    for env in pools:
        assert all(same(a, b) for a, b in zip(episodes(env, how), wanted, strict=True))
        assert env.restarts == 0
        env.close()


def test_a_play_that_was_left_does_not_disturb_the_next(undisturbed: list[Episode]) -> None:
    env = pool(3)
    for count in (1, 4):
        left = play(env, teacher(), episode_seeds(9, "t", 0, 10), EXPLORING)
        for _ in range(count):
            next(left)
        assert all(same(a, b) for a, b in zip(episodes(env), undisturbed, strict=True))
    next(play(env, teacher(), episode_seeds(9, "t", 0, 10), EXPLORING))
    in_lock_step = cast(BatchedEnv, InLockStep(env))
    assert all(same(a, b) for a, b in zip(episodes(in_lock_step), undisturbed, strict=True))
    env.close()


@pytest.mark.parametrize("mishap", ["die", "stop", pytest.param("hang", marks=pytest.mark.slow), "raise"])
def test_a_broken_episode_is_played_again_and_nothing_else_changes(
    mishap: str, undisturbed: list[Episode], tmp_path: Path
) -> None:
    broken = undisturbed[5]
    (tmp_path / str(broken.seed)).write_text(f"{broken.length - 1} {mishap}")
    env = pool(4, tmp_path)
    before = env.pids
    played = episodes(env)
    assert env.restarts == 1
    assert len(set(before) - set(env.pids)) == 1, "one engine was replaced"
    assert all(gone(pid) for pid in set(before) - set(env.pids))
    assert all(same(a, b) for a, b in zip(played, undisturbed, strict=True))
    env.close()


def test_kill_9_and_stop_from_outside_while_eight_play(undisturbed: list[Episode]) -> None:
    env = pool(8)
    seeds = episode_seeds(3, "t", 0, 8)
    env.reset(seeds)
    os.kill(env.pids[2], signal.SIGKILL)
    os.kill(env.pids[5], signal.SIGSTOP)
    env.step(np.zeros((8, 2), np.int64))
    assert env.lost.tolist() == [row in {2, 5} for row in range(8)]
    assert not (env.terminated | env.truncated)[[2, 5]].any()
    assert np.isfinite(env.obs).all()
    assert env.restarts == 2
    shown = env.obs[[2, 5]].copy()
    env.step(np.zeros((8, 2), np.int64))
    assert np.array_equal(env.obs[[2, 5]], shown), "a lost environment stands still"
    old = env.pids
    env.reset(seeds[[2]], np.array([2]))
    assert env.lost.tolist() == [row == 5 for row in range(8)]
    assert all(same(a, b) for a, b in zip(episodes(env), undisturbed, strict=True))
    pids = env.pids
    assert gone(old[2])
    assert gone(old[5])
    env.close()
    assert all(gone(pid) for pid in pids)


def test_an_episode_that_always_breaks_is_given_up(tmp_path: Path) -> None:
    for seed in episode_seeds(3, "t", 0, 10):
        (tmp_path / str(int(seed))).write_text("always 1 raise")
    env = pool(2, tmp_path)
    with pytest.raises(EngineError, match=r"each time at the same place \(OSError: the game has gone\)") as told:
        episodes(env)
    assert env.restarts == 2, "another try would have been in vain"
    assert "in _mishap" in told.value.trace
    env.close()


@pytest.mark.parametrize("what", ["lose", pytest.param("hang", marks=pytest.mark.slow)])
def test_what_may_go_well_the_next_time_is_tried_more_often(what: str, tmp_path: Path) -> None:
    for seed in episode_seeds(3, "t", 0, 10):
        (tmp_path / str(int(seed))).write_text(f"always 1 {what}")
    env = pool(1, tmp_path)
    with pytest.raises(EngineError, match=r"engine 0 of 1 broke 3 times in a row .*ptde doctor"):
        episodes(env)
    assert env.restarts == 3
    assert len(env.take_mishaps()) == 2, "the third is told by the error"
    env.close()


def test_the_same_error_elsewhere_is_not_the_same_place(undisturbed: list[Episode], tmp_path: Path) -> None:
    long = [one for one in undisturbed if one.length > 3][:2]
    for one in long:
        (tmp_path / str(one.seed)).write_text("3 raise")
    env = pool(1, tmp_path)
    assert all(same(a, b) for a, b in zip(episodes(env), undisturbed, strict=True))
    assert env.restarts == 2
    assert env.take_mishaps() == [
        f"an engine broke and was started anew ({k} in all): OSError: the game has gone" for k in (1, 2)
    ]
    assert env.take_mishaps() == []
    env.close()


def test_the_last_words_of_an_engine_that_died_are_told(tmp_path: Path) -> None:
    for seed in episode_seeds(3, "t", 0, 10):
        (tmp_path / str(int(seed))).write_text("always 1 die")
    env = pool(1, tmp_path)
    with pytest.raises(PtdeError, match="it died, its last words: about to die"):
        episodes(env)
    env.close()


def test_an_engine_that_is_not_there_is_one_sentence_at_once(tmp_path: Path) -> None:
    (tmp_path / "absent").touch()
    with pytest.raises(PtdeError, match=r"^walk is not installed; type: pip install walk$"):
        pool(2, tmp_path)


def test_snapshots_are_refused() -> None:
    env = pool(1)
    with pytest.raises(NotImplementedError, match="walk"):
        env.snapshot()
    env.close()


PARENT = """
import os, signal, sys, time
from functools import partial
from pathlib import Path
import numpy as np
from ptde_core.envs.workers.pool import EnginePool
from tests.faulty_engine import Walk
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born ignoring it
env = EnginePool(partial(Walk, Path(sys.argv[1])), 2)
print(*env.pids, flush=True)
time.sleep(1000)
"""


END = """
os.kill(env.pids[0], signal.SIGKILL)
env.reset(np.array([1, 2], np.uint64))
print(*Path(sys.argv[1]).glob("tmp/*/scratch"), flush=True)
sys.stdin.read()
env.close()
"""


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_no_temporary_file_of_an_engine_or_of_its_programs_is_left(how: str, tmp_path: Path) -> None:
    """Neither when it is closed, nor when it dies and is replaced, nor when ptde itself is killed."""
    (tmp_path / "program").touch()
    (tmp_path / "tmp").mkdir()
    program = PARENT.replace("time.sleep(1000)", END)
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    )
    assert parent.stdout
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    files = [Path(line) for line in parent.stdout.readline().split()]
    assert len(files) == 2
    assert all(file.exists() and file.is_relative_to(tmp_path / "tmp") for file in files)
    if how == "killed":
        parent.kill()
    parent.communicate("")
    assert all(gone(pid) for pid in pids)
    deadline = time.monotonic() + 10.0
    while list((tmp_path / "tmp").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_its_parent(number: int, tmp_path: Path) -> None:
    """Neither the engines, one of them stopped, nor the programs that they started."""
    (tmp_path / "program").touch()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    os.kill(pids[0], signal.SIGSTOP)
    pids += [int(file.read_text()) for file in tmp_path.glob("program-*")]
    assert len(pids) == 4
    os.kill(parent.pid, number)
    parent.communicate()
    assert all(gone(pid) for pid in pids)


def test_the_limit_of_a_step_is_set_by_the_environment() -> None:
    assert limits_of_machine({}).step_seconds == 60.0
    assert limits_of_machine({"PTDE_ENGINE_SECONDS": "2"}).start_seconds == 10.0
    for text in ("soon", "0", "inf", "nan"):
        with pytest.raises(PtdeError, match=f"PTDE_ENGINE_SECONDS = '{text}'"):
            limits_of_machine({"PTDE_ENGINE_SECONDS": text})
