"""An algorithm outside the package: the example of docs/how-to/add-an-algorithm.md, and who may name such code."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fuzz import teacher_content
from ptde_core.algorithms.catalogue import algorithm_named
from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import KEY, MadeFrom, World
from ptde_core.base.trusted_code import trust_files
from ptde_core.storage.checkpoint import load_checkpoint, save_checkpoint
from ptde_core.storage.config_file import write_config
from ptde_core.storage.evaluation_file import read_evaluation
from ptde_core.storage.run_folder import RunFolder
from tests.cli.conftest import ROOT, Type, spawn
from tests.cli.test_errors import assert_one_sentence

PAGE = ROOT / "docs/how-to/add-an-algorithm.md"
NAME = "linear_mixing:LINEAR"
SMALL = {"env": "game", "steps": 300, "batch_episodes": 8, "test_every": 300, "epsilon_steps": 200}
TYPED = [*("--env", "game", "--map", "personal-signal"), *("--steps", "300", "--set", "batch_episodes=8")]
TRACE = "open('ran', 'w').close()\n"


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's example in it, as a user has it."""
    folder = tmp_path_factory.mktemp("user")
    (code,) = re.findall(r'```python title="linear_mixing.py"\n(.*?)```', PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "linear_mixing.py").write_text(code, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def typed(beside: Path) -> RunFolder:
    """The whole pipeline with it, typed in that folder."""
    stages = ["--set", "collect.episodes=8", "--set", "distill.steps=50", "--set", "evaluate.episodes=8"]
    ended = spawn("run", "--alg", NAME, *TYPED, *stages, "--recipe", "paper", cwd=beside)
    assert ended.code == 0, ended.err
    assert "LINEAR_SGI" in ended.out
    assert "LINEAR_ASGKD" in ended.out
    return RunFolder(beside / "runs/game/personal-signal/LINEAR_SGI/seed1")


def test_the_whole_pipeline_runs_with_it(typed: RunFolder, ptde: Type) -> None:
    assert load_checkpoint(typed.teacher, "teacher")["settings"]["weight_floor"] == 0.1
    names = {entry.name for entry in read_evaluation(typed.evaluation).entries}
    assert names == {"LINEAR_SGI", "LINEAR_ASGKD"}
    assert "LINEAR_SGI" in ptde("report", typed.path, "--format", "csv").out  # tables need neither code nor trust


@pytest.mark.parametrize(
    "command", ["evaluate", *(pytest.param(one, marks=pytest.mark.slow) for one in ("collect", "distill", "export"))]
)
def test_its_checkpoint_is_read_by_who_trusts_it(
    command: str, typed: RunFolder, beside: Path, ptde: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"evaluate": ["--episodes", "2"], "export": ["--format", "npz", "--out", "elsewhere.npz"]}
    out = {"collect": "elsewhere.h5"}.get(command, "elsewhere")
    words = [command, str(typed.teacher), "--quiet", *few.get(command, ["--out", out])]
    monkeypatch.chdir(beside)
    assert_one_sentence(ptde(*words), f"a file names Python code to be run, --alg {NAME}", "--trust")
    if command in few:
        assert spawn(*words, "--trust", cwd=beside).code == 0


@pytest.mark.slow
def test_it_is_resumed_by_its_name(typed: RunFolder, beside: Path) -> None:
    words = ["train-teacher", *TYPED, "--out", str(typed.path), "--resume", "--quiet"]
    assert spawn(*words, "--alg", NAME, cwd=beside).code == 0


def test_its_settings_are_listed(beside: Path) -> None:
    ended = spawn("settings", "train-teacher", "--alg", NAME, cwd=beside)
    assert "weight_floor" in ended.out, ended.err


PROGRAM = """
import sys
import ptde_core as ptde
run = ptde.train_teacher("personal-signal", "linear_mixing:LINEAR", out="api", weight_floor=0.2, **{small})
ptde.distill(run, data=ptde.collect(run, episodes=4), steps=5)
print([entry.name for entry in ptde.evaluate(run, episodes=2)])
"""
LATER = """
import ptde_core as ptde
{first}
try:
    print(type(ptde.load_policy("api/student.pt")).__name__)
except ptde.PtdeError as error:
    print(error)
"""


def run_python(program: str, cwd: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_from_python_a_name_that_is_given_or_a_module_that_is_imported_is_trusted(beside: Path) -> None:
    assert "LINEAR_ASGKD" in run_python(PROGRAM.format(small=SMALL), beside)
    assert "a file names Python code" in run_python(LATER.format(first=""), beside)
    assert "LoadedPolicy" in run_python(LATER.format(first="import linear_mixing"), beside)


def made_from(settings: Mapping[str, Any]) -> MadeFrom:
    return MadeFrom(
        stage="train-teacher",
        world=World(environment=settings["env"], version="1", map=settings["map"]),
        settings=dict(settings),
    )


@pytest.mark.parametrize("place", ["settings", "config", "checkpoint", "sweep"])
def test_a_file_chooses_no_algorithm_of_code(place: str, ptde: Type, tmp_path: Path) -> None:
    (tmp_path / "evil_record.py").write_text(TRACE)
    evil = "evil_record:EVIL"
    content = teacher_content()
    content["settings"] = content["settings"] | {"alg": evil}
    content[KEY] = made_from(content["settings"]).plain()
    words = {
        "settings": ("train-teacher", "--quiet", "--config", "s.toml"),
        "config": ("train-teacher", "--quiet", "--resume", "--out", "out"),
        "checkpoint": ("evaluate", "--quiet", "teacher.pt"),
        "sweep": ("sweep", "w.toml", "--dry-run"),
    }[place]
    (tmp_path / "s.toml").write_text(f"alg = '{evil}'")
    (tmp_path / "w.toml").write_text(f"[grid]\nalg = ['{evil}']")
    (tmp_path / "out").mkdir()
    write_config(tmp_path / "out/config.json", content["settings"], made_from(content["settings"]))
    save_checkpoint(tmp_path / "teacher.pt", "teacher", content)
    assert_one_sentence(ptde(*words), f"--alg {evil}", "--trust")
    assert not (tmp_path / "ran").exists()
    assert_one_sentence(ptde(*words, "--trust"), f"'{evil}' is not there")
    assert (tmp_path / "ran").exists()
    sys.modules.pop("evil_record")


@pytest.mark.parametrize(
    ("code", "name", "says"),
    [
        ("", "not_there_at_all:X", "cannot be imported (ModuleNotFoundError: No module named 'not_there_at_all')"),
        ("1 / 0", "own_broken:X", "cannot be imported (ZeroDivisionError: division by zero)"),
        ("X = 3", "own_number:X", "'own_number:X' is no Algorithm, but of type int"),
        ("", "own_empty:", "'own_empty:' is not there"),
        (
            "from ptde_core.algorithms.records.vdn import VDN as MINE",
            "own_other:MIEN",
            "'own_other:MIEN' is not there; did you mean 'MINE'?",
        ),
        ("", ":X", "cannot be imported"),
        ("", "qmixx", "no algorithm named 'qmixx'; did you mean 'qmix'?"),
        ("", "iql", "choose from qmix, vdn, qplex, mappo, csrl, copa, ctds; one of your own is named module:NAME"),
    ],
)
def test_a_wrong_name_is_one_sentence(code: str, name: str, says: str, ptde: Type, tmp_path: Path) -> None:
    if module := name.partition(":")[0]:
        (tmp_path / f"{module}.py").write_text(code) if "not_there" not in name else None
    assert_one_sentence(ptde("train-teacher", "--alg", name), says)


def test_a_record_of_a_module_that_is_loaded_needs_no_trust(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust_files(False)
    with pytest.raises(PtdeError, match="--trust"):
        algorithm_named("tests.cli.test_own_algorithm:NAME")  # a text is no record
    monkeypatch.syspath_prepend(str(beside))
    import linear_mixing

    assert algorithm_named(NAME) is linear_mixing.LINEAR


BUILDS = """
from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.training_settings import TrainingSettings, TrainTeacherSettings
from ptde_core.algorithms.training_settings import TrainValueDecompositionSettings
from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner
from ptde_core.nets.mixers import SumMixer
from ptde_core.policies.teachers import ptde_teacher

def learner(spec, settings, seed):
    return ValueDecompositionLearner(Team(ptde_teacher(spec, settings), SumMixer()), settings, seed)

def broken(spec, settings, seed):
    return settings.not_there

MINE = Algorithm(table_name="MINE", settings={settings}, teacher=ptde_teacher, learner={learner})
"""


@pytest.mark.parametrize(
    ("settings", "learner", "says"),
    [
        (
            "TrainTeacherSettings",
            "learner",
            "ValueDecompositionLearner cannot read settings of the class TrainTeacherSettings;"
            " let it inherit from TrainValueDecompositionSettings",
        ),
        ("TrainingSettings", "learner", "ptde_teacher cannot read settings of the class TrainingSettings;"),
        (
            "dict",
            "learner",
            "the settings of MINE are <class 'dict'>; give a class that inherits from TrainingSettings",
        ),
        ("TrainTeacherSettings()", "learner", "give a class that inherits from TrainingSettings"),
        ("TrainValueDecompositionSettings", "broken", "cannot be built: AttributeError:"),
    ],
)
def test_an_algorithm_that_cannot_be_built_begins_no_run(
    settings: str, learner: str, says: str, ptde: Type, tmp_path: Path
) -> None:
    (tmp_path / "misfit.py").write_text(BUILDS.format(settings=settings, learner=learner))
    words = ["train-teacher", "--alg", "misfit:MINE", *("--env", "game"), *("--map", "personal-signal"), "--quiet"]
    assert_one_sentence(ptde(*words, "--out", "run"), says)
    sys.modules.pop("misfit", None)  # where it was imported
    assert not (tmp_path / "run/config.json").exists()
