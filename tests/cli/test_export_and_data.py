"""`ptde export`, `ptde data` and `ptde maps show --features` as people type them."""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ptde_cli.commands import data, export
from ptde_core.envs.skirmish.map_files import load_map
from ptde_core.envs.skirmish.skirmish import VERSION
from ptde_core.envs.skirmish.spec import build_spec
from ptde_core.pipeline import export as export_stage
from ptde_core.storage.run_folder import RunFolder
from ptde_core.viewing import episode_data
from tests.cli.conftest import Type
from tests.cli.test_errors import assert_one_sentence
from tests.unit.test_storage import write


def test_export(ptde: Type, trained_run: RunFolder) -> None:
    ended = ptde("export", trained_run.teacher, "--format", "npz", "--out", "policy.npz")
    assert ended.code == 0, ended.err
    assert re.search(r"saved policy\.npz \(\d+ arrays of weights\)", ended.err)
    with np.load("policy.npz") as file:
        assert "trunk.encode.weight" in file.files
    assert ptde("export", trained_run.teacher, "--format", "npz", "--out", "p.npz", "-q").out == "p.npz\n"


def test_data(ptde: Type) -> None:
    write(Path("episodes.h5"))
    shown = ptde("data", "show", "episodes.h5")
    assert (shown.code, shown.err) == (0, "")
    assert re.search(r"rows/terminated +9 +bool +the world ended with this step", shown.out)
    assert "ally_0.health" not in shown.out
    assert re.search(r"ally_0\.health µ +0\n", ptde("data", "show", "episodes.h5", "--features").out)
    assert ptde("data", "export", "episodes.h5").err == "saved episodes.npz (21 arrays)\n"
    assert ptde("data", "export", "episodes.h5", "--out", "other.npz", "-q").out == "other.npz\n"
    assert "show" in ptde("data").out


@pytest.mark.parametrize("name", ["3m", "2c_vs_64zg"])
def test_which_number_is_what(name: str, ptde: Type) -> None:
    spec = build_spec(load_map(name), "skirmish", VERSION)
    ended = ptde("maps", "show", name, "--features")
    assert (ended.code, ended.err) == (0, "")
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    for names in spec.names.values():
        expected = [f"{one} {k}" for k, one in enumerate(names)]
        at = lines.index(expected[0])
        assert lines[at : at + len(expected)] == expected


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("export nowhere.pt", ("no teacher or student at nowhere.pt",) if find_spec("onnx") else ("needs onnx",)),
        ("export nowhere.pt --format npz", ("no teacher or student at nowhere.pt",)),
        ("export episodes.h5 --format npz", ("episodes.h5 is not a readable checkpoint",)),
        ("export nowhere.pt --format tflite", ("no export format named 'tflite'",)),
        ("export nowhere.pt --z man --format npz", ("no kind of z named 'man'", "did you mean 'mean'?")),
        ("data show nowhere.h5", ("no file of episodes at nowhere.h5", "ptde collect TEACHER")),
        ("data show text.h5", ("text.h5 is not a whole HDF5 file of episodes",)),
        ("data export episodes.h5 --to csv", ("no data format named 'csv'",)),
        ("data export episodes.h5 --out there", ("there is not the name of an npz file",)),
        ("data export episodes.h5 --out text.npz", ("text.npz already exists", "--out")),
        ("maps show 3m --features --out map.png", ("--features draws nothing",)),
        ("maps show 3n --features", ("no map named '3n'",)),
    ],
)
def test_mistakes(line: str, parts: tuple[str, ...], ptde: Type) -> None:
    write(Path("episodes.h5"))
    for name in ("text.h5", "text.npz"):
        Path(name).write_text("text")
    assert_one_sentence(ptde(*line.split()), *parts)
    assert sorted(path.name for path in Path().iterdir()) == ["episodes.h5", "text.h5", "text.npz"]


def test_the_command_line_offers_the_formats_that_there_are() -> None:
    assert export.FORMATS == export_stage.FORMATS
    assert data.FORMATS == episode_data.FORMATS
