"""What stands in more than one file of the project's shell is the same in all of them."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import ptde_core as ptde
from ptde_core import __version__
from ptde_core.storage.checkpoint_content import CONTENTS
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_the_same_in_citation_and_changelog() -> None:
    assert f"\nversion: {__version__}\n" in text("CITATION.cff")
    assert f"\n## [{__version__}] - " in text("CHANGELOG.md")
    assert "\n## [Unreleased]\n" in text("CHANGELOG.md")


def test_each_supported_python_is_checked() -> None:
    said = {line.split()[-1] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)}
    assert (
        set(re.findall(r'python: "(3\.\d+)"', text(".github/workflows/check.yml"))) == said == {"3.11", "3.12", "3.13"}
    )
    assert "bash .ci/run" in text(".github/workflows/check.yml")


def test_the_release_needs_no_token() -> None:
    release = text(".github/workflows/release.yml")
    assert "id-token: write" in release
    assert "secrets." not in release
    assert re.search(r'tags: \["v\*"\]', release)


def test_numba_is_bounded_and_its_newest_is_tried() -> None:
    (numba,) = [one for one in PROJECT["dependencies"] if one.startswith("numba")]
    assert re.fullmatch(r"numba>=[\d.]+,<[\d.]+", numba)
    weekly = text(".github/workflows/newest-numba.yml")
    assert "schedule:" in weekly
    assert "--upgrade --pre numba" in weekly
    assert all((ROOT / path).is_file() for path in re.findall(r"tests/[\w/]+\.py", weekly))


def test_the_manual_is_built_strictly_and_its_packages_are_an_extra() -> None:
    assert "mkdocs build --strict" in text(".ci/run")
    assert "'.[test,docs]'" in text(".ci/run")
    names = {re.split(r"[\[>=<]", one)[0] for one in PROJECT["optional-dependencies"]["docs"]}
    assert {"mkdocs", "mkdocs-material", "mkdocstrings"} <= names
    assert PROJECT["authors"] == [{"name": "ptde contributors"}]


def test_the_page_on_installing_lists_every_extra() -> None:
    table = re.findall(r"^\| ((?:`[a-z]+`(?:, )?)+) \|", text("docs/how-to/install.md"), re.MULTILINE)
    assert {name for row in table for name in re.findall(r"`(\w+)`", row)} == set(PROJECT["optional-dependencies"])


def test_the_page_of_the_api_names_what_is_stable() -> None:
    (stable,) = re.findall(
        r"Stable are the names of `ptde.__all__`: (.*?) Of what", text("docs/reference/api.md"), re.DOTALL
    )
    shown = set(re.findall(r"^::: ptde_core\.[\w.]+\.(\w+)$", text("docs/reference/api.md"), re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", stable)) <= set(ptde.__all__) <= shown | {"__version__"}
    named = {name for name in ptde.__all__ if name[0].isupper()}
    assert named <= set(re.findall(r"`(\w+)`", stable))


def test_the_page_of_files_names_what_is_in_them() -> None:
    page = text("docs/reference/files.md")
    fields = {name for kind in ("teacher", "student") for name in CONTENTS[kind].model_fields}
    assert {*fields, *EvaluationEntry.model_fields} <= set(re.findall(r"`(\w+)`", page))
    run = RunFolder(Path("RUN"))
    files = (
        run.config,
        run.status,
        run.cell,
        run.lock,
        run.error,
        run.metrics,
        run.provenance,
        run.teacher,
        run.episodes,
    )
    for path in (*files, run.student, run.left_out, run.curve, run.evaluation):
        assert f"`{path.name}`" in page, path


def test_no_file_of_the_packages_is_ignored_and_left_out_of_a_wheel() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no clone: nothing here says what is ignored")
    words = ("git", "ls-files", "--cached", "--ignored", "--exclude-standard", "ptde_core", "ptde_cli", "results")
    assert subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""
