"""No number belongs to something else than what stands beside it: what is stale is refused, left out, or made anew.

On small games: another version of their rules stands for another version of a simulator and for an edited map.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Note
from ptde_core.envs.backends import world_of_code
from ptde_core.pipeline.collect import collect
from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.evaluate import evaluate, evaluate_what_is_due
from ptde_core.pipeline.remaking import put_aside_another_world
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.results.compare_runs import compare_runs
from ptde_core.results.gather import report
from ptde_core.runs.identity import training_made_from, why_not_this_training
from ptde_core.runs.stage_settings import CollectSettings, EvaluateSettings, InspectSettings, train_teacher_settings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.config_file import read_config, write_config
from ptde_core.storage.run_folder import RunFolder, find_runs, write_json
from ptde_core.viewing.algorithm_curves import win_rates
from ptde_core.viewing.information.inspect_information import inspect
from ptde_core.viewing.result_text import text_of
from ptde_core.viewing.visualize import visualize
from tests.conftest import game_settings
from tests.pipelines import COLLECT, DISTILL, EVALUATE, OTHER_WORLD, SETTINGS, pipeline, snapshot

READERS: dict[str, Callable[[RunFolder], object]] = {
    "train-teacher --resume": lambda run: train_teacher(SETTINGS, run, resume=True),
    "train-teacher --resume --steps MORE": lambda run: train_teacher(
        SETTINGS.model_copy(update={"steps": 400}), run, resume=True
    ),
    "collect": lambda run: collect(run.teacher, COLLECT, run.path / "more.h5"),
    "distill": lambda run: distill(run.teacher, DISTILL, run.episodes, run.path / "more.pt"),
    "evaluate": lambda run: evaluate([run.teacher], EVALUATE),
    "evaluate a student": lambda run: evaluate([run.student], EVALUATE),
    "what is evaluated": lambda run: evaluate_what_is_due([run.teacher], EVALUATE),
    "inspect": lambda run: inspect([run.path], InspectSettings(episodes=1)),
    "visualize": lambda run: visualize([run.path], ["html"]),
}


@pytest.mark.parametrize("reader", READERS)
def test_in_another_world_every_reader_refuses_in_one_sentence_and_touches_nothing(
    reader: str, another_world: RunFolder
) -> None:
    before = snapshot(another_world)
    with pytest.raises(PtdeError, match=OTHER_WORLD):
        READERS[reader](another_world)
    assert snapshot(another_world) == before


def test_what_was_made_in_another_world_is_told_and_never_counted(another_world: RunFolder) -> None:
    (left_out,) = report([another_world.path]).left_out
    assert (left_out.state, OTHER_WORLD in left_out.why) == ("stale", True)
    assert not report([another_world.path]).sections
    with pytest.raises(PtdeError, match=OTHER_WORLD):
        win_rates([another_world.path])
    copy = RunFolder(shutil.copytree(another_world.path, another_world.path.with_name("copy")))
    text = text_of(compare_runs(another_world, copy))
    assert OTHER_WORLD in text
    assert "Results" not in text


def test_run_puts_another_worlds_results_aside_and_makes_all_anew(another_world: RunFolder) -> None:
    before = snapshot(another_world)
    entries, stages, notes = pipeline(another_world)
    assert stages == ["train-teacher", "collect", "distill", "evaluate"]
    assert {entry.backend_version for entry in entries} == {"2"}
    assert any(OTHER_WORLD in note for note in notes)
    (aside,) = another_world.path.glob("stale-*")
    assert snapshot(RunFolder(aside)) == before, "nothing is lost"
    assert not report([another_world.path]).left_out
    assert pipeline(another_world)[1] == []


def test_a_student_of_another_training_is_not_counted_where_the_teacher_is_gone(run: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(tmp_path / "other")
    pipeline(other, settings=SETTINGS.model_copy(update={"seed": 2, "learning_rate": 0.01}))
    other.teacher.unlink()
    other.evaluation.unlink()
    shutil.copy(run.student, other.student)
    evaluate([other.student], EVALUATE)
    assert not report([other.path]).sections
    (left_out,) = report([other.path]).left_out
    assert "its teacher was made with learning_rate" in left_out.why


def test_checkpoints_of_several_trainings_in_one_folder_have_their_own_settings(run: RunFolder, tmp_path: Path) -> None:
    other = train_teacher(SETTINGS.model_copy(update={"learning_rate": 0.01}), RunFolder(tmp_path / "other"))
    lone = tmp_path / "lone"
    lone.mkdir()
    evaluate([shutil.copy(run.teacher, lone / "a.pt"), shutil.copy(other, lone / "b.pt")], EVALUATE)
    (section,) = report([lone]).sections
    assert {score.settings["learning_rate"] for score in section.scores} == {SETTINGS.learning_rate, 0.01}
    assert not report([lone]).left_out


def test_a_link_to_a_run_is_one(run: RunFolder, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "seed1").symlink_to(run.path, target_is_directory=True)
    assert [one.path for one in find_runs([linked])] == [linked / "seed1"]
    assert report([linked]).sections


def test_run_leaves_what_is_not_its_own_where_it_is(another_world: RunFolder) -> None:
    mine = another_world.path / "notes" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    pipeline(another_world)
    assert mine.read_text() == "mine"


def test_run_notices_an_edited_game_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pettingzoo")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    game = tmp_path / "own_game_of_mine.py"
    game.write_text("from tests.leaving_game import Leaving as parallel_env\n")
    settings = train_teacher_settings({"env": "pettingzoo", "map": "own_game_of_mine"})
    world = world_of_code("pettingzoo", "own_game_of_mine")
    assert world is not None
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    write_config(run.config, settings.model_dump(), training_made_from(settings, world))
    put_aside_another_world(settings, run, lambda _: None)
    assert run.config.exists(), "it is as it was"
    game.write_text("from tests.leaving_game import Leaving\nclass parallel_env(Leaving):\n    max_cycles = 9\n")
    notes: list[str] = []
    put_aside_another_world(settings, run, lambda event: notes.append(str(event)))
    assert not run.config.exists()
    assert (run.stale(training_made_from(settings, world).digest) / "config.json").exists()
    assert "made on the map own_game_of_mine with the content" in notes[0]
    game.write_text("raise ImportError('half typed')\n")
    write_config(run.config, settings.model_dump(), training_made_from(settings, world))
    with pytest.raises(PtdeError, match="half typed"):
        put_aside_another_world(settings, run, notes.append)
    assert run.config.exists(), "a broken game puts nothing aside"


def test_another_training_is_refused_and_not_put_aside(another_world: RunFolder) -> None:
    with pytest.raises(PtdeError, match="was trained with seed = 1, not 2"):
        pipeline(another_world, settings=SETTINGS.model_copy(update={"seed": 2}))
    assert not list(another_world.path.glob("stale-*"))


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({}, []),
        ({"collecting": CollectSettings(episodes=5)}, ["collect", "distill", "evaluate"]),
        ({"collecting": CollectSettings(episodes=4, epsilon=0.5)}, ["collect", "distill", "evaluate"]),
        ({"collecting": CollectSettings(episodes=4, seed=2)}, ["collect", "distill", "evaluate"]),
        # No student reads the state: it comes out the same one, so its evaluation holds.
        ({"collecting": CollectSettings(episodes=4, with_state=False)}, ["collect", "distill"]),
        ({"evaluating": EvaluateSettings(episodes=9)}, ["evaluate"]),
        ({"evaluating": EvaluateSettings(episodes=8, seed=1)}, ["evaluate"]),
        ({"evaluating": EvaluateSettings(episodes=8, keep_replays=1)}, ["evaluate"]),
    ],
)
def test_run_remakes_exactly_what_is_stale(changes: dict[str, Any], stages: list[str], run: RunFolder) -> None:
    before = run.episodes.read_bytes(), run.student.read_bytes()
    entries, done, _ = pipeline(run, **changes)
    assert done == stages
    assert len(entries) == 3
    aside = [path.read_bytes() for path in run.path.glob("stale-*/*")]
    assert ("collect" in stages) == all(content in aside for content in before), "what is remade is put aside"
    assert not [one for one in report([run.path]).left_out if one.state == "stale"]
    assert pipeline(run, **changes)[1] == [], "and made once"


def test_run_makes_a_student_of_another_teacher_anew(run: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(tmp_path / "other")
    pipeline(other, settings=SETTINGS.model_copy(update={"seed": 2}))
    shutil.copy(other.student, run.student)
    entries, stages, notes = pipeline(run)
    assert stages == ["distill"], "it is the student that was there, so its evaluation holds"
    assert {entry.teacher_id for entry in entries} == {load_checkpoint(run.teacher, "teacher")["teacher_id"]}
    assert any("made from another" in note for note in notes)
    assert (next(run.path.glob("stale-*")) / "student.pt").read_bytes() == other.student.read_bytes()


@pytest.mark.parametrize("z", ["sampled", "mean", "student"])
def test_run_plays_the_one_entry_that_is_missing(z: str, run: RunFolder) -> None:
    value = json.loads(run.evaluation.read_text())
    value["entries"] = [entry for entry in value["entries"] if entry["z"] != z]
    write_json(run.evaluation, value)
    entries, stages, _ = pipeline(run)
    assert stages == ["evaluate"]
    assert sorted(entry.z for entry in entries) == ["mean", "sampled", "student"]


def test_a_teacher_of_another_training_is_not_taken_for_this_one(run: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(tmp_path / "other")
    train_teacher(SETTINGS.model_copy(update={"seed": 2}), other)
    shutil.copy(other.teacher, run.teacher)
    with pytest.raises(PtdeError, match=r"is not of the training in .*: it was made with seed = 2, not 1"):
        pipeline(run)
    left_out = report([run.path]).left_out
    assert {one.state for one in left_out} == {"stale"}


def spoilt_by(run: RunFolder, tmp_path: Path) -> dict[str, Callable[[], object]]:
    def other_student() -> None:
        distill(run.teacher, DISTILL.model_copy(update={"seed": 9}), out=tmp_path / "s.pt")
        shutil.copy(tmp_path / "s.pt", run.student)

    def other_teacher() -> None:
        train_teacher(SETTINGS.model_copy(update={"seed": 2}), RunFolder(tmp_path / "other"))
        shutil.copy(tmp_path / "other" / "teacher.pt", run.teacher)

    return {
        "deleted": run.student.unlink,
        "replaced": other_student,
        "teacher deleted": run.teacher.unlink,
        "teacher replaced": other_teacher,
    }


@pytest.mark.parametrize(
    ("how", "says", "counted"),
    [
        ("deleted", "student.pt was evaluated, and is not there any more", {"QMIX_SGI"}),
        ("replaced", "student.pt is another than the one that was evaluated", {"QMIX_SGI"}),
        ("teacher deleted", "teacher.pt was evaluated, and is not there any more", {"QMIX_ASGKD"}),
        ("teacher replaced", "student.pt was distilled from another teacher than teacher.pt", set()),
    ],
)
def test_an_evaluation_is_counted_only_with_its_checkpoint(
    how: str, says: str, counted: set[str], run: RunFolder, tmp_path: Path
) -> None:
    spoilt_by(run, tmp_path)[how]()
    found = report([run.path])
    assert any(one.state == "stale" and says in one.why for one in found.left_out)
    assert {score.name for section in found.sections for score in section.scores} == counted
    copy = RunFolder(shutil.copytree(run.path, tmp_path / "copy"))
    text = text_of(compare_runs(run, copy))
    assert says in text
    assert ("QMIX_ASGKD" in text, "QMIX_SGI" in text) == ("QMIX_ASGKD" in counted, "QMIX_SGI" in counted)


STATES: dict[str, Callable[[RunFolder], object]] = {
    "config": lambda run: run.config.unlink(),
    "config and status": lambda run: [run.config.unlink(), run.status.unlink()],
    "config and teacher": lambda run: [run.config.unlink(), run.teacher.unlink()],
}


@pytest.mark.parametrize("gone", STATES)
@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("changes", [{}, {"seed": 2}, {"learning_rate": 0.1}, {"steps": 200}, {"map": "common-signal"}])
def test_without_its_config_a_training_is_neither_taken_for_another_nor_overwritten(
    gone: str, resume: bool, changes: dict[str, Any], run: RunFolder
) -> None:
    STATES[gone](run)
    run.student.unlink()
    before = snapshot(run)
    if gone == "config and teacher" and resume and not changes:
        train_teacher(SETTINGS, run, resume=True)  # the state says that it is this one
        assert read_config(run.config).settings["seed"] == 1
        return
    with pytest.raises(PtdeError, match=r"no config\.json to say|is the state of another training|are fewer"):
        train_teacher(SETTINGS.model_copy(update=changes), run, resume=resume)
    assert snapshot(run) == before


def test_a_state_of_another_training_is_refused(run: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(tmp_path / "other")
    train_teacher(SETTINGS.model_copy(update={"seed": 2}), other)
    shutil.rmtree(run.resume)
    shutil.copytree(other.resume, run.resume)
    before = snapshot(run)
    longer = SETTINGS.model_copy(update={"steps": 400})
    with pytest.raises(PtdeError, match="is the state of another training: it was made with seed = 2, not 1"):
        train_teacher(longer, run, resume=True)
    assert snapshot(run) == before


def test_a_finished_teacher_is_not_trained_over_where_its_status_is_gone(run: RunFolder) -> None:
    run.status.unlink()
    shutil.rmtree(run.resume)
    before = run.teacher.read_bytes()
    with pytest.raises(PtdeError, match=r"holds a teacher\.pt, but neither a status that says finished nor a state"):
        train_teacher(SETTINGS, run, resume=True)
    assert run.teacher.read_bytes() == before


def test_an_edited_config_is_refused(run: RunFolder) -> None:
    write_json(run.config, json.loads(run.config.read_text()) | {"learning_rate": 0.5})
    with pytest.raises(PtdeError, match=r"config\.json says learning_rate = 0.5, and was made with 0.003"):
        train_teacher(SETTINGS, run, resume=True)
    assert report([run.path]).left_out[0].state == "unreadable"


def test_a_replay_that_never_holds_a_batch_is_refused() -> None:
    with pytest.raises(PtdeError, match=r"replay_episodes = 16 .* is less than batch_episodes = 32"):
        game_settings(batch_episodes=32, replay_episodes=16)
    assert game_settings(batch_episodes=32, replay_episodes=32)


def test_a_training_without_a_single_gradient_step_says_so(tmp_path: Path) -> None:
    notes: list[str] = []
    train_teacher(
        game_settings(steps=20, batch_episodes=32),
        RunFolder(tmp_path / "run"),
        listen=lambda event: notes.append(event.text) if isinstance(event, Note) else None,
    )
    assert any("has learned nothing in" in note for note in notes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"seed": 2}, "made with seed = 1, not 2"),
        ({"steps": 400}, "made with steps = 300, not 400"),
        ({"checkpoint_seconds": 1.0, "keep": "last,best"}, ""),
    ],
)
def test_whether_a_folder_holds_a_training_can_be_asked(changes: dict[str, Any], says: str, run: RunFolder) -> None:
    settings: TrainingSettings = SETTINGS.model_copy(update=changes)
    assert why_not_this_training(run, settings) == says
    assert why_not_this_training(RunFolder(run.path / "nothing"), settings) == ""


def test_whether_the_world_is_another_is_part_of_that(another_world: RunFolder) -> None:
    assert OTHER_WORLD in why_not_this_training(another_world, SETTINGS)


def test_episodes_that_do_not_fit_are_refused(run: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(tmp_path / "other")
    train_teacher(SETTINGS.model_copy(update={"seed": 2}), other)
    with pytest.raises(PtdeError, match="was collected from another teacher"):
        distill(other.teacher, DISTILL, run.episodes)
