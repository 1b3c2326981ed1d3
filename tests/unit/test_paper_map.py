"""docs/reference/paper.md names code that exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = sorted(set(re.findall(r"`(\w+/[\w/]+\.\w+)(?::([\w.]+))?`", (ROOT / "docs/reference/paper.md").read_text())))


def test_the_map_is_not_empty() -> None:
    assert len(NAMED) > 20


@pytest.mark.parametrize(("path", "name"), NAMED, ids=str)
def test_named_code_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file()
    if not name:
        return
    body = ast.parse((ROOT / path).read_text()).body
    for part in name.split("."):
        found = [n for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == part]
        assert found, f"{path} has no {part}"
        body = found[0].body
