"""All ways to distill in one table: every variant once; what is finished is skipped; it shows what is kept."""

import shutil
from pathlib import Path

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, StageStarted
from ptde_core.stages.distill import distill
from ptde_core.stages.settings import VARIANTS, DistillSettings, EvaluateSettings
from ptde_core.stages.train_teacher import train_teacher
from ptde_core.stages.ways_to_distill import compare, comparison_table
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.evaluation_file import EvaluationEntry, read_evaluation
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings

SETTINGS = DistillSettings(steps=60, batch_rows=64, dagger_episodes=2, check_every=1, learning_rate=1e-2)
PLAYED = EvaluateSettings(episodes=8)


@pytest.fixture
def run(trained_run: RunFolder, tmp_path: Path) -> RunFolder:
    shutil.copytree(trained_run.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def started(run: RunFolder) -> tuple[list[EvaluationEntry], list[str]]:
    """The entries, and the stages that had work to do."""
    stages: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, StageStarted):
            stages.append(event.stage)

    return compare(run.teacher, SETTINGS, PLAYED, listen=listen), stages


def test_every_variant_once_and_what_is_finished_is_skipped(run: RunFolder) -> None:
    entries, stages = started(run)
    assert stages == ["collect", *["distill"] * len(VARIANTS), "evaluate"]
    assert [(entry.policy, entry.z) for entry in entries[:2]] == [("teacher", "sampled"), ("teacher", "mean")]
    assert [entry.checkpoint for entry in entries[2:]] == [f"students/{variant}.pt" for variant in VARIANTS]
    for entry, changes in zip(entries[2:], VARIANTS.values(), strict=True):
        assert entry.distilled is not None
        assert entry.distilled.settings == SETTINGS.model_copy(update=dict(changes)).model_dump()
        assert entry.distilled.quality == load_checkpoint(run.path / entry.checkpoint, "student")["quality"]
        assert entry.episodes.seed == entries[0].episodes.seed
    assert len({entry.name for entry in entries[2:]}) == len(VARIANTS)
    again, stages = started(run)
    assert (again, stages) == (entries, [])

    (run.students / "recurrent.pt").unlink()
    once_more, stages = started(run)
    assert stages == ["distill"], "the student is the same one, so its evaluation holds"
    assert [entry.episodes for entry in once_more] == [entry.episodes for entry in entries]


def test_the_table_shows_what_the_evaluation_holds(run: RunFolder) -> None:
    entries, _ = started(run)
    table = comparison_table(entries)
    assert table.columns[2:] == ("Won", "Win rate", "PRR", "Error", "Explained", "Same action", "Steps", "Seconds")
    rows = {row[0]: row for row in table.rows}
    assert len(table.rows) == 2 + len(VARIANTS)
    for entry in read_evaluation(run.evaluation).entries:
        if entry.distilled is None:
            continue
        row = rows[entry.name]
        assert row[2] == f"{sum(entry.episodes.won)}/8"
        assert row[5] == f"{entry.distilled.quality['student_validation_loss']:.4f}"
        assert row[8] == str(entry.distilled.steps)
    stopped = rows["QMIX_ASGKD (early stopping)"]
    assert int(stopped[8]) < 60


def test_the_runs_own_student_serves_as_the_papers(run: RunFolder) -> None:
    distill(run.teacher, SETTINGS)
    entries, stages = started(run)
    assert stages.count("distill") == len(VARIANTS) - 1
    assert entries[2].checkpoint == "student.pt"
    assert not (run.students / "paper.pt").exists()


def test_another_student_in_the_place_is_not_taken_for_the_variant(run: RunFolder) -> None:
    distill(run.teacher, SETTINGS.model_copy(update={"steps": 5}), out=run.students / "recurrent.pt")
    with pytest.raises(PtdeError, match=r"recurrent\.pt was distilled with other settings"):
        started(run)


def test_what_cannot_be_compared_is_refused(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(PtdeError, match="student = 'recurrent' is what the variants differ in; leave it out"):
        compare(run.teacher, DistillSettings(student="recurrent"), PLAYED)
    plain = RunFolder(tmp_path / "plain")
    train_teacher(game_settings(steps=300, global_info="none"), plain)
    with pytest.raises(PtdeError, match="has no global information, so no z to collect or to distill"):
        compare(plain.teacher, SETTINGS, PLAYED)
    assert not plain.students.exists()
