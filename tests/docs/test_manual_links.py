"""Whatever docs, code and tests cite is there: files, pages, sections of a page and of the SMAC contract."""

import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "docs/reference/smac-contract.md"
NOTES = ROOT / "benchmarks/results"  # dated: they cite code as it was then
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("results/*.md")])
PAGES = sorted([*DOCS, *NOTES.glob("*.md")])
TEXTS = sorted(
    path
    for folder in ("ptde_core", "ptde_cli", "tests", "benchmarks", ".ci", ".github")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".toml", ".yml", ".md", ""} and path.is_file() and NOTES not in path.parents
)
GONE = re.compile("SPEC" + " |" + "METH" + "ODS")  # documents that readers cannot open
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FOLDERS = r"(?:docs|tests|ptde_core|ptde_cli|benchmarks|\.github|\.ci)"
FILE = re.compile(rf"(?<![\w/.])({FOLDERS}/[\w./-]*\w\.(?:py|md|toml|json|csv|yml))\b")
SECTION = re.compile(r"smac-contract((?:#[\w-]+(?:, )?)+)")


def generated() -> dict[str, str]:
    """The pages that the manual's hook makes."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs/hooks/reference.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    pages: dict[str, str] = hook.pages()
    return pages


MADE = generated()


@cache
def anchors(text: str) -> frozenset[str]:
    """The sections of a page, as GitHub and the manual name them: words in lower case, joined by hyphens."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads)


def missing_link(page: Path, target: str) -> bool:
    """Whether a relative link leads nowhere."""
    place, _, section = target.partition("#")
    path = (page.parent / place).resolve() if place else page
    name = path.relative_to(ROOT / "docs").as_posix() if path.is_relative_to(ROOT / "docs") else ""
    text = MADE.get(name) or (path.read_text(encoding="utf-8") if path.suffix == ".md" and path.is_file() else "")
    return not (name in MADE or path.exists()) or bool(section and section not in anchors(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [a or b for a, b in LINK.findall(page.read_text(encoding="utf-8"))]
    assert [t for t in targets if not t.startswith(("http", "mailto")) and missing_link(page, t)] == []


def test_cited_files_are_there() -> None:
    gone = {
        f"{path.relative_to(ROOT)}: {cited}"
        for path in {*TEXTS, *DOCS, ROOT / "pyproject.toml", ROOT / "Dockerfile", ROOT / "mkdocs.yml"}
        for cited in FILE.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / cited).exists() and cited.removeprefix("docs/") not in MADE
    }
    assert gone == set()


def test_cited_sections_of_the_contract_are_there() -> None:
    there = anchors(CONTRACT.read_text(encoding="utf-8"))
    cited = {
        section: path
        for path in {*TEXTS, *DOCS}
        for several in SECTION.findall(path.read_text(encoding="utf-8"))
        for section in re.findall(r"#([\w-]+)", several)
    }
    assert len(cited) > 15, "the code cites the contract"
    assert {section: path for section, path in cited.items() if section not in there} == {}


def test_nothing_cites_what_readers_cannot_open() -> None:
    assert [str(path) for path in {*TEXTS, *DOCS} if GONE.search(path.read_text(encoding="utf-8"))] == []


def test_broken_ones_would_be_seen() -> None:
    index = ROOT / "docs/index.md"
    assert missing_link(index, "nowhere.md")
    assert missing_link(index, "tutorial.md#no-such-section")
    assert not missing_link(index, "tutorial.md#4-look")
    assert not missing_link(index, "reference/cli.md#ptde-run")
    assert GONE.search("reward (SPEC" + " 6)")


def test_the_generated_pages_tell_everything() -> None:
    from ptde_cli.app import COMMANDS
    from ptde_core.base.metrics import METRICS
    from ptde_core.runs.stage_settings import TRAINING

    assert all(f"## ptde {command.name}\n" in MADE["reference/cli.md"] for command in COMMANDS)
    assert all(f"`{name}`" in MADE["reference/metrics.md"] for name in METRICS)
    keys = {key for model, _ in TRAINING.values() for key in model.model_fields}
    assert all(f"| `{key}` |" in MADE["reference/settings.md"] for key in keys)
    assert "| `--map` |" in MADE["reference/cli.md"]
    assert "| `learning_rate` | `0.001` | > 0 |" in MADE["reference/settings.md"]


def test_the_readme_is_one_screen_and_every_page_is_in_the_manual() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 130
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")]
    assert [page for page in (*pages, *MADE) if f" {page}\n" not in nav] == []
