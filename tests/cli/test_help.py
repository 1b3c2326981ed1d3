import re
import shlex
import subprocess
import sys

import pytest

from ptde_cli.app import COMMANDS
from ptde_cli.commands.report import formats
from ptde_cli.options import bounds
from ptde_core import __version__
from ptde_core.algorithms.training_settings import TrainTeacherSettings
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, EvaluateSettings
from tests.cli.conftest import ROOT, Type

NAMES = [command.name for command in COMMANDS]
MAIN_OPTIONS = [
    ("train-teacher", TrainTeacherSettings, ("alg", "map", "global_info", "env", "steps", "seed")),
    ("run", TrainTeacherSettings, ("alg", "map", "global_info", "env", "steps", "seed")),
    ("collect", CollectSettings, ("episodes", "seed")),
    ("distill", DistillSettings, ("steps", "seed")),
    ("evaluate", EvaluateSettings, ("episodes", "seed")),
]


def words_of(text: str) -> str:
    """The text without the line breaks that help is wrapped with; help breaks words at hyphens too."""
    return re.sub(r"-\s+", "-", " ".join(text.split()))


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_an_example_that_the_command_would_take(ptde: Type, name: str) -> None:
    ended = ptde(name, "--help")
    assert ended.code == 0
    example = re.search(r"^ +Example: (ptde .*)$", ended.out, re.MULTILINE)
    assert example
    words = shlex.split(example[1])
    assert words[:2] == ["ptde", name]
    for option in (word for word in words if word.startswith("-")):
        assert f"  {option} " in ended.out


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_the_root_lists_every_command(ptde: Type, words: tuple[str, ...]) -> None:
    ended = ptde(*words)
    assert ended.code == 0
    assert "Example: ptde run --map 3m" in ended.out
    for command in COMMANDS:
        assert f"{command.name} {command.meaning}" in words_of(ended.out)


@pytest.mark.parametrize("words", [("-V",), ("--version",)])
def test_version(ptde: Type, words: tuple[str, ...]) -> None:
    ended = ptde(*words)
    assert (ended.code, ended.out, ended.err) == (0, f"ptde {__version__}\n", "")


@pytest.mark.parametrize(("name", "model", "keys"), MAIN_OPTIONS, ids=[row[0] for row in MAIN_OPTIONS])
def test_help_tells_meaning_and_bounds_from_the_settings(ptde: Type, name: str, model: type, keys: tuple[str]) -> None:
    shown = words_of(ptde(name, "--help").out)
    for key in keys:
        assert f"--{key.replace('_', '-')} " in shown
        assert words_of(model.model_fields[key].description) in shown
        assert words_of(bounds(model, key)) in shown


def test_help_of_report_names_every_format(ptde: Type) -> None:
    shown = words_of(ptde("report", "--help").out)
    line = shown[shown.index("--format FORMAT") :].partition("[default")[0]
    named = [word.strip(",") for word in line.split()]
    assert [word for word in named if word in formats()] == formats()


@pytest.mark.parametrize("words", ["--help", "--version", *(f"{name} --help" for name in NAMES)])
def test_help_loads_nothing_heavy(words: str) -> None:
    watch = (
        "import sys\n"
        "from ptde_cli.app import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'numba', 'scipy', 'h5py', 'matplotlib', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", watch, *words.split()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_python_dash_m(ptde: Type) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ptde_cli", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ptde("--help").out
