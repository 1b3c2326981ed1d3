"""On a terminal of any width no table loses a word: every command that prints one, at four widths."""

import io
import os
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptde_cli import display, layout
from ptde_cli.app import main
from ptde_core.results.table import Table
from tests.cli.conftest import ROOT, TINY_FOLDER, TINY_RUN, Pipeline

RUN = str(TINY_FOLDER)
COMMANDS = {
    "run": TINY_RUN,
    "distill": ("distill", f"{RUN}/teacher.pt", "--out", "short.pt", "--steps", "10", "--episodes", "4"),
    "evaluate": ("evaluate", f"{RUN}/student.pt", "--episodes", "4"),
    "report": ("report",),
    "compare": ("compare", RUN, "other/runs/skirmish/3m/QMIX_SGI/seed1"),
    "inspect": ("inspect", RUN, "--episodes", "1"),
    "curves": ("curves", "runs", "checkpoints"),
    "data": ("data", "show", f"{RUN}/episodes.h5", "--features"),
    "maps": ("maps",),
    "maps show": ("maps", "show", "2c_vs_64zg"),
    "maps show --features": ("maps", "show", "3m", "--features"),
    "zoo": ("zoo",),
    "settings": ("settings", "train-teacher"),
    "calibrate": ("calibrate", "--map", "3m", "--play", "random", "--episodes", "16"),
    "doctor": ("doctor", "--env", "game"),
    "sweep": ("sweep", "mine.toml", "--dry-run"),
    "reproduce": ("reproduce", "table2", "--dry-run", "--maps", "3s_vs_5z", "--seeds", "1"),
}
WIDTHS = (60, 80, 100, 200)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def printed(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Table]]:
    """What tables each command prints, typed once."""
    folder = tmp_path_factory.mktemp("narrow")
    shutil.copytree(pipeline.cwd / "runs", folder / "runs")
    shutil.copytree(pipeline.cwd / "runs", folder / "other" / "runs")
    (folder / "checkpoints").mkdir()
    (folder / "mine.toml").write_text('[[grid]]\nmap = "3m"\nseed = [1, 2]\n')
    shutil.copy(folder / RUN / "teacher.pt", folder / "checkpoints")
    found: dict[str, list[Table]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, words in COMMANDS.items():
            found[name] = tables = []
            patch.setattr(display, "print_tables", lambda made, file=None, tables=tables: tables.extend(made))
            with pytest.raises(SystemExit) as stop:
                main([*words])
            assert stop.value.code in (0, 1), name  # doctor: something is missing
    return found


def shown(tables: list[Table], width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    display.print_tables(tables, stream)
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())


def words_of(tables: list[Table]) -> Counter[str]:
    """All but the heads of columns that are empty."""
    texts = [text for t in tables for text in (t.title, *t.notes, *(cell for row in t.rows for cell in row))]
    texts += [head for t in tables for k, head in enumerate(t.columns) if any(row[k].strip() for row in t.rows)]
    return Counter(word for text in texts for word in text.split())


def check(tables: list[Table], width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(tables, width, monkeypatch)
    of_screen = Counter(word.rstrip(":") for word in text.split())
    for word, times in words_of(tables).items():
        assert of_screen[word.rstrip(":")] >= times, f"{word!r} is not there as often as it is in the tables"
    for line in text.splitlines():
        assert len(line) <= width or len(line.split()) == 1, f"{line!r} is wider than {width}"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_word_is_there(
    name: str, width: int, printed: dict[str, list[Table]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert printed[name], "it printed no table"
    check(printed[name], width, monkeypatch)


def test_no_command_that_prints_tables_is_left_out() -> None:
    folder = ROOT / "ptde_cli" / "commands"
    printing = {path.stem for path in folder.glob("*.py") if re.search("print_(tables|map)", path.read_text())}
    assert printing == {words[0].replace("-", "_") for words in COMMANDS.values()}


cells = st.text("ab1. ,", max_size=30)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(cells, cells, cells, cells), min_size=1, max_size=4),
    width=st.integers(5, 120),
    text_columns=st.integers(0, 4),
)
def test_any_table_at_any_width(rows: list[tuple[str, ...]], width: int, text_columns: int) -> None:
    table = Table("Title", ("Name", "Two words", "n", "Rate, 95 % interval"), (tuple(rows), tuple(rows)), text_columns)
    with pytest.MonkeyPatch.context() as patch:
        check([table], width, patch)


def test_words_wrap_before_rows_are_stacked() -> None:
    table = Table("Title", ("Name", "Meaning", "n"), ((("a", "some words to be wrapped", "12345"),),), 2)
    assert layout.column_widths(table, 80, len) == [4, 24, 5]
    assert layout.column_widths(table, 24, len) == [4, 10, 5]
    assert layout.column_widths(table, 20, len) is None  # "Meaning" and "wrapped" have seven letters
    assert [line for line, _ in layout.stacked(table, 20, len)] == [
        "Name: a",
        "  Meaning",
        "    some words to be",
        "    wrapped",
        "  n        12345",
    ]
    assert [line for line, _ in layout.in_columns(table, [4, 10, 5], len)] == [
        " Name  Meaning         n",
        " " + "─" * 23,
        " a     some words  12345",
        "       to be",
        "       wrapped",
    ]


def test_a_block_says_the_first_cell_that_its_group_says_once() -> None:
    groups = ((("3m", "QMIX", "0.5"), ("", "VDN", "0.4")), (("", "QMIX", "0.3"),))
    table = Table("Title", ("Map", "Algorithm", "Win rate"), groups, 2)
    heads = [line for line, is_head in layout.stacked(table, 20, len) if is_head]
    assert heads == ["Map: 3m", "Map: 3m", "Map:"], "never that of another group"


def test_a_piped_table_is_never_wrapped(tmp_path: Path) -> None:
    table = Table("Title", ("Name", "Words"), ((("a", "word " * 300),),), 2, ("note " * 300,))
    with (tmp_path / "table.txt").open("w") as file:
        display.print_tables([table], file)
    assert [len(line) for line in (tmp_path / "table.txt").read_text().splitlines() if line.count("word ") > 9]
    assert "word " * 299 + "word\n" in (tmp_path / "table.txt").read_text()
    assert os.linesep + "note " * 299 + "note\n" in (tmp_path / "table.txt").read_text()
