"""Train, distill, report, typed one after another in whatever folder: a table with numbers, and never a run twice."""

import re
import shutil
from pathlib import Path

import pytest

from ptde_core.envs.backends import ENVIRONMENTS
from tests.cli.conftest import TINY_FOLDER, Pipeline, Type

FEW = ("--steps", "300", "--set", "batch_episodes=4", "--set", "test_episodes=0", "--set", "average_weights=0")
TRAIN = ("train-teacher", "--map", "3m", *FEW)
QUICK = ("--steps", "20", "--episodes", "8")
ROW = r"\| \S* *\| QMIX_ASGKD *\| student *\|.* \d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]"


@pytest.mark.parametrize("out", [(), ("--out", "."), ("--out", "mine")], ids=["runs", "here", "a folder here"])
def test_the_three_commands_end_in_a_table(ptde: Type, out: tuple[str, ...]) -> None:
    told = ptde(*TRAIN, *out, "--set", "n_envs=2")
    assert told.out.startswith("distill it with: ptde distill "), told.err
    teacher = told.out.split()[-1]
    assert teacher == {".": "teacher.pt", "mine": "mine/teacher.pt"}.get("".join(out[1:]), f"{TINY_FOLDER}/teacher.pt")
    ended = ptde("distill", teacher, *QUICK)
    assert re.search(r"QMIX_ASGKD +student +\d/8", ended.out), ended.err
    table = ptde("report", "--format", "markdown")
    assert (table.code, table.err) == (0, "")
    assert re.search(ROW, table.out), table.out
    assert "Not counted" not in table.out


def test_the_report_is_there_in_the_runs_own_folder_too(
    ptde: Type, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pipeline.run)
    shown = ptde("report", "--format", "markdown").out
    monkeypatch.chdir(pipeline.cwd)
    assert re.search(ROW, shown)
    assert ptde("report", "--format", "markdown").out == shown


def test_checkpoints_alone_are_reported_once_they_are_evaluated(ptde: Type, pipeline: Pipeline) -> None:
    for name in ("teacher.pt", "student.pt"):
        shutil.copy(pipeline.run / name, name)
    shown = ptde("report", "--format", "markdown").out
    assert re.search(r"\| \. +\| checkpoints alone +\| not evaluated: `ptde evaluate student.pt` ", shown)
    assert ptde("evaluate", "student.pt", "--episodes", "8", "--quiet").code == 0
    shown = ptde("report", "--format", "markdown").out
    assert re.search(ROW, shown)
    shutil.copytree(pipeline.cwd / "runs", "runs")
    shown = ptde("report", "--format", "csv").out
    assert len(re.findall(r"QMIX_ASGKD,,", shown)) == 1, "a copy is no further seed"
    assert "holds what runs/skirmish/3m/QMIX_SGI/seed1 holds" in ptde("report").out


def test_a_student_that_lies_elsewhere_is_paired_with_its_teacher(ptde: Type, pipeline: Pipeline) -> None:
    shutil.copytree(pipeline.cwd / "runs", "runs")
    words = ("distill", TINY_FOLDER / "teacher.pt", "--out", "other/short.pt", "--steps", "20", "--episodes", "8")
    ended = ptde(*words, "--quiet")
    assert re.search(r"QMIX_SGI +sampled +\d/8", ended.out), ended.err
    assert Path("other/evaluation.json").exists()
    shown = ptde("report", "--format", "markdown").out
    assert "Not counted" not in shown
    assert "was not evaluated" not in shown
    assert len(re.findall(r"\| QMIX_ASGKD \([^|]*short\.pt[^|]*\) ", shown)) >= 2


def test_where_evaluating_takes_long_it_is_said_beforehand(
    ptde: Type, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pipeline.cwd / "runs", "runs")
    teacher, says = TINY_FOLDER / "teacher.pt", "afterwards teacher and students play 8 episodes each on skirmish"
    assert says not in ptde("distill", teacher, "--out", "a.pt", *QUICK).err
    engine = ENVIRONMENTS["skirmish"].__class__(**{**vars(ENVIRONMENTS["skirmish"]), "engines": True})
    monkeypatch.setitem(ENVIRONMENTS, "skirmish", engine)  # type: ignore[arg-type]  # a dict behind the mapping
    told = ptde("distill", teacher, "--out", "b.pt", *QUICK).err
    assert told.index(says) < told.index("gradient steps")
    assert "--no-evaluate leaves that out" in told


def test_a_run_folder_stands_for_its_teacher(ptde: Type, pipeline: Pipeline) -> None:
    shutil.copytree(pipeline.cwd / "runs", "runs")
    for path in (TINY_FOLDER / "student.pt", TINY_FOLDER / "evaluation.json"):
        path.unlink()
    ended = ptde("distill", TINY_FOLDER, *QUICK)
    assert ended.code == 0, ended.err
    assert re.search(r"QMIX_SGI +sampled +\d/8", ended.out)
    assert re.search(r"QMIX_ASGKD +student +\d/8", ended.out)
    assert "recurrent" not in ended.out, "just the student that was asked for"
    nothing = ptde("distill", "runs", *QUICK)
    assert (nothing.code, nothing.out) == (2, "")
    assert "no teacher at runs/teacher.pt" in nothing.err


@pytest.mark.parametrize("name", ["teacher-best.pt", "mine.pt"])
def test_students_of_a_teacher_that_lies_alone_bring_it_along(name: str, ptde: Type, pipeline: Pipeline) -> None:
    shutil.copy(pipeline.run / "teacher.pt", name)
    told = ptde("distill", name, "--recipe", "recurrent-own-episodes", "--steps", "20", "--no-evaluate")
    shown = ptde(*told.out.split()[3:], "--episodes", "8", "--quiet").out
    assert re.search(r"QMIX_SGI +sampled +\d/8", shown), told.err
    assert "was not evaluated" not in shown
    assert Path("evaluation.json").exists()
    assert "was not evaluated" not in ptde("report").out
