"""Map files of one's own, as typed: an edited one is another map for every command, and two of one name are two."""

from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.unit.test_made_from import HILL

EDITED = HILL.replace("limit = 20", "limit = 30")
OTHER = "with the content"
TINY = (
    *("--steps", "60", "--set", "batch_episodes=2", "--set", "replay_episodes=8"),
    *("--set", "test_episodes=2", "--set", "test_every=20"),
    *("--set", "collect.episodes=2", "--set", "distill.steps=5", "--set", "evaluate.episodes=4", "--recipe", "paper"),
)


def hill(folder: str, text: str = HILL, name: str = "hill.toml") -> str:
    path = Path(folder) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def test_an_edited_map_is_another_map_for_every_command(ptde: Type) -> None:
    words = ("run", "--map", hill("a"), "--out", "mine", *TINY)
    done = ptde(*words)
    assert done.code == 0, done.err
    assert "hill@" in done.out
    first = ptde("report", "--strict", "mine")
    assert (first.code, "hill@" in first.out) == (0, True)
    teacher, student = Path("mine/teacher.pt"), Path("mine/student.pt")
    before = {path: path.read_bytes() for path in (teacher, student, Path("mine/evaluation.json"))}

    hill("a", EDITED)
    for stale in (
        ("train-teacher", "--resume", "--out", "mine"),
        ("train-teacher", "--resume", "--out", "mine", "--steps", "90"),
        ("collect", teacher, "--out", "more.h5"),
        ("distill", teacher, "--out", "more.pt"),
        ("evaluate", student),
        ("inspect", "mine"),
        ("visualize", "mine", "--format", "html"),
    ):
        ended = ptde(*stale)
        assert (ended.code, ended.out) == (2, ""), stale
        assert OTHER in ended.err or "made on the map hill@" in ended.err, ended.err
        assert ended.err.count("\n") == 1, ended.err
    assert {path: path.read_bytes() for path in before} == before
    told = ptde("report", "mine")
    assert (told.code, "Not counted" in told.out, "stale" in told.out) == (0, True, True)
    assert "Win rates" not in told.out
    strict = ptde("report", "--strict", "mine")
    assert (strict.code, strict.out) == (1, told.out)
    assert strict.err.startswith("ptde: 1 stale and not counted")
    assert "made on the map hill@" in ptde("curves", "mine").err

    again = ptde(*words)
    assert again.code == 0, again.err
    assert "and it is made anew" in again.err
    assert teacher.read_bytes() != before[teacher]
    (aside,) = Path("mine").glob("stale-*")
    assert (aside / "teacher.pt").read_bytes() == before[teacher]
    assert ptde("report", "--strict", "mine").code == 0
    hill("a", HILL)
    assert ptde("evaluate", aside / "student.pt", "--episodes", "4").code == 0, "what is put aside fits its map again"


def test_two_maps_of_one_name_are_two_rows_and_none_is_the_papers(ptde: Type) -> None:
    for path in (hill("a", name="3s_vs_5z.toml"), hill("b", EDITED, name="3s_vs_5z.toml")):
        assert ptde("run", "--map", path, "--quiet", *TINY).code == 0
    shown = ptde("report", "--format", "csv").out.splitlines()
    maps = {line.split(",")[2] for line in shown[1:]}
    assert len(maps) == 2
    assert all(name.startswith("3s_vs_5z@") for name in maps)
    assert not any("SMAC" in line for line in shown[1:]), "the paper's figures are of another map"


@pytest.mark.parametrize("words", [("--evaluation-seed", "7"), ("--episodes", "99"), ("--evaluation-seed", "-1")])
def test_what_is_not_there_is_not_counted(words: tuple[str, str], ptde: Type) -> None:
    assert ptde("run", "--map", hill("a"), "--quiet", *TINY).code == 0
    ended = ptde("report", *words)
    if "-1" in words:
        assert ended.code == 2
    else:
        assert "was not evaluated so: `ptde evaluate" in ended.out
