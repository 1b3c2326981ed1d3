"""A finished training that goes on equals one that was longer from the start, bit for bit, and loses nothing."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, Note, Progress
from ptde_core.pipeline.collect import collect
from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.pipeline.train_teacher import train_teacher, train_teachers
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, EvaluateSettings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.run_folder import RunFolder, find_runs, read_json
from ptde_core.storage.status import read_state
from tests.conftest import game_settings, mappo_game_settings
from tests.invariants.test_resume import assert_equal_runs, metrics_without_clocks, networks

SMALL: dict[str, Any] = {"replay_episodes": 100, "batch_episodes": 16, "test_every": 250, "test_episodes": 4}
CASES: dict[str, Any] = {
    "QMIX": (game_settings, SMALL),
    "QMIX, averaged": (game_settings, {**SMALL, "average_weights": 0.9}),
    "CTDS": (game_settings, {**SMALL, "alg": "ctds"}),
    "MAPPO": (mappo_game_settings, {"rollout_steps": 300, "test_every": 250, "test_episodes": 4}),
}


@pytest.mark.parametrize("name", CASES)
def test_going_on_twice_is_one_longer_training(name: str, tmp_path: Path) -> None:
    """The first end lies between two tests, the second where one is due anyway, the third between two again."""
    of, changes = CASES[name]
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    train_teacher(of(**changes, steps=900), whole)
    for steps in (410, 500, 900):
        train_teacher(of(**changes, steps=steps), parts, resume=True)
        assert read_state(parts) == "finished"
        assert read_json(parts.config, "settings")["steps"] == steps
        last, counters = read_metrics(parts.metrics)[-1], load_checkpoint(parts.teacher, "teacher")["counters"]
        assert last["env_steps"] == counters["env_steps"], "an end is tested"
        assert "test_win_rate" in last
    assert_equal_runs(whole, parts)
    for kind, path in (("teacher", parts.teacher), ("student", parts.student)):
        if name == "CTDS" or kind == "teacher":
            one, other = (load_checkpoint(run.path / path.name, kind) for run in (whole, parts))
            assert one["counters"] == other["counters"]
            assert all(torch.equal(one["networks"][key], other["networks"][key]) for key in one["networks"])


def test_a_longer_training_that_is_interrupted_is_undisturbed(tmp_path: Path) -> None:
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    train_teacher(game_settings(**SMALL, steps=900), whole)
    train_teacher(game_settings(**SMALL, steps=410), parts)

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.done > 600:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_teacher(game_settings(**SMALL, steps=900), parts, resume=True, listen=interrupt)
    assert read_state(parts) == "interrupted"
    train_teacher(game_settings(**SMALL, steps=900), parts, resume=True)
    assert_equal_runs(whole, parts)
    assert [path.name for path in parts.path.glob("until-*")] == ["until-0000410"]


def test_what_came_of_the_shorter_training_is_put_aside_whole(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_teacher(game_settings(**SMALL, steps=300), run)
    collect(run.teacher, CollectSettings(episodes=4))
    distill(run.teacher, DistillSettings(steps=20))
    evaluate([run.student], EvaluateSettings(episodes=4, keep_replays=1))
    held = {path.name: path.read_bytes() for path in run.path.iterdir() if path.suffix in (".pt", ".h5")}
    evaluated = run.evaluation.read_bytes()
    notes: list[str] = []
    train_teacher(
        game_settings(**SMALL, steps=400),
        run,
        resume=True,
        listen=lambda event: notes.append(event.text) if isinstance(event, Note) else None,
    )
    aside = run.path / "until-0000300"
    assert any(str(aside) in note for note in notes)
    assert {name: (aside / name).read_bytes() for name in held} == held
    assert (aside / "evaluation.json").read_bytes() == evaluated
    assert (aside / "replays").is_dir()
    assert sorted(path.name for path in run.path.glob("[!.]*.*")) == [
        "config.json", "metrics.jsonl", "provenance.json", "status.json", "teacher.pt",
    ]  # fmt: skip
    assert find_runs([tmp_path]) == [run]
    assert find_runs([aside]) == [RunFolder(aside)]
    found = evaluate([aside / "student.pt"], EvaluateSettings(episodes=4))
    assert [entry.policy for entry in found] == ["teacher", "teacher", "student"]


def test_steps_do_not_shrink_and_a_finished_training_is_left_alone(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_teacher(game_settings(**SMALL, steps=300), run)
    before = run.teacher.read_bytes()
    with pytest.raises(PtdeError, match="is a training of 300 env steps, and 299 are fewer"):
        train_teacher(game_settings(**SMALL, steps=299), run, resume=True)
    with pytest.raises(PtdeError, match="already holds a run"):
        train_teacher(game_settings(**SMALL, steps=400), run)
    train_teacher(game_settings(**SMALL, steps=300), run, resume=True)
    assert run.teacher.read_bytes() == before
    assert read_json(run.config, "settings")["steps"] == 300


def test_the_state_is_told_with_its_size_and_can_be_left_out_or_deleted(tmp_path: Path) -> None:
    kept, not_kept = RunFolder(tmp_path / "kept"), RunFolder(tmp_path / "not-kept")
    notes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event.text)

    settings = game_settings(**SMALL, steps=300)
    train_teacher(settings, kept, listen=listen)
    size = sum(path.stat().st_size for path in kept.resume.iterdir()) / 1e6
    assert f"{size:,.1f} MB" in notes[-1]
    train_teacher(settings, not_kept, keep_state=False)
    assert not not_kept.resume.exists()
    assert_equal_runs(kept, not_kept)
    train_teacher(settings, kept, resume=True, keep_state=False, listen=listen)
    assert not kept.resume.exists()
    assert notes[-1] == f"deleted {kept.resume}, {size:,.1f} MB: this training cannot go on with more steps"
    longer = game_settings(**SMALL, steps=400)
    held = kept.teacher.read_bytes()
    with pytest.raises(PtdeError, match="has finished its 300 env steps, and what it needs to go on was not kept"):
        train_teacher(longer, kept, resume=True)
    assert (kept.teacher.read_bytes(), read_state(kept)) == (held, "finished")


def test_seeds_trained_together_go_on_one_at_a_time_where_they_ended_apart(tmp_path: Path) -> None:
    """Battles are of unequal length, so seeds reach their steps after different numbers of rounds."""
    changes: dict[str, Any] = {"env": "game", "map": "two-step", "batch_episodes": 8, "test_episodes": 0}

    def trainings(steps: int) -> list[tuple[Any, RunFolder]]:
        return [(game_settings(**changes, steps=steps, seed=seed), RunFolder(tmp_path / str(seed))) for seed in (1, 2)]

    train_teachers(trainings(100))
    train_teachers(trainings(160), resume=True)  # games of one length: the seeds stand together
    assert [read_state(run) for _, run in trainings(160)] == ["finished"] * 2
    train_teacher(trainings(240)[0][0], trainings(240)[0][1], resume=True)
    held = [networks(run) for _, run in trainings(300)]
    lines = [metrics_without_clocks(run) for _, run in trainings(300)]
    with pytest.raises(PtdeError, match=r"the seeds stand at different updates \(\d+, \d+\)"):
        train_teachers(trainings(300), resume=True)
    for (_, run), was, told in zip(trainings(300), held, lines, strict=True):
        assert read_state(run) == "finished"
        assert all(torch.equal(tensor, was[name]) for name, tensor in networks(run).items())
        assert metrics_without_clocks(run) == told
