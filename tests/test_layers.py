"""The house: imports point down and never in a circle, no two files share a name, and tables need no torch."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = {
    "ptde_core.base": 0,
    "ptde_core.kernels": 1,
    "ptde_core.envs": 2,
    "ptde_core.nets": 2,
    "ptde_core.learning": 2,
    "ptde_core.storage": 2,
    "ptde_core.scores": 2,
    "ptde_core.policies": 3,
    "ptde_core.algorithms": 4,
    "ptde_core.rollout": 4,
    "ptde_core.runs": 5,
    "ptde_core.results": 6,
    "ptde_core.machine": 7,
    "ptde_core.pipeline": 8,
    "ptde_core.viewing": 9,
    "ptde_core.experiments": 10,
    "ptde_core.api": 11,
    "ptde_cli": 12,
}
WITHOUT_TORCH = ("ptde_core.runs", "ptde_core.results", "ptde_core.scores", "ptde_cli.app")
FILES = sorted([*ROOT.glob("ptde_core/*/**/*.py"), *ROOT.glob("ptde_cli/**/*.py")])
MODULES = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in FILES}


LAYER = re.compile(r"Layer (\d+): ")
ROW = re.compile(r"^\| (\d+) \| (.*?) \|", re.MULTILINE)


@pytest.mark.parametrize("folder", LAYERS)
def test_a_folder_says_its_layer_as_the_page_does(folder: str) -> None:
    text = ast.get_docstring(ast.parse(MODULES[folder].read_text())) or ""
    said = LAYER.match(text)
    assert said, f"{folder} begins with its layer"
    page = (ROOT / "docs/explanation/architecture.md").read_text()
    rows = {name: int(number) for number, names in ROW.findall(page) for name in re.findall(r"`(\w+)/`", names)}
    assert int(said[1]) == LAYERS[folder] == rows[folder.removeprefix("ptde_core.")]


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
    assert wrong_imports("ptde_core.base.errors", "import ptde_core.results.gather")
    assert not wrong_imports("ptde_core.results.gather", "import ptde_core.base.errors")


@pytest.mark.parametrize("path", sorted(ROOT.glob("ptde_c*/**/*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def circle_in(imports: dict[str, set[str]]) -> list[str]:
    """The modules of one import circle, in their order; empty if there is none."""
    finished: set[str] = set()

    def search(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in finished:
            return []
        for other in sorted(imports.get(module, ())):
            if circle := search(other, [*way, module]):
                return circle
        finished.add(module)
        return []

    return next((circle for module in sorted(imports) if (circle := search(module, []))), [])


def modules_imported_by(source: str) -> set[str]:
    """What a source imports of our own modules, wherever in it: also inside functions, and for type checkers alone."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in MODULES else node.module)
    return found & MODULES.keys()


def test_no_imports_go_in_a_circle() -> None:
    assert not circle_in({module: modules_imported_by(path.read_text()) - {module} for module, path in MODULES.items()})


def test_a_circle_of_any_length_is_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"a"}}) == ["a", "b", "a"]
    assert circle_in({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d", "b"]
    assert not circle_in({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()})
    assert "ptde_core.base.errors" in modules_imported_by("def f():\n    from ptde_core.base import errors")


def test_no_two_files_of_the_core_share_a_name() -> None:
    names = [path.name for path in ROOT.glob("ptde_core/**/*.py") if path.name != "__init__.py"]
    assert not [name for name, times in Counter(names).items() if times > 1]


def test_no_file_is_long() -> None:
    places = (ROOT / folder for folder in ("ptde_cli", "ptde_core", "tests", "benchmarks", "docs"))
    lengths = {path: len(path.read_text().splitlines()) for place in places for path in place.rglob("*.py")}
    assert not [str(path) for path, length in lengths.items() if length > 350]


@pytest.mark.parametrize("folder", WITHOUT_TORCH)
def test_what_reads_results_loads_no_torch(folder: str) -> None:
    inside = [module for module in MODULES if module == folder or module.startswith(folder + ".")]
    program = "import sys\n" + "".join(f"import {m}\n" for m in inside) + "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
