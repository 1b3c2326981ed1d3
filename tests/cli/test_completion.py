from pathlib import Path

import pytest

from tests.cli.conftest import spawn


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("ptde tr", ["train-teacher"]),
        ("ptde train-teacher --global-info ag", ["agent-specific"]),
        ("ptde train-teacher --map 3s_vs_", ["3s_vs_3z", "3s_vs_4z", "3s_vs_5z", "3s_vs_8z"]),
        ("ptde report --format ma", ["markdown", "marl-eval"]),
        ("ptde settings di", ["distill"]),
    ],
)
def test_bash_completes(tmp_path: Path, typed: str, completed: list[str]) -> None:
    position = str(len(typed.split()) - 1)
    ended = spawn(cwd=tmp_path, _PTDE_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=position)
    assert ended.code == 0
    assert ended.out.split() == completed


def test_a_shell_can_ask_for_its_script(tmp_path: Path) -> None:
    ended = spawn("--show-completion", "bash", cwd=tmp_path, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert ended.code == 0
    assert "_PTDE_COMPLETE=complete_bash" in ended.out
