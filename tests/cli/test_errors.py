import errno
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Ended, Pipeline, Type


def assert_one_sentence(ended: Ended, *parts: str) -> None:
    """Exit code 2, nothing on standard output, one line on standard error with these parts, no traceback."""
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("ptde: ")
    assert ended.err.count("\n") == 1, ended.err
    for part in parts:
        assert part in ended.err


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("distil teacher.pt", ("no such command 'distil'", "'distill'", "`ptde --help`")),
        ("distill", ("missing argument 'TEACHER'", "`ptde distill --help`")),
        ("train-teacher --stesp 5", ("--stesp", "--steps", "`ptde train-teacher --help`")),
        ("train-teacher --steps many", ("--steps", "integer", "`ptde train-teacher --help`")),
        ("train-teacher --steps 0", ("steps = 0", "greater than or equal to 1")),
        ("train-teacher --alg qmx", ("no algorithm named 'qmx'", "did you mean 'qmix'")),
        ("train-teacher --global-info some", ("global_info = 'some'", "'agent-specific'")),
        ("train-teacher --alg csrl --global-info unified", ("global_info = 'unified'", "should be 'commander'")),
        ("train-teacher --alg qmix --global-info coach", ("global_info = 'coach'", "'agent-specific'")),
        ("train-teacher --map 3s_vs_6z", ("no map named '3s_vs_6z'", "3s_vs_")),
        ("train-teacher --map nowhere.toml", ("no map file at nowhere.toml",)),
        ("train-teacher --env smca", ("no environment named 'smca'", "did you mean 'smac'?")),
        ("train-teacher --set td_lamda=0.5", ("no setting named 'td_lamda'", "did you mean 'td_lambda'?")),
        ("train-teacher --set td_lambda", ("'td_lambda' is not of the form key=value",)),
        ("train-teacher --set td_lambda=2", ("td_lambda = 2", "less than or equal to 1")),
        ("train-teacher --config nowhere.toml", ("no settings file at nowhere.toml",)),
        ("run --set distill.stesp=5", ("no setting named 'stesp'", "did you mean 'steps'?")),
        ("run --set distill=5", ("distill = 5 names a stage", "distill.seed=1")),
        ("collect nowhere.pt", ("no teacher at nowhere.pt",)),
        ("collect nowhere.pt --episodes 1", ("episodes = 1", "greater than or equal to 2")),
        ("distill nowhere.pt", ("no teacher at nowhere.pt",)),
        ("distill nowhere.pt --set stesp=5", ("no setting named 'stesp'",)),
        ("distill nowhere.pt --compare", ("no teacher at nowhere.pt",)),
        ("distill nowhere.pt --compare --out s.pt", ("--out names one student", "leave out --out")),
        ("distill nowhere.pt --episodes 5 --no-evaluate", ("--episodes 5 is about the evaluation", "leave out one")),
        ("distill nowhere.pt --recipe papers", ("no recipe named 'papers'; did you mean 'paper'",)),
        (
            "train-teacher --global-info none --set info_rank=4",
            ("info_rank = 4", "not 'none'"),
        ),
        ("evaluate nowhere.pt", ("no teacher or student at nowhere.pt",)),
        ("report", ("no runs in ", "or below runs/", "give their folder")),
        ("report nowhere", ("no folder at nowhere",)),
        ("report --format markdwon", ("no report format named 'markdwon'", "did you mean 'markdown'?")),
        ("visualize nowhere", ("nowhere",)),
        ("settings distil", ("no stage named 'distil'", "did you mean 'distill'?")),
        ("settings --map 3s_vs_6z", ("no map named '3s_vs_6z'",)),
    ],
)
def test_a_mistake_is_told_in_one_sentence(ptde: Type, line: str, parts: tuple[str, ...]) -> None:
    assert_one_sentence(ptde(*line.split()), *parts)
    assert not list(Path.cwd().iterdir()), "a refused command leaves nothing behind"


def test_a_file_that_is_no_checkpoint(ptde: Type) -> None:
    Path("teacher.pt").write_text("not a checkpoint")
    for command in ("collect", "distill", "evaluate"):
        assert_one_sentence(ptde(command, "teacher.pt"), "teacher.pt is not a readable checkpoint")


def test_a_pickle_that_is_no_checkpoint_of_ours(ptde: Type, pipeline: Pipeline) -> None:
    whole = (pipeline.run / "teacher.pt").read_bytes()
    Path("half.pt").write_bytes(whole[: len(whole) // 2])
    assert_one_sentence(ptde("evaluate", "half.pt"), "half.pt is not a readable checkpoint")


def test_a_student_in_the_teachers_place(ptde: Type, pipeline: Pipeline) -> None:
    ended = ptde("distill", pipeline.run / "student.pt")
    assert_one_sentence(ended, "student.pt holds a student, not a teacher")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_a_truncated_episode_file(ptde: Type, pipeline: Pipeline, share: float) -> None:
    whole = (pipeline.run / "episodes.h5").read_bytes()
    Path("cut.h5").write_bytes(whole[: int(share * len(whole))])
    ended = ptde("distill", pipeline.run / "teacher.pt", "--data", "cut.h5", "--out", "student.pt")
    assert_one_sentence(ended, "cut.h5 is not a whole HDF5 file of episodes", "ptde collect")


def test_what_is_there_is_not_overwritten(ptde: Type, pipeline: Pipeline) -> None:
    teacher = pipeline.run / "teacher.pt"
    assert_one_sentence(ptde("train-teacher", "--out", pipeline.run), "already holds a run", "--resume", "--out")
    assert_one_sentence(ptde("collect", teacher), "episodes.h5 already exists", "--out")
    assert_one_sentence(ptde("distill", teacher), "student.pt already exists", "--out")
    for out in (Path(), pipeline.run / "students", pipeline.run / "teacher-best.pt"):
        assert_one_sentence(ptde("collect", teacher, "--out", out), "is no name of an HDF5 file", ".h5")


def test_nothing_is_begun_where_a_training_is_to_be_resumed_that_is_not_there(ptde: Type) -> None:
    for words in (("--resume", "--out", "nowhere"), ("--resume", "--steps", "500", "--out", "nowhere", "--map", "3m")):
        assert_one_sentence(ptde("train-teacher", *words), "no training in nowhere to go on with", "leave out --resume")
    assert not Path("nowhere").exists()


def test_a_run_is_not_resumed_with_other_settings(ptde: Type, pipeline: Pipeline) -> None:
    ended = ptde("train-teacher", "--out", pipeline.run, "--resume", "--seed", "5")
    assert_one_sentence(ended, "seed = 1, not 5")


def test_a_folder_where_a_file_is_in_the_way(ptde: Type) -> None:
    Path("taken").write_text("")
    ended = ptde("train-teacher", "--env", "game", "--map", "two-step", "--out", "taken/run")
    assert_one_sentence(ended, "cannot use taken", "give another path")


def test_a_broken_settings_file(ptde: Type) -> None:
    Path("settings.toml").write_text("steps = \n")
    assert_one_sentence(ptde("train-teacher", "--config", "settings.toml"), "settings.toml is not a TOML file")


def test_a_broken_evaluation_is_left_out_of_the_report_and_named(ptde: Type, pipeline: Pipeline) -> None:
    shutil.copytree(pipeline.cwd / "runs", "runs")
    broken = next(Path("runs").rglob("evaluation.json"))
    broken.write_text(broken.read_text()[:200])
    ended = ptde("report", "--format", "json")
    assert ended.code == 0
    [left_out] = json.loads(ended.out)["left_out"]
    assert "evaluation.json" in left_out["why"]


def test_our_own_mistakes_keep_their_traceback(ptde: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ptde_cli.commands.report.one_of", fail)
    with pytest.raises(ZeroDivisionError):
        ptde("report")


def test_errors_of_the_system_that_no_user_mends_keep_their_traceback(
    ptde: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ConnectionResetError(errno.ECONNRESET, "the other side has gone")

    monkeypatch.setattr("ptde_cli.commands.report.one_of", fail)
    with pytest.raises(ConnectionResetError):
        ptde("report")
