"""Fitting a table into a width: in columns whose words wrap, else each row as a block of lines. No word is cut.

A word that is longer than the width, such as a path, is one line, which the terminal wraps.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap

from ptde_core.results.table import Row, Table

Length = Callable[[str], int]  # width of a text on the terminal
GAP = 2  # between columns
EDGE = " "  # before the first
ENOUGH = 24  # least width beside a head for a wrapped cell
INDENT = "  "


def column_widths(table: Table, width: int, length: Length) -> list[int] | None:
    """A width for each column, so that the table fits into `width`; None if it cannot.

    Numbers and first cells stay on one line; heads and other texts may wrap between words.

    Args:
        table: to be shown.
        width: of the terminal.
        length: of a text.
    """
    least, natural = [], []
    for k, head in enumerate(table.columns):
        cells = [row[k] for row in table.rows]
        whole = table.right_aligned[k] or k == 0
        longest = max(map(length, cells), default=0)
        least.append(max(longest if whole else _longest_word(cells, length), _longest_word([head], length)))
        natural.append(max(longest, length(head)))
    room = width - len(EDGE) - GAP * (len(natural) - 1)

    def capped(cap: int) -> list[int]:
        return [max(low, min(high, cap)) for low, high in zip(least, natural, strict=True)]

    # The widest cap that fits; with a wider one the sum never falls.
    wider = bisect_right(range(max(natural, default=0) + 1), room, key=lambda cap: sum(capped(cap)))
    return capped(wider - 1) if wider else None


def in_columns(table: Table, widths: Sequence[int], length: Length) -> Iterator[tuple[str, bool]]:
    """The lines of a table with these column widths: a rule below the heads, an empty line between groups.

    With each line, whether it belongs to the heads.

    Args:
        table: to be shown.
        widths: of `column_widths`.
        length: of a text.
    """
    yield from ((line, True) for line in _row_lines(table.columns, table, widths, length, foot=True))
    yield EDGE + "─" * (sum(widths) + GAP * (len(widths) - 1)), False
    for number, group in enumerate(table.groups):
        if number:
            yield "", False
        for row in group:
            yield from ((line, False) for line in _row_lines(row, table, widths, length))


def _row_lines(row: Row, table: Table, widths: Sequence[int], length: Length, *, foot: bool = False) -> Iterator[str]:
    """The lines of one row; shorter cells are aligned at its top, or with `foot` at its bottom."""
    cells = [wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    height = max(map(len, cells))
    for line in range(height):
        parts = []
        for cell, width, right in zip(cells, widths, table.right_aligned, strict=True):
            at = line - (height - len(cell) if foot else 0)
            text = cell[at] if 0 <= at < len(cell) else ""
            padding = " " * (width - length(text))
            parts.append(padding + text if right else text + padding)
        yield (EDGE + (" " * GAP).join(parts)).rstrip()


def stacked(table: Table, width: int, length: Length) -> Iterator[tuple[str, bool]]:
    """Each row as a block, with a line for each cell that is not empty; with each line, whether a row begins there.

    An empty first cell stands for the one above it in its group, which is said again: a block has no row above it.

    Args:
        table: to be shown.
        width: at which words wrap.
        length: of a text.
    """
    heads = table.columns
    column = max(map(length, heads[1:]), default=0)
    for first, row in _with_first_cells(table):
        yield from ((line, True) for line in wrapped(f"{heads[0]}: {first}" if heads[0] else first, width))
        for head, cell in zip(heads[1:], row[1:], strict=True):
            if cell:
                yield from (
                    (line, False) for line in _labelled(head + " " * (column - length(head)), cell, width, length)
                )


def _with_first_cells(table: Table) -> Iterator[tuple[str, Row]]:
    """Each row with its first cell, or where that is empty, with the last one above it in its group."""
    for group in table.groups:
        first = ""
        for row in group:
            first = row[0] or first
            yield first, row


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, with whole words."""
    return wrap(text, max(1, width), break_long_words=False, break_on_hyphens=False) or [""]


def _labelled(head: str, cell: str, width: int, length: Length) -> Iterator[str]:
    """A cell beside its head; below it where there is no room."""
    beside = f"{INDENT}{head}{' ' * GAP}"
    room = width - length(beside)
    if room >= length(cell) or room >= max(ENOUGH, _longest_word([cell], length)):
        first, *others = wrapped(cell, room)
        yield beside + first
        yield from (" " * length(beside) + line for line in others)
        return
    yield from (INDENT + line for line in wrapped(head, width - len(INDENT)))
    yield from (INDENT * 2 + line for line in wrapped(cell, width - 2 * len(INDENT)))


def _longest_word(texts: Sequence[str], length: Length) -> int:
    return max((length(word) for text in texts for word in text.split()), default=0)
