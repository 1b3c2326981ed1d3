"""Checkpoints beside the last: which, where, and what tables call them; the same if interrupted or gone on with."""

import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ptde_core.algorithms.table_names import checkpoint_marks
from ptde_core.algorithms.training_settings import parse_keep
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, Progress
from ptde_core.pipeline.collect import collect
from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.distill_recipes import distill_recipes
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.pipeline.kept_checkpoints import KeptCheckpoints, Reached
from ptde_core.pipeline.train_teacher import train_teacher, train_teachers
from ptde_core.results.compare_runs import compare_runs
from ptde_core.results.gather import report
from ptde_core.runs.recipes import distill_settings
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, EvaluateSettings
from ptde_core.storage.checkpoint import identity, load_checkpoint
from ptde_core.storage.evaluation_file import add_entries, move_entries, read_evaluation
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.run_folder import RunFolder, all_students_of, episodes_of, student_of, students_of
from tests.conftest import game_settings
from tests.invariants.test_several_seeds import interrupt_at
from tests.made_runs import entry

KEEP: dict[str, Any] = {
    "keep": "best,every=250",
    "replay_episodes": 100,
    "batch_episodes": 16,
    "test_every": 60,
    "test_episodes": 8,
    "epsilon_steps": 300,
    "learning_rate": 3e-2,  # so that the best is not the last
}


def policies(run: RunFolder) -> dict[str, str]:
    """Every checkpoint of a run by its place, as the identity of its networks."""
    paths = [path for path in run.path.rglob("*.pt") if "resume" not in path.parts and "until" not in str(path)]
    return {
        path.relative_to(run.path).as_posix(): identity(load_checkpoint(path, "teacher", "student")["networks"])
        for path in paths
    }


def best_test(run: RunFolder) -> dict[str, float]:
    """The line of the log that the best is to be of: the highest win rate, of equal ones the later; else the return."""
    rows = read_metrics(run.metrics)
    return max(
        rows, key=lambda row: (row["test_win_rate"], row["test_win_rate"] or row["test_return"], row["env_steps"])
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = RunFolder(tmp_path_factory.mktemp("kept") / "run")
    train_teacher(game_settings(**KEEP, steps=900), run)
    return run


def test_the_best_is_of_the_best_test_and_the_others_are_where_they_were_due(whole: RunFolder) -> None:
    assert sorted(policies(whole)) == [
        "checkpoints/teacher-0000250.pt",
        "checkpoints/teacher-0000500.pt",
        "checkpoints/teacher-0000750.pt",
        "teacher-best.pt",
        "teacher.pt",
    ]
    best = load_checkpoint(whole.path / "teacher-best.pt", "teacher")
    assert (best["kept"], best["counters"]["env_steps"]) == ("best", best_test(whole)["env_steps"])
    assert best["teacher_id"] == identity(best["networks"]) != load_checkpoint(whole.teacher, "teacher")["teacher_id"]
    for steps in (250, 500, 750):
        at = load_checkpoint(whole.checkpoint("teacher", str(steps)), "teacher")
        assert at["kept"] == str(steps)
        assert steps <= at["counters"]["env_steps"] < steps + 8 * 3  # the end of the round that passed it


def test_they_change_nothing_else(whole: RunFolder, tmp_path: Path) -> None:
    plain = RunFolder(tmp_path / "plain")
    train_teacher(game_settings(**KEEP | {"keep": "last"}, steps=900), plain)
    assert policies(plain) == {"teacher.pt": policies(whole)["teacher.pt"]}


def test_interrupted_or_gone_on_they_are_the_same(whole: RunFolder, tmp_path: Path) -> None:
    cut, longer = RunFolder(tmp_path / "cut"), RunFolder(tmp_path / "longer")
    settings = game_settings(**KEEP, steps=900)
    stops = 0

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.done > 200 * (stops + 1):
            signal.raise_signal(signal.SIGINT)

    while not cut.teacher.exists():
        try:
            train_teacher(settings, cut, resume=True, listen=interrupt)
        except KeyboardInterrupt:
            stops += 1
    assert stops >= 3
    for steps in (410, 620, 900):
        train_teacher(game_settings(**KEEP, steps=steps), longer, resume=True)
    assert policies(cut) == policies(longer) == policies(whole)
    best = [load_checkpoint(run.path / "teacher-best.pt", "teacher")["counters"] for run in (cut, longer, whole)]
    assert best[0] == best[1] == best[2]


def test_a_best_of_a_shorter_end_is_not_that_of_the_longer_training(tmp_path: Path) -> None:
    """The end's own test is the best one here; the longer training never makes it, so it goes back to what was."""
    run = RunFolder(tmp_path / "run")
    rare = {**KEEP, "test_every": 10_000, "learning_rate": 1e-2}
    train_teacher(game_settings(**rare, steps=300), run)
    assert load_checkpoint(run.path / "teacher-best.pt", "teacher")["counters"]["env_steps"] >= 300
    with pytest.raises(KeyboardInterrupt):
        train_teacher(game_settings(**rare, steps=900), run, resume=True, listen=interrupt_at(400))
    assert load_checkpoint(run.path / "teacher-best.pt", "teacher")["counters"]["env_steps"] < 100


def test_ties_go_to_the_later_and_returns_decide_where_nothing_is_won(tmp_path: Path) -> None:
    class Network:
        """Stands in for a learner: what is written does not matter here."""

    found = KeptCheckpoints(game_settings(keep="best"), RunFolder(tmp_path), Network(), None)  # type: ignore[arg-type]
    found._contents = lambda which, at: {}  # type: ignore[method-assign]  # nothing to save
    steps = []
    for at, (rate, value) in enumerate([(0.0, 3.0), (0.0, 5.0), (0.0, 4.0), (0.5, 1.0), (0.25, 9.0), (0.5, 0.5)]):
        found.tested(Reached(at, at), {"test_win_rate": rate, "test_return": value})
        steps.append(found.state()["env_steps"])
    assert steps == [0, 1, 1, 3, 3, 5]


def test_all_stages_take_any_of_them_and_tables_say_which(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_teacher(game_settings(**KEEP, steps=900), run)
    few, fit = CollectSettings(episodes=4), DistillSettings(steps=20)
    students = []
    for teacher in (run.teacher, run.path / "teacher-best.pt", run.checkpoint("teacher", "500")):
        assert collect(teacher, few) == episodes_of(teacher)
        students.append(distill(teacher, fit))
    places = [path.relative_to(run.path).as_posix() for path in students]
    assert places == ["student.pt", "student-best.pt", "checkpoints/student-0000500.pt"]
    found = evaluate(students, EvaluateSettings(episodes=4))
    names = [entry.name for entry in found]
    assert names == [
        *("QMIX_SGI", "QMIX_SGI", "QMIX_ASGKD"),
        *("QMIX_SGI (best in tests)", "QMIX_SGI (best in tests)", "QMIX_ASGKD (best in tests)"),
        *("QMIX_SGI (at 500 steps)", "QMIX_SGI (at 500 steps)", "QMIX_ASGKD (at 500 steps)"),
    ]
    scores = report([run.path]).sections[0].scores
    assert {score.name for score in scores} == set(names)
    assert all(score.retention.teacher is not None for score in scores if score.retention)
    kinds = [one.kind for one in compare_runs(run, copy_of(run, tmp_path)).outcomes]
    assert "checkpoints/teacher-0000500.pt, z mean" in kinds
    assert len(set(kinds)) == len(found)


def test_recipes_and_checkpoints_combine(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_teacher(game_settings(**KEEP, steps=900), run)
    chosen = [distill_settings(name, "", {"steps": 20, "dagger_episodes": 2}) for name in ("paper", "recurrent")]
    best = run.path / "teacher-best.pt"
    collect(best, CollectSettings(episodes=4))
    students = distill_recipes(best, chosen)
    assert students == [run.path / "student-best.pt", run.path / "students-best" / "recurrent.pt"]
    assert all_students_of(best) == students
    assert run.all_students == []
    found = evaluate(students, EvaluateSettings(episodes=4))
    assert [(entry.name, entry.checkpoint) for entry in found[2:]] == [
        ("QMIX_ASGKD (best in tests)", "student-best.pt"),
        ("QMIX_ASGKD (best in tests, recipe recurrent, DAgger 4x2)", "students-best/recurrent.pt"),
    ]
    assert {Path(entry.checkpoint).name for entry in found[:2]} == {"teacher-best.pt"}
    train_teacher(game_settings(**KEEP, steps=1000), run, resume=True)
    assert not [path for path in run.path.glob("student*") if path.exists()]
    aside = run.path / "until-0000900"
    assert all_students_of(aside / "teacher-best.pt") == [aside / path.relative_to(run.path) for path in students]


def test_a_folder_with_the_best_alone_is_a_run_and_stands_for_it(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_teacher(game_settings(**KEEP, steps=900), run)
    alone = tmp_path / "alone" / "teacher-best.pt"
    alone.parent.mkdir()
    shutil.copy(run.path / alone.name, alone)
    (left_out,) = report([alone.parent]).left_out
    assert left_out.why == f"not evaluated: `ptde evaluate {alone}`"
    assert {entry.checkpoint for entry in evaluate([alone.parent], EvaluateSettings(episodes=4))} == {alone.name}


def test_evaluations_stay_with_the_checkpoints_that_stay_when_a_training_goes_on(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_teacher(game_settings(**KEEP, steps=900), run)
    on_the_way = run.checkpoint("teacher", "500")
    evaluate([run.teacher, run.path / "teacher-best.pt", on_the_way], EvaluateSettings(episodes=2))
    train_teacher(game_settings(**KEEP, steps=1000), run, resume=True)
    aside = run.path / "until-0000900"
    found = {folder: report([folder]) for folder in (run.path, aside)}
    assert not any(one.left_out for one in found.values())
    names = [{score.name for score in one.sections[0].scores} for one in found.values()]
    assert names == [{"QMIX_SGI (at 500 steps)"}, {"QMIX_SGI", "QMIX_SGI (best in tests)"}]


def test_entries_that_move_are_moved_once_and_a_file_that_cannot_be_read_as_it_is(tmp_path: Path) -> None:
    path, aside = tmp_path / "evaluation.json", tmp_path / "aside.json"
    add_entries(path, [entry("sampled", 1), entry("mean", 1, checkpoint="checkpoints/teacher-0000500.pt")])
    for _ in range(2):  # the second time it was cut short after the first
        move_entries(path, aside, lambda checkpoint: checkpoint == "teacher.pt")
        places = [[one.checkpoint for one in read_evaluation(file).entries] for file in (path, aside)]
        assert places == [["checkpoints/teacher-0000500.pt"], ["teacher.pt"]]
    path.write_text("broken")
    move_entries(path, aside, lambda _: True)
    assert (path.exists(), aside.read_text()) == (False, "broken")


def test_where_nothing_can_be_won_the_best_is_told_by_its_return(tmp_path: Path) -> None:
    spec = SimpleNamespace(can_be_won=False)
    found = KeptCheckpoints(game_settings(keep="best"), RunFolder(tmp_path), None, spec)  # type: ignore[arg-type]  # a stand-in
    found._contents = lambda which, at: {}  # type: ignore[method-assign]  # nothing to save
    for at, value in enumerate([-3.0, -1.5, -2.0]):
        found.tested(Reached(at, at), {"test_return": value})
    assert found.best()[1] == "of the training's best test, at 1 env steps: return -1.50"


def test_where_no_test_was_won_the_return_that_decides_is_told_too(tmp_path: Path) -> None:
    spec = SimpleNamespace(can_be_won=True)
    found = KeptCheckpoints(game_settings(keep="best"), RunFolder(tmp_path), None, spec)  # type: ignore[arg-type]  # a stand-in
    found._contents = lambda which, at: {}  # type: ignore[method-assign]  # nothing to save
    found.tested(Reached(1, 1), {"test_win_rate": 0.0, "test_return": 2.5})
    assert found.best()[1].endswith("at 1 env steps: won 0%, return 2.50")
    found.tested(Reached(2, 2), {"test_win_rate": 0.5, "test_return": 2.0})
    assert found.best()[1].endswith("at 2 env steps: won 50%")


def copy_of(run: RunFolder, folder: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(run.path, folder / "copy")))


def test_a_student_trained_along_is_kept_with_its_teacher(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_teacher(game_settings(**KEEP, alg="ctds", steps=300), run)
    assert {"student-best.pt", "checkpoints/student-0000250.pt"} < policies(run).keys()
    for place in ("student-best.pt", "checkpoints/student-0000250.pt"):
        found = evaluate([run.path / place], EvaluateSettings(episodes=2))
        assert [entry.checkpoint for entry in found] == [place.replace("student", "teacher"), place]
        assert found[0].teacher_id == found[1].teacher_id


def test_seeds_trained_together_keep_their_own(tmp_path: Path) -> None:
    trainings = [(game_settings(**KEEP, steps=300, seed=k), RunFolder(tmp_path / str(k))) for k in (1, 2)]
    train_teachers(trainings)
    ids = [policies(run) for _, run in trainings]
    assert set(ids[0]) == set(ids[1]) == {"teacher.pt", "teacher-best.pt", "checkpoints/teacher-0000250.pt"}
    assert not set(ids[0].values()) & set(ids[1].values())


def test_names_of_files_and_marks() -> None:
    best, other = Path("run/teacher-best.pt"), Path("run/mine.pt")
    assert [path.name for path in (student_of(best), episodes_of(best), students_of(best))] == [
        *("student-best.pt", "episodes-best.h5", "students-best")
    ]
    assert [path.name for path in (student_of(other), episodes_of(other))] == ["student.pt", "episodes.h5"]
    assert student_of(best, "paper") == student_of(best)
    assert student_of(best, "recurrent") == Path("run/students-best/recurrent.pt")
    on_the_way = Path("run/checkpoints/teacher-0000250.pt")
    assert student_of(on_the_way, "recurrent") == Path("run/students-0000250/recurrent.pt")
    assert RunFolder.of(Path("run/students-best/paper.pt")).path == Path("run")
    assert RunFolder.of(Path("run/checkpoints/teacher-0000250.pt")).path == Path("run")
    assert checkpoint_marks("last") == []
    assert checkpoint_marks("100000") == ["at 100,000 steps"]


TOO_MANY = ("every=1000000000001", f"every={'9' * 400}", f"every={'9' * 5000}")


@pytest.mark.parametrize("text", ["", "worst", "every=0", "every=x", "every=5,every=6", "last best", *TOO_MANY])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write last, best, or every=N"):
        parse_keep(text)


def test_words_have_one_order_and_the_best_needs_tests(tmp_path: Path) -> None:
    assert game_settings(keep="every=20, best").keep == "last,best,every=20"
    assert game_settings().keep == "last"
    with pytest.raises(PtdeError, match="test_episodes = 0"):
        train_teacher(game_settings(keep="best", test_episodes=0), RunFolder(tmp_path / "run"))
    assert not list(tmp_path.iterdir())
