"""CTDS as a user types it: both policies come out of one training, and every table says how far each sees."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Type

QUICK = (
    *("--alg", "ctds", "--env", "game", "--map", "two-step", "--steps", "400"),
    *("--set", "batch_episodes=16", "--set", "test_every=200", "--set", "test_episodes=8"),
)
FOLDER = Path("runs/game/two-step/CTDS_teacher/seed1")


def test_trained_evaluated_reported(ptde: Type) -> None:
    told = ptde("train-teacher", *QUICK)
    assert (told.code, told.out) == (0, f"evaluate both with: ptde evaluate {FOLDER}/student.pt\n")
    assert f"saved {FOLDER}/student.pt (the student trained with it)" in told.err
    last = json.loads((FOLDER / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"test_win_rate", "student_test_win_rate", "student_value_loss"} <= set(last)
    shown = ptde(*told.out.split()[4:], "--episodes", "8")
    assert shown.code == 0
    assert re.search(r"CTDS_teacher, sight all +— +\d/8", shown.out)
    assert re.search(r"CTDS, sight own +— +\d/8", shown.out)
    table = ptde("report", "--format", "markdown").out
    assert re.search(r"centralized +\| CTDS_teacher, sight all", table)
    assert re.search(r"decentralized +\| CTDS, sight own", table)
    assert re.search(r"PRR +\| CTDS, sight own / CTDS_teacher, sight all +\| — ", table)
    assert "z, where" not in table
    parameters = table[table.index("## Parameters of the networks") :]
    assert "CTDS_teacher, sight all" in parameters
    assert "CTDS, sight own" in parameters
    lines = [line.split(",") for line in ptde("report", "--format", "csv").out.splitlines()]
    assert [line[lines[0].index("sight")] for line in lines[1:]] == ["all", "own"]
    for command in ("collect", "distill"):
        refused = ptde(command, FOLDER / "teacher.pt")
        assert (refused.code, refused.out) == (2, "")
        assert "has no z to distill: CTDS trains its student together with the teacher" in refused.err
        assert f"`ptde evaluate {FOLDER}/student.pt`" in refused.err


def test_run_skips_collecting_and_distilling(ptde: Type) -> None:
    ended = ptde("run", *QUICK, "--set", "evaluate.episodes=8")
    assert ended.code == 0, ended.err
    stages = [line.partition(":")[0] for line in ended.err.splitlines() if ": done in" in line]
    assert stages == ["train-teacher", "evaluate"]
    assert "CTDS, sight own" in ended.out
    assert {path.name for path in FOLDER.iterdir() if path.name[0] != "."} == {
        *("config.json", "provenance.json", "status.json", "metrics.jsonl", "tensorboard"),
        *("teacher.pt", "student.pt", "evaluation.json", "resume"),
    }
    again = ptde("run", *QUICK, "--set", "evaluate.episodes=8", "--quiet")
    assert (again.code, again.out) == (0, ended.out)


def test_run_on_skirmish_with_a_short_sight(ptde: Type) -> None:
    tests = ("--set", "test_every=300", "--set", "test_episodes=4")
    sizes = ("--set", "batch_episodes=8", "--set", "average_weights=0", *tests)
    sight = ("--set", "student_sight=2", "--set", "evaluate.episodes=4")
    ended = ptde("run", "--alg", "ctds", "--map", "3m", "--steps", "600", *sizes, *sight)
    assert ended.code == 0, ended.err
    assert re.search(r"CTDS_teacher, sight all +— +\d/4", ended.out)
    assert re.search(r"CTDS, sight 2 +— +\d/4", ended.out)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--map two-step --env game --set teacher_sight=4", "game two-step has no distances, so no sight of 4"),
        ("--map 3m --set teacher_sight=0", "teacher_sight = 0 (how far the teacher sees, in cells, or all)"),
        ("--map 3m --set student_sight=far", "student_sight = 'far' (how far the student sees"),
        ("--map 3m --global-info unified", "global_info = 'unified' (CTDS has no z"),
    ],
)
def test_what_ctds_cannot_do_is_refused_in_one_sentence(ptde: Type, words: str, says: str) -> None:
    ended = ptde("train-teacher", "--alg", "ctds", *words.split())
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert says in ended.err
    assert not list(Path.cwd().iterdir()), "a refused command leaves nothing behind"
