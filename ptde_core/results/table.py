"""A table as plain data, and its text in markdown, LaTeX and HTML. The command line dresses the same data with Rich."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from html import escape

from tabulate import tabulate

from ptde_core.base.printable import printable

NOTHING = "—"  # a number that is undefined, was not measured, or does not apply
PAPER_MARK = "↳ "  # starts the name of a row that shows the paper's figures for the row above it

Row = tuple[str, ...]

LATEX = {
    "\\": r"\textbackslash{}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "—": "---",
    "↳": r"$\hookrightarrow$",
}
HTML_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#1b1b1b;background:#fff}"
    "table{border-collapse:collapse;border-bottom:2px solid #1b1b1b}thead{border-block:2px solid #1b1b1b}"
    "td,th{padding:.2rem .7rem;white-space:nowrap;font-variant-numeric:tabular-nums}"
    "tbody tr:nth-child(even){background:#f4f4f4}h2{font-size:1.1rem;margin-top:2rem}ul{font-size:.9rem;color:#444}"
)
MARKDOWN_TABLE = str.maketrans({"\\": r"\\", "|": r"\|", "&": "&amp;", "<": "&lt;"})
LATEX_TABLE = str.maketrans(LATEX)


@dataclass(frozen=True)
class Table:
    """A table of texts; invisible characters in them are spelled out.

    Args:
        title: one line above it.
        columns: the column heads.
        groups: rows as long as `columns`; a rule is drawn between groups where the format has one.
        text_columns: how many leading columns are words (left aligned); the others are numbers (right aligned).
        notes: sentences below it, one each.
    """

    title: str
    columns: Row
    groups: tuple[tuple[Row, ...], ...]
    text_columns: int
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", printable(self.title))
        object.__setattr__(self, "columns", tuple(map(printable, self.columns)))
        groups = tuple(tuple(tuple(map(printable, row)) for row in group) for group in self.groups)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "notes", tuple(map(printable, self.notes)))
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"rows of {self.title!r} are not all {len(self.columns)} cells long")

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """All rows, without their grouping."""
        return tuple(row for group in self.groups for row in group)

    @cached_property
    def right_aligned(self) -> tuple[bool, ...]:
        """Per column: whether it holds numbers."""
        return tuple(position >= self.text_columns for position in range(len(self.columns)))

    def without_empty_columns(self) -> "Table":
        """The same table without number columns in which every cell is empty."""
        kept = [
            position
            for position in range(len(self.columns))
            if position < self.text_columns or any(row[position] not in ("", NOTHING) for row in self.rows)
        ]
        groups = tuple(tuple(tuple(row[position] for position in kept) for row in group) for group in self.groups)
        return Table(self.title, tuple(self.columns[k] for k in kept), groups, self.text_columns, self.notes)


def markdown(table: Table) -> str:
    """The table in GitHub's markdown: heading, pipes, notes as a list."""
    rows = [[escape_markdown(cell) for cell in row] for row in table.rows]
    columns = [escape_markdown(head) for head in table.columns]
    align = ["right" if right else "left" for right in table.right_aligned]
    body = tabulate(rows, columns, tablefmt="pipe", colalign=align, disable_numparse=True)
    notes = "".join(f"- {escape_markdown(note)}\n" for note in table.notes)
    return f"## {escape_markdown(table.title)}\n\n{body}\n" + (f"\n{notes}" if notes else "")


def latex(table: Table) -> str:
    """The table as a LaTeX float for `booktabs`; every text is escaped, nothing else has to be loaded."""
    align = "".join("r" if right else "l" for right in table.right_aligned)
    groups = ["\n".join(_latex_row(row) for row in group) for group in table.groups]
    notes = "\n".join(rf"\par {escape_latex(note)}" for note in table.notes)
    return "\n".join(
        [
            r"\begin{table}[t]",
            r"\centering\small",
            rf"\caption{{{escape_latex(table.title)}}}",
            rf"\begin{{tabular}}{{@{{}}{align}@{{}}}}",
            r"\toprule",
            _latex_row(table.columns),
            r"\midrule",
            "\n\\midrule\n".join(groups),
            r"\bottomrule",
            r"\end{tabular}",
            *([r"\begin{minipage}{\linewidth}\footnotesize\smallskip", notes, r"\end{minipage}"] if notes else []),
            r"\end{table}",
            "",
        ]
    )


def html_page(title: str, tables: Iterable[Table]) -> str:
    """All tables as one self-contained page: no script, no picture, no link."""
    body = "\n".join(_html(table) for table in tables)
    head = f'<meta charset="utf-8">\n<title>{escape(title)}</title>\n<style>{HTML_STYLE}</style>'
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n'
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _html(table: Table) -> str:
    align = ["right" if right else "left" for right in table.right_aligned]
    cells = tabulate(table.rows, table.columns, tablefmt="html", colalign=align, disable_numparse=True)  # escapes
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in table.notes)
    return f"<h2>{escape(table.title)}</h2>\n{cells}\n" + (f"<ul>\n{notes}</ul>\n" if notes else "")


def escape_markdown(text: str) -> str:
    """The text with every character escaped that would end a cell, or start HTML, a link or a picture."""
    return text.translate(MARKDOWN_TABLE).replace("](", r"]\(")


def escape_latex(text: str) -> str:
    """The text with every character escaped that LaTeX would read as a command, or could not print."""
    return text.translate(LATEX_TABLE)


def _latex_row(cells: Row) -> str:
    row = " & ".join(escape_latex(cell) for cell in cells)
    # A bracket right after the line break above would be read as that break's optional argument.
    return ("{}" if row.startswith("[") else "") + row + r" \\"
