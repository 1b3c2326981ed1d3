"""The snippets of docs/how-to/other-code.md run as they stand."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "other-code.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("code", SNIPPETS, ids=["pettingzoo", "smac"])
def test_the_snippet_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "pettingzoo" in code:
        pytest.importorskip("pettingzoo", reason="the extra pettingzoo is not installed")
    exec(compile(code, "docs/how-to/other-code.md", "exec"), {})
    assert capsys.readouterr().out
