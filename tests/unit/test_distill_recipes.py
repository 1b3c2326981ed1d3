"""Students by recipes: each once; what is finished is skipped; tables show what is kept, and name the recipe."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, StageStarted
from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.distill_recipes import distill_recipes
from ptde_core.pipeline.evaluate import evaluate_what_is_due
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.results.evaluation_table import evaluation_tables
from ptde_core.results.recipe_comparison import comparison_table
from ptde_core.runs.recipes import departures, distill_settings, recipes, recipes_meant, recipes_of_run
from ptde_core.runs.stage_settings import DistillSettings, EvaluateSettings, preset, presets
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.evaluation_file import EvaluationEntry, read_evaluation
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings

QUICK = {"steps": 60, "batch_rows": 64, "dagger_episodes": 2, "learning_rate": 1e-2}
PLAYED = EvaluateSettings(episodes=8)
ALL = [distill_settings(name, "personal-signal", QUICK) for name in recipes()]


@pytest.fixture
def run(trained_run: RunFolder, tmp_path: Path) -> RunFolder:
    shutil.copytree(trained_run.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def started(run: RunFolder, chosen: Sequence[DistillSettings] = ALL) -> tuple[list[EvaluationEntry], list[str]]:
    """The entries, and the stages that had work to do."""
    stages: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, StageStarted):
            stages.append(event.stage)

    students = distill_recipes(run.teacher, chosen, listen=listen)
    return evaluate_what_is_due([run.teacher, *students], PLAYED, listen=listen), stages


def test_every_recipe_once_and_what_is_finished_is_skipped(run: RunFolder) -> None:
    entries, stages = started(run)
    assert stages == ["collect", *["distill"] * len(recipes()), "evaluate"]
    assert [(entry.policy, entry.z) for entry in entries[:2]] == [("teacher", "sampled"), ("teacher", "mean")]
    files = ["student.pt", *(f"students/{name}.pt" for name in recipes() if name != "paper")]
    assert [entry.checkpoint for entry in entries[2:]] == files
    for entry, settings in zip(entries[2:], ALL, strict=True):
        assert entry.distilled is not None
        assert entry.distilled.settings == settings.model_dump()
        assert entry.distilled.quality == load_checkpoint(run.path / entry.checkpoint, "student")["quality"]
        assert entry.episodes.seed == entries[0].episodes.seed
    assert len({entry.name for entry in entries[2:]}) == len(recipes())
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
    assert len(table.rows) == 2 + len(recipes())
    for entry in read_evaluation(run.evaluation).entries:
        if entry.distilled is None:
            continue
        row = rows[entry.name]
        assert row[2] == f"{sum(entry.episodes.won)}/8"
        assert row[5] == f"{entry.distilled.quality['student_validation_loss']:.4f}"
        assert row[8] == str(entry.distilled.steps)


def test_no_recipe_recovers_what_the_views_do_not_tell_and_the_table_says_so(run: RunFolder) -> None:
    slow = QUICK | {"steps": 400, "learning_rate": 1e-3}
    entries, _ = started(run, [distill_settings(name, "personal-signal", slow) for name in ("paper", "recurrent")])
    for table in (comparison_table(entries), *evaluation_tables(entries)):
        for entry in entries[2:]:
            assert any(note.startswith(f"{entry.name} recovers next to nothing of z") for note in table.notes)


def test_one_recipe_more_plays_only_what_has_not_been_played(run: RunFolder) -> None:
    both = [distill_settings(name, "", QUICK) for name in ("paper", "recurrent")]
    first, stages = started(run, both[:1])
    assert stages == ["collect", "distill", "evaluate"]
    teacher_time = [entry.inference for entry in first[:2]]
    then, stages = started(run, both)
    assert stages == ["distill", "evaluate"]
    assert [entry.inference for entry in then[:2]] == teacher_time, "the teacher has not played again"
    assert [entry.name for entry in then[2:]] == ["QMIX_ASGKD", "QMIX_ASGKD (recipe recurrent, DAgger 4x2)"]


def test_another_student_in_the_place_is_neither_taken_nor_overwritten(run: RunFolder) -> None:
    recurrent = distill_settings("recurrent", "", QUICK)
    other = distill(run.teacher, recurrent.model_copy(update={"steps": 5}))
    assert other == run.students / "recurrent.pt"
    held = other.read_bytes()
    with pytest.raises(
        PtdeError, match=r"recurrent\.pt already exists, distilled with steps = 5, not 60; move it away"
    ):
        started(run)
    assert other.read_bytes() == held
    assert not run.student.exists(), "refused before anything is distilled"


def test_a_student_of_another_teacher_or_of_other_episodes_is_not_taken(run: RunFolder, tmp_path: Path) -> None:
    paper = [distill_settings("paper", "", QUICK)]
    started(run, paper)
    other = RunFolder(tmp_path / "other")
    train_teacher(game_settings(steps=300, seed=2), other)
    shutil.copy(run.student, other.student)
    with pytest.raises(PtdeError, match="is not a student of this teacher"):
        distill_recipes(other.teacher, paper)
    moved = run.path / "more.h5"
    content = bytearray(run.episodes.read_bytes())
    shutil.move(run.episodes, moved)
    content[-1] ^= 1
    run.episodes.write_bytes(bytes(content))
    with pytest.raises(PtdeError, match="distilled from other episodes than"):
        distill_recipes(run.teacher, paper)


def test_what_cannot_be_distilled_is_refused(tmp_path: Path) -> None:
    plain = RunFolder(tmp_path / "plain")
    train_teacher(game_settings(steps=300, global_info="none"), plain)
    with pytest.raises(PtdeError, match="has no global information, so no z to collect or to distill"):
        distill_recipes(plain.teacher, ALL)
    assert not plain.students.exists()


def test_a_file_that_is_no_students_is_neither_read_nor_replaced(run: RunFolder) -> None:
    paper = [distill_settings("paper", "", QUICK)]
    held = run.config.read_bytes()
    for start in (distill_recipes, lambda teacher, recipes, out: distill(teacher, recipes[0], out=out)):
        with pytest.raises(PtdeError, match=r"config\.json is no name of a checkpoint; give one that ends in \.pt"):
            start(run.teacher, paper, out=run.config)
    assert run.config.read_bytes() == held
    for content in (b"mine", run.teacher.read_bytes()):
        (run.path / "mine.pt").write_bytes(content)
        with pytest.raises(PtdeError, match=r"mine\.pt .*; move it away, or distill into another file"):
            distill_recipes(run.teacher, paper, out=run.path / "mine.pt")
        assert (run.path / "mine.pt").read_bytes() == content


def test_the_papers_recipe_is_the_defaults() -> None:
    assert distill_settings("paper", "3s_vs_5z") == DistillSettings()
    assert DistillSettings().recipe == "paper"
    assert recipes_of_run() == ("paper", "recurrent")


def test_a_layer_beats_the_preset_which_beats_the_recipe_which_beats_the_default() -> None:
    made = distill_settings("recurrent", "3s_vs_5z")
    assert (made.student, made.steps, made.learning_rate, made.batch_rows) == ("recurrent", 8_000, 2e-3, 2048)
    of_map = preset("3m", "distill")["recurrent"]["steps"]
    assert distill_settings("recurrent", "3m").steps == of_map != 8_000
    assert distill_settings("recurrent", "3m", {"steps": 7}, {"dagger_rounds": 0}).steps == 7
    assert distill_settings("recurrent", "3m", {"steps": 7}, {"steps": 8}).steps == 8
    with pytest.raises(PtdeError, match="no recipe named 'recurent'; did you mean 'recurrent'"):
        distill_settings("recurent", "3m")


def test_presets_name_recipes_and_settings_that_there_are() -> None:
    for name in presets()["maps"]:
        for recipe in preset(name, "distill"):
            distill_settings(recipe, name)


@pytest.mark.parametrize(
    ("asked", "layers", "meant"),
    [
        ([], [{}], ["paper"]),
        ([], [{"recipe": "recurrent"}], ["recurrent"]),
        ([], [{"recipe": "recurrent"}, {"recipe": ["paper", "recurrent"]}], ["paper", "recurrent"]),
        (["recurrent"], [{"recipe": "paper"}], ["recurrent"]),
    ],
)
def test_which_recipes_are_meant(asked: list[str], layers: list[dict[str, Any]], meant: list[str]) -> None:
    assert recipes_meant(asked, layers, ["paper"]) == meant


@pytest.mark.parametrize("value", [3, [], [3]])
def test_what_names_no_recipe_is_refused(value: Any) -> None:
    with pytest.raises(PtdeError, match="names no recipe; choose from paper, recurrent"):
        recipes_meant([], [{"recipe": value}], ["paper"])
    with pytest.raises(PtdeError, match="a recipe is there twice"):
        recipes_meant(["paper", "paper"], [], ["paper"])


def test_a_name_tells_the_recipe_and_what_was_changed_in_it() -> None:
    assert departures(distill_settings("paper", "")) == []
    assert departures(distill_settings("recurrent", "3m")) == ["recipe recurrent"]
    changed = distill_settings("recurrent", "", {"loss": "values", "dagger_rounds": 0, "steps": 5})
    assert departures(changed) == ["recipe recurrent", "values loss", "no DAgger"]
    older = DistillSettings(student="recurrent", early_stopping=3)  # made before there were recipes
    assert departures(older) == ["recurrent", "early stopping"]
    assert departures(older.model_copy(update={"recipe": "from a later ptde"})) == ["recurrent", "early stopping"]
