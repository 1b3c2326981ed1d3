"""Imports point down: a layer imports lower layers only, and sisters of layer 1 never import each other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = {
    "ptde_core.base": 0,
    "ptde_core.envs": 1,
    "ptde_core.nets": 1,
    "ptde_core.learning": 1,
    "ptde_core.storage": 1,
    "ptde_core.scores": 1,
    "ptde_core.policies": 2,
    "ptde_core.algorithms": 3,
    "ptde_core.stages": 4,
    "ptde_cli": 5,
}
FILES = sorted([*ROOT.glob("ptde_core/*/**/*.py"), *ROOT.glob("ptde_cli/**/*.py")])


def folder_of(module: str) -> str | None:
    return next((folder for folder in LAYERS if module == folder or module.startswith(folder + ".")), None)


def imports_of(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            found.append(node.module or "")
    return found


def wrong_imports(module: str, source: str) -> list[str]:
    own = folder_of(module)
    assert own is not None, f"{module} is in no layer"
    wrong = []
    for imported in imports_of(source):
        other = folder_of(imported)
        if other is not None and other != own and LAYERS[other] >= LAYERS[own]:
            wrong.append(f"{module} imports {imported}")
    return wrong


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    assert not wrong_imports(module, path.read_text())


def test_a_sideways_and_an_upward_import_are_caught() -> None:
    assert wrong_imports("ptde_core.nets.mixers", "from ptde_core.learning import targets")
    assert wrong_imports("ptde_core.base.errors", "import ptde_core.stages.reports.collect")
    assert not wrong_imports("ptde_core.stages.reports.collect", "import ptde_core.base.errors")


@pytest.mark.parametrize("path", sorted(ROOT.glob("ptde_c*/**/*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
