"""Evaluation: the same episodes for every policy, a student brings its teacher, nothing needs typing twice."""

import shutil
from pathlib import Path

import pytest

from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.pipeline.run import run
from ptde_core.runs.pipeline_settings import Pipeline
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, EvaluateSettings
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings

EVALUATE = EvaluateSettings(episodes=40)


@pytest.fixture
def own(trained_run: RunFolder, tmp_path: Path) -> RunFolder:
    shutil.copytree(trained_run.path, tmp_path / "own")
    return RunFolder(tmp_path / "own")


def test_a_student_brings_its_teacher_along(own: RunFolder) -> None:
    distill(own.teacher, DistillSettings(steps=50))
    entries = evaluate([own.student], EVALUATE)
    assert [(e.name, e.z) for e in entries] == [
        ("QMIX_SGI", "sampled"),
        ("QMIX_SGI", "mean"),
        ("QMIX_ASGKD", "student"),
    ]
    assert len({tuple(e.episodes.seed) for e in entries}) == 1
    assert len({e.teacher_id for e in entries}) == 1
    alone = own.path / "elsewhere" / "student.pt"
    alone.parent.mkdir()
    shutil.copy(own.student, alone)
    assert [e.z for e in evaluate([alone], EVALUATE)] == ["student"]


def test_evaluation_is_a_function_of_its_seed(own: RunFolder) -> None:
    one, again = evaluate([own.teacher], EVALUATE), evaluate([own.teacher], EVALUATE)
    other = evaluate([own.teacher], EvaluateSettings(episodes=40, seed=1))
    assert [e.episodes for e in one] == [e.episodes for e in again]
    assert one[0].episodes.seed != other[0].episodes.seed


def test_what_a_python_console_shows_of_an_evaluation_fits_on_its_screen(own: RunFolder) -> None:
    (entry, *_) = evaluate([own.teacher], EvaluateSettings(episodes=40))
    shown = f"Played(40 episodes, {sum(entry.episodes.won)} won)"
    assert shown in repr(entry)
    assert str(entry.episodes) == shown
    assert len(repr(entry)) < 1500


def test_the_first_episodes_of_a_longer_list_are_those_of_a_shorter_one(own: RunFolder) -> None:
    few, many = (evaluate([own.teacher], EvaluateSettings(episodes=n))[0].episodes for n in (5, 40))
    assert (many.seed[:5], many.won[:5], many.length[:5]) == (few.seed, few.won, few.length)


def test_the_whole_pipeline_twice_does_the_work_once(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")

    def pipeline() -> list[tuple[str, int]]:
        stages = Pipeline(
            game_settings(steps=600), CollectSettings(episodes=10), (DistillSettings(steps=50),), EVALUATE
        )
        entries = run(stages, folder)
        return [(e.name, sum(e.episodes.won)) for e in entries]

    first = pipeline()
    written = {path: path.stat().st_mtime_ns for path in folder.path.glob("[!.]*")}
    assert pipeline() == first
    assert {path: path.stat().st_mtime_ns for path in folder.path.glob("[!.]*")} == written
