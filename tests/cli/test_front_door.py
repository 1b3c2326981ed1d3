"""The commands go through the Python API: what it offers, none of them takes from the stages below it."""

import ast
from pathlib import Path

import pytest

import ptde_core.api
from tests.cli.conftest import ROOT

API = sorted((ROOT / "ptde_core/api").glob("*.py"))
COMMANDS = sorted((ROOT / "ptde_cli/commands").glob("*.py"))
STAGES = ("ptde_core.pipeline", "ptde_core.viewing", "ptde_core.results")  # folders that the API calls
TABLES = "ptde_core.results.table"  # of what is no verb's result: maps, settings


def taken(source: str) -> set[tuple[str, str]]:
    """What a source imports, wherever in it: (module, name)."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return {(node.module or "", alias.name) for node in nodes for alias in node.names}


SHOWN_BY = ROOT / "ptde_core/viewing/result_text.py"  # what `tables` and `render` call
OFFERED = {one for path in (*API, SHOWN_BY) for one in taken(path.read_text()) if one[0].startswith(STAGES)}


def past_the_api(source: str) -> set[tuple[str, str]]:
    """What a command imports from below the API though the API offers it; of the pipeline nothing may be imported."""
    return {
        (module, name)
        for module, name in taken(source)
        if module.startswith("ptde_core.pipeline") or ((module, name) in OFFERED and module != TABLES)
    }


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_a_command_takes_nothing_from_below_that_the_api_offers(path: Path) -> None:
    assert not past_the_api(path.read_text())


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_no_command_imports_the_api_at_its_top(path: Path) -> None:
    """`ptde --help` reads no more than it needs, and completion neither."""
    top = ast.Module([node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)], [])
    assert not [one for one in taken(ast.unparse(top)) if one[0].startswith("ptde_core.api") or one[1] == "api"]


def test_every_verb_of_the_api_that_has_a_command_is_called_by_it() -> None:
    verbs = {path.stem for path in COMMANDS} & set(ptde_core.api.__all__)
    assert verbs >= {"collect", "compare", "curves", "distill", "evaluate", "export", "inspect", "report", "run"}
    for verb in verbs:
        assert f"api.{verb}(" in (ROOT / f"ptde_cli/commands/{verb}.py").read_text()


def test_a_way_past_the_api_is_seen() -> None:
    assert past_the_api("def f():\n    from ptde_core.pipeline.collect import collect as stage")
    assert past_the_api("from ptde_core.viewing.visualize import visualize")
    assert past_the_api("from ptde_core.results.gather import report")
    assert past_the_api("from ptde_core.results.evaluation_table import evaluation_json")
    assert not past_the_api("from ptde_core.viewing.picture_formats import FORMATS")
