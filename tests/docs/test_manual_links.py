"""Whatever docs, code and tests cite is there: files, pages, sections of a page and of the SMAC contract."""

import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "docs/reference/smac-contract.md"
API = ROOT / "ptde_core/api/__init__.py"  # its names are `ptde_core`'s
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
CODE = re.compile(r"(?<![\w/.$-])((?:\w+/)*\w+\.py)\b(?::(\w+))?")  # `scores/tally.py:retention`, `gather.py`
FACTS = re.compile(r"(?<![\w/.$-])((?:\w+/)+\w+\.toml)\b()")  # `data/units.toml`
MODULE = re.compile(r"(?<![\w/.@-])ptde_(?:core|cli)(?:\.\w+)+")  # `ptde_core.envs.contract.check_environment`
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


@cache
def own_files() -> dict[str, Path]:
    """All files of the repository that may be cited, by their path in it."""
    folders = ("ptde_core", "ptde_cli", "tests", "benchmarks", "docs", "results")
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return {f"/{path.relative_to(ROOT)}": path for path in found}


@cache
def files_called(place: str) -> tuple[Path, ...]:
    """The files of the repository whose path is `place`, or ends with it."""
    return tuple(path for name, path in own_files().items() if name.endswith(f"/{place}"))


def missing_code(place: str, name: str) -> bool:
    """Whether there is no such file, or none of that path in which the name is defined."""
    defined = re.compile(rf"^\s*(?:def|class) {name}\b|^{name}\b", re.MULTILINE)
    return not any(not name or defined.search(path.read_text(encoding="utf-8")) for path in files_called(place))


def missing_module(name: str) -> bool:
    """Whether a dotted name leads to no module of ours, or to nothing in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:count])
        found = next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
        if found is not None:
            text = found.read_text(encoding="utf-8") + (API.read_text(encoding="utf-8") if count == 1 else "")
            return count < len(parts) and not re.search(rf"\b{parts[count]}\b", text)
    return True


def test_cited_code_is_there() -> None:
    """Also where a path is told from a folder on (`envs/contract.py`), with a name, or as a module."""
    texts = {path: path.read_text(encoding="utf-8") for path in {*DOCS, *TEXTS} if "tests" not in path.parts}
    cited = {
        (path, place, name)
        for path, text in texts.items()
        for pattern in (CODE, FACTS)
        for place, name in pattern.findall(text)
        if f'title="{place}"' not in text  # a file of the reader's, which the page shows
    }
    assert len(cited) > 200
    assert {
        f"{path.relative_to(ROOT)}: {place} {name}" for path, place, name in cited if missing_code(place, name)
    } == set()
    modules = {(path, name) for path, text in texts.items() for name in MODULE.findall(text)}
    assert {f"{path.relative_to(ROOT)}: {name}" for path, name in modules if missing_module(name)} == set()


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
    assert missing_code("scores/no_such.py", "")
    assert missing_code("scores/tally.py", "no_such_name")
    assert not missing_code("scores/tally.py", "retention")
    assert missing_module("ptde_core.scores.no_such")
    assert not missing_module("ptde_core.train_teacher")


def test_the_generated_pages_tell_everything() -> None:
    from ptde_cli.app import COMMANDS
    from ptde_core.algorithms.catalogue import ALGORITHMS
    from ptde_core.base.metrics import METRICS

    assert all(f"## ptde {command.name}\n" in MADE["reference/cli.md"] for command in COMMANDS)
    assert all(f"`{name}`" in MADE["reference/metrics.md"] for name in METRICS)
    keys = {key for one in ALGORITHMS.values() for key in one.settings.model_fields}
    assert all(f"| `{key}` |" in MADE["reference/settings.md"] for key in keys)
    assert "| `--map` |" in MADE["reference/cli.md"]
    assert "| `learning_rate` | `0.001` | > 0 |" in MADE["reference/settings.md"]


def test_the_readme_is_one_screen_and_every_page_is_in_the_manual() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 130
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")]
    assert [page for page in (*pages, *MADE) if f" {page}\n" not in nav] == []
