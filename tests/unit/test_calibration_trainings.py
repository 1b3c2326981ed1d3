import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, Note, Progress, StageStarted
from ptde_core.envs.backends import world_now
from ptde_core.envs.skirmish.beside_the_game import ByError, figures
from ptde_core.envs.skirmish.scripted import random_actions
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.experiments.calibration import winning
from ptde_core.experiments.calibration.calibration_tables import learning_table
from ptde_core.experiments.calibration.processes import train_here, train_side_by_side
from ptde_core.experiments.calibration.trainings import (
    PYMARL2,
    Progressed,
    compare_first_steps,
    compare_near_random,
    learning_folder,
    progressed,
    pymarl2_settings,
)
from ptde_core.experiments.calibration.winning import compare_won
from ptde_core.machine.side_by_side import INTERRUPTED
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.runs.identity import training_made_from
from ptde_core.runs.stage_settings import CalibrateSettings, train_teacher_settings
from ptde_core.storage.checkpoint import load_checkpoint, save_checkpoint
from ptde_core.storage.config_file import write_config
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_state, write_status

TINY = {"env": "game", "map": "two-step", "batch_episodes": 8, "test_episodes": 4, "test_every": 100}
DEADLINE = 200.0


def tiny(steps: int, seed: int = 1) -> TrainingSettings:
    return train_teacher_settings(TINY, {"steps": steps, "seed": seed})


def test_z_of_first_steps_goes_by_the_spread_between_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    # 400 episodes of 100 steps are the first 10,000 steps of 4 trainings.
    monkeypatch.setitem(figures()["near_random"], "3m", {"episodes": 400, "return": 2.0, "length": 100.0})
    of_return, of_length = compare_first_steps("3m", [(1.0, 101.0), (2.0, 102.0), (3.0, 103.0), (4.0, 104.0)])
    # Ours: mean 2.5, variance 5/3 with 3 degrees of freedom; sqrt(5/3 (1/4 + 1/4)).
    assert isinstance(of_return.rule, ByError)
    assert of_return.rule.error == pytest.approx((5 / 6) ** 0.5)
    assert of_return.z == pytest.approx(0.5 / (5 / 6) ** 0.5)
    assert of_length.z == pytest.approx(2.5 / (5 / 6) ** 0.5)
    assert (of_length.play, of_length.subject, of_length.logged) == ("near-random", "3m", 400)


def test_one_seed_has_no_spread() -> None:
    with pytest.raises(PtdeError, match="seeds = 1, and near-random play goes by the spread between seeds"):
        compare_near_random(["3m"], CalibrateSettings(seeds=1))


def test_trainings_are_made_as_pymarl2_makes_them_whatever_the_preset_says() -> None:
    settings = pymarl2_settings("3m", 2, 5000)
    held = settings.model_dump()
    assert {key: held[key] for key in PYMARL2} == dict(PYMARL2)
    assert (settings.map, settings.seed, settings.steps) == ("3m", 2, 5000)
    assert train_teacher_settings({"map": "3m"}).model_dump()["batch_episodes"] == 32, "3m has a preset to overrule"


def test_marks_are_means_of_the_tests_before_them() -> None:
    def row(env_steps: float, won: float) -> dict[str, float]:
        return {"env_steps": env_steps, "test_win_rate": won, "test_length": 10 * won, "test_return": 20 * won}

    rows = [row(439_000, 1.0), row(440_001, 0.2), row(470_000, 0.4), row(500_000, 0.6), row(500_001, 1.0)]
    found = progressed("8m", 3, rows)
    assert found.env_steps == 500_001
    assert {mark for mark, _ in found.at} == {500_000}, "a mark that lies ahead has nothing"
    assert found.at[500_000, "test_win_rate"] == pytest.approx(0.4)
    assert found.at[500_000, "test_length"] == pytest.approx(4.0)
    assert found.at[500_000, "test_return"] == pytest.approx(8.0)
    assert not progressed("8m", 3, rows[:3]).at
    assert progressed("8m", 3, []) == Progressed("8m", 3, 0, {})


def test_learning_stands_beside_the_real_games() -> None:
    at = {(500_000, "test_win_rate"): 0.2, (500_000, "test_length"): 25.0, (500_000, "test_return"): 12.0}
    further = {(500_000, "test_win_rate"): 0.4, (1_000_000, "test_win_rate"): 0.6}
    found = [Progressed("5m_vs_6m", 1, 612_345, at), Progressed("5m_vs_6m", 2, 1_000_100, further)]
    table = learning_table([*found, Progressed("3m", 1, 0, {})], CalibrateSettings(seeds=2))
    none = ("—",) * 3
    assert table.columns[3:6] == ("won, 0.5M", "won, 1M", "won, 2M")
    assert table.groups == (
        (
            ("5m_vs_6m", "1", "612,345", "20%", "—", "—", "25.0", "—", "—", "12.00", "—", "—"),
            ("5m_vs_6m", "2", "1,000,100", "40%", "60%", "—", *none, *none),
            ("5m_vs_6m", "mean", "—", "30%", "60%", "—", "25.0", "—", "—", "12.00", "—", "—"),
            ("5m_vs_6m", "real, 2 trainings", "—", "8 to 34%", "20 to 48%", "38 to 66%", *["24 to 27"] * 3, *none),
        ),
        (
            ("3m", "1", "0", *none, *none, *none),
            ("3m", "mean", "—", *none, *none, *none),
            ("3m", "real", "—", "97%", "—", "99%", *none, *none),
        ),
    )


def test_won_episodes_stand_beside_the_real_games() -> None:
    found = compare_won("3m", {"length": 27.14, "return": 20.001, "dead_allies": 0.96}, won=300)
    assert [(one.figure, one.real, one.holds) for one in found] == [
        ("length, 300 won", 21.0, True),  # 27.1, as rounded
        ("return, 300 won", 20.0, True),
        ("dead allies, 300 won", 0.45, False),
    ]
    assert [one.figure for one in compare_won("3s_vs_5z", {"length": 1.0, "return": 1.0}, 5)] == [
        "length, 5 won",
        "return, 5 won",
    ], "nobody logged the dead there"


def test_other_rules_have_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ptde_core.experiments.calibration.trainings.VERSION", "99")
    assert learning_folder(tmp_path, "3m", 2).path == tmp_path / "skirmish-99" / "3m" / "seed2"


@pytest.mark.slow
def test_trainings_side_by_side_end_and_are_kept(tmp_path: Path) -> None:
    trainings = [(tiny(400, seed), RunFolder(tmp_path / f"seed{seed}")) for seed in (1, 2)]
    heard: list[Event] = []
    train_side_by_side(trainings, "calibrate", "two", listen=heard.append)
    assert all(read_state(run) == "finished" for _, run in trainings)
    assert json.loads(trainings[1][1].status.read_text())["threads"] == 1
    started = heard[0]
    assert isinstance(started, StageStarted)
    assert (started.total, started.done) == (800, 0)
    assert [event.done for event in heard if isinstance(event, Progress)][-1] == 800
    told = [event.text for event in heard if isinstance(event, Note)]
    assert sorted(text.partition(":")[0] for text in told) == [f"two-step, seed {seed}" for seed in (1, 2)]
    before = [run.teacher.stat().st_mtime_ns for _, run in trainings]
    again: list[Event] = []
    train_side_by_side(trainings, "calibrate", "two", listen=again.append)
    assert [run.teacher.stat().st_mtime_ns for _, run in trainings] == before
    assert isinstance(again[0], StageStarted)
    assert again[0].done == 800


def test_one_ctrl_c_stops_all_at_a_safe_point_and_the_same_call_goes_on(tmp_path: Path) -> None:
    trainings = [(tiny(10**7, seed), RunFolder(tmp_path / f"seed{seed}")) for seed in (1, 2)]

    def interrupt_once_one_learns() -> None:
        deadline = time.monotonic() + DEADLINE
        while not any(run.metrics.exists() for _, run in trainings) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    watcher = threading.Thread(target=interrupt_once_one_learns)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        train_side_by_side(trainings, "calibrate", "two")
    watcher.join()
    begun = [run for _, run in trainings if run.metrics.exists()]
    assert begun
    for run in begun:
        status = json.loads(run.status.read_text())
        assert (status["state"], status["reason"]) == ("interrupted", "stopped by the user")
        assert (run.resume / "state.pt").exists()


def test_told_to_stop_as_soon_as_it_listens_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told_at_once(**_: object) -> threading.Thread:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading, "Thread", told_at_once)
    assert train_here(tiny(100), RunFolder(tmp_path)) == INTERRUPTED


@pytest.mark.slow
def test_a_training_that_somebody_else_interrupts_is_not_taken_for_done(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "seed1")

    def interrupt_the_training(event: Event) -> None:
        if isinstance(event, Progress) and run.metrics.exists() and not told:
            told.append(event)
            os.kill(json.loads(run.status.read_text())["pid"], signal.SIGINT)

    told: list[Event] = []
    with pytest.raises(PtdeError, match="seed1 was interrupted from outside; type the same again"):
        train_side_by_side([(tiny(10**7), run)], "calibrate", "one", listen=interrupt_the_training)


def test_what_would_spoil_a_training_is_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "seed1")
    world = world_now(tiny(100).env, tiny(100).map)
    assert world is not None
    write_config(run.config, tiny(100).model_dump(), training_made_from(tiny(100), world))
    with pytest.raises(PtdeError, match="holds a training of 100 env steps, not 200; type --steps 100, or --runs"):
        train_side_by_side([(tiny(200), run)], "calibrate", "one")
    write_status(run, "running")
    with pytest.raises(PtdeError, match="another process is training in"):
        train_side_by_side([(tiny(100), run)], "calibrate", "one")


@pytest.mark.slow
def test_a_failed_training_is_told_and_stops_the_others(tmp_path: Path) -> None:
    broken = tiny(100).model_copy(update={"map": "no-such-game"})
    with pytest.raises(PtdeError, match="no-such-game"):
        train_side_by_side(
            [(broken, RunFolder(tmp_path / "a")), (tiny(10**7), RunFolder(tmp_path / "b"))], "calibrate", "two"
        )


def test_only_won_episodes_count_and_the_dead_are_those_that_can_do_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a policy that was never trained, and episodes in the place of those that it plays."""
    settings = pymarl2_settings("3m", 1, 8).model_copy(update={"test_episodes": 0})
    teacher = train_teacher(settings, RunFolder(tmp_path))
    won, lost = ended(20, won=True, dead=1), ended(40, won=False, dead=3)
    monkeypatch.setattr(winning, "play_episodes", lambda *_: iter([won, lost, ended(30, won=True, dead=0)]))
    found = winning.compare_winning([teacher], CalibrateSettings(policy_episodes=3))
    assert [(one.subject, one.figure, round(one.ours, 5)) for one in found] == [
        ("3m", "length, 2 won", 25.0),
        ("3m", "return, 2 won", pytest.approx(20.0)),
        ("3m", "dead allies, 2 won", 0.5),
    ]
    content = load_checkpoint(teacher, "teacher")
    for key, value, sentence in (
        ("map", "3s_vs_8z", "plays 3s_vs_8z, and how the real game's policies win there is not known"),
        ("backend", "smac", "was trained on smac, not on skirmish"),
    ):
        other = tmp_path / f"{value}.pt"
        save_checkpoint(other, "teacher", content | {"env": content["env"] | {key: value}})
        with pytest.raises(PtdeError, match=sentence):
            winning.compare_winning([teacher, other], CalibrateSettings(policy_episodes=3))


def ended(steps: int, *, won: bool, dead: int) -> Episode:
    """An episode of 3m, by its end alone."""
    available = np.ones((steps + 1, 3, 9), np.bool_)
    available[:, :, 0] = False
    available[-1, :dead] = np.eye(9, dtype=np.bool_)[0]
    reward = np.full(steps, 20.0 / steps, np.float32)
    nothing = np.zeros(0, np.float32)
    return Episode(1, nothing, nothing, available, np.zeros(0, np.int16), reward, terminated=True, won=won)


def test_at_the_end_of_a_battle_exactly_the_dead_can_do_nothing() -> None:
    env = Skirmish("3m", 16)
    env.reset(np.arange(16, dtype=np.uint64))
    chance = np.random.default_rng(0)
    while not (env.terminated | env.truncated).all():
        env.step(random_actions(env.available, chance))
    dead = ~env.raw_units()["alive"][:, :3]
    assert dead.sum() > 0
    assert (env.available[:, :, 0] == dead).all()
