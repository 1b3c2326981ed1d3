"""Commands over more than one run, as typed: `ptde compare` and `ptde curves`."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from ptde_core.storage.checkpoint import load_checkpoint, save_checkpoint
from ptde_core.storage.config_file import read_config, write_config
from ptde_core.storage.evaluation_file import read_evaluation
from ptde_core.storage.run_folder import write_json
from tests.cli.conftest import Pipeline, Type, spawn
from tests.cli.test_errors import assert_one_sentence


@pytest.fixture
def two(ptde: Type, pipeline: Pipeline) -> tuple[Path, Path]:
    """The run, and a copy of it that says it had another seed and learning rate; in the folder `ptde` is typed in."""
    one, other = Path("runs/one"), Path("runs/other")
    for path in (one, other):
        shutil.copytree(pipeline.run, path)
    changed = {"seed": 2, "learning_rate": 0.1}
    config = read_config(other / "config.json")
    made = config.made_from.model_copy(update={"settings": config.made_from.settings | changed})
    write_config(other / "config.json", {**config.settings, **changed}, made)
    for path in (other / "teacher.pt", other / "student.pt", *other.glob("students/*.pt")):
        kind = "teacher" if path.name == "teacher.pt" else "student"
        content = load_checkpoint(path, kind)
        of_teacher = {"made_from": made.plain()} if kind == "teacher" else {}
        save_checkpoint(path, kind, content | {"settings": content["settings"] | changed} | of_teacher)
    for name in ("status.json", "provenance.json"):
        told = json.loads((other / name).read_text())
        write_json(other / name, told | {"training": made.digest})
    held = read_evaluation(other / "evaluation.json")
    entries = [entry.model_copy(update={"train_seed": 2}) for entry in held.entries]
    write_json(other / "evaluation.json", held.model_copy(update={"entries": entries}).model_dump())
    return one, other


def test_compare_shows_what_differs_and_the_same_battles(ptde: Type, two: tuple[Path, Path]) -> None:
    ended = ptde("compare", *two)
    assert ended.code == 0
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["learning_rate", "0.001", "0.1"] in lines
    assert ["seed", "1", "2"] in lines
    assert ["nothing", "—", "—"] in lines, "code, packages and machine are the same"
    teacher = next(line for line in lines if line[:2] == ["teacher", "QMIX_SGI"])
    assert teacher[-2:] == ["the", "same"]


def test_compare_as_json_and_into_a_file(ptde: Type, two: tuple[Path, Path]) -> None:
    assert ptde("compare", *two, "--format", "json", "--out", "found.json").out == ""
    found = json.loads(Path("found.json").read_text())
    assert [one["what"] for one in found["settings"]] == ["learning_rate", "seed"]
    kinds = {one["kind"] for one in found["outcomes"]}
    assert kinds == {"teacher", "teacher, z mean", "student", "students/recurrent.pt"}
    assert all(one["difference"] == 0 for one in found["outcomes"])


def test_compare_refuses_what_is_no_run(ptde: Type, two: tuple[Path, Path]) -> None:
    wrong = ptde("compare", two[0], "runs")
    assert (wrong.code, wrong.out) == (2, "")
    assert "runs is not a run folder: it has no config.json; give a folder that `ptde run` made" in wrong.err


def test_curves_draws_what_is_below_and_says_what_it_leaves_out(ptde: Type, two: tuple[Path, Path]) -> None:
    status = json.loads((two[1] / "status.json").read_text())
    (two[1] / "status.json").write_text(json.dumps({**status, "state": "failed", "reason": "OSError: disk full"}))
    ended = ptde("curves", "--out", "a.png", "--out", "a.pdf")
    assert ended.code == 0
    with Image.open("a.png") as picture:
        assert picture.width > 600
    assert Path("a.pdf").read_bytes().startswith(b"%PDF")
    assert "Not drawn" in ended.out
    assert ["runs/other", "failed", "OSError:", "disk", "full"] in [line.split() for line in ended.out.splitlines()]
    assert ptde("curves", "--unfinished", "--quiet").out == "win_rates.png\n"


def test_curves_refuses_other_pictures_before_reading_anything(ptde: Type) -> None:
    wrong = ptde("curves", "nowhere", "--out", "a.jpg")
    assert wrong.code == 2
    assert "a.jpg names no kind of picture; let it end in .png, .svg, .pdf" in wrong.err
    assert "no run here or below runs/ has a curve to draw" in ptde("curves").err


@pytest.mark.slow
def test_a_wrong_variable_of_the_libraries_is_one_sentence(two: tuple[Path, Path]) -> None:
    here, runs = Path.cwd(), str(two[0].parent)
    refused = spawn("curves", runs, "--quiet", cwd=here, MPLBACKEND="nonsense")
    assert_one_sentence(refused, "'nonsense' is not a valid value for backend", "unset MPLBACKEND")
    for date in ("x", "-1", "1.5", ""):
        refused = spawn("curves", runs, "--quiet", cwd=here, SOURCE_DATE_EPOCH=date)
        assert_one_sentence(refused, f"SOURCE_DATE_EPOCH = {date!r} is no whole number of seconds")
    pictures = (here / "a.pdf", here / "a.svg")
    drawn = []
    for date in ("0", "1000000000"):
        words = [word for one in pictures for word in ("--out", str(one))]
        ended = spawn("curves", runs, "--unfinished", "--quiet", *words, cwd=here, SOURCE_DATE_EPOCH=date)
        assert ended.code == 0, ended.err
        drawn.append([one.read_bytes() for one in pictures])
    assert drawn[0] == drawn[1]
