import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, spawn


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("ptde tr", ["train-teacher"]),
        ("ptde train-teacher --global-info ag", ["agent-specific"]),
        ("ptde train-teacher --map 3s_vs_", ["3s_vs_3z", "3s_vs_4z", "3s_vs_5z", "3s_vs_8z"]),
        ("ptde report --format ma", ["markdown", "marl-eval"]),
        ("ptde settings di", ["distill"]),
        ("ptde visualize --format g", ["gif", "game"]),
        ("ptde distill --recipe p", ["paper"]),
    ],
)
def test_bash_completes(tmp_path: Path, typed: str, completed: list[str]) -> None:
    position = str(len(typed.split()) - 1)
    ended = spawn(cwd=tmp_path, _PTDE_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=position)
    assert ended.code == 0
    assert ended.out.split() == completed


@pytest.mark.parametrize("typed", ["ptde tr", "ptde visualize --format g", "ptde distill --recipe p"])
def test_completing_loads_nothing_heavy(tmp_path: Path, typed: str) -> None:
    watch = (
        "import sys\n"
        "from ptde_cli.app import main\n"
        "try: main([])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'numba', 'scipy', 'h5py', 'matplotlib', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    asked = {"_PTDE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **asked}
    done = subprocess.run(
        [sys.executable, "-c", watch], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_shell_can_ask_for_its_script(tmp_path: Path) -> None:
    ended = spawn("--show-completion", "bash", cwd=tmp_path, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert ended.code == 0
    assert "_PTDE_COMPLETE=complete_bash" in ended.out
