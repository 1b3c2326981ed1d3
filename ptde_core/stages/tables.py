"""A table as plain data, and its text in markdown and LaTeX. The command line dresses the same data with Rich."""

from dataclasses import dataclass

from tabulate import tabulate

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
LATEX_TABLE = str.maketrans(LATEX)


@dataclass(frozen=True)
class Table:
    """A table of ready texts.

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
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"rows of {self.title!r} are not all {len(self.columns)} cells long")

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, without their grouping."""
        return tuple(row for group in self.groups for row in group)

    @property
    def right_aligned(self) -> tuple[bool, ...]:
        """Per column: whether it holds numbers."""
        return tuple(position >= self.text_columns for position in range(len(self.columns)))

    def without_empty_columns(self) -> "Table":
        """The same table without the number columns in which no row has anything to say."""
        kept = [
            position
            for position in range(len(self.columns))
            if position < self.text_columns or any(row[position] not in ("", NOTHING) for row in self.rows)
        ]
        groups = tuple(tuple(tuple(row[position] for position in kept) for row in group) for group in self.groups)
        return Table(self.title, tuple(self.columns[k] for k in kept), groups, self.text_columns, self.notes)


def markdown(table: Table) -> str:
    """The table in GitHub's markdown: heading, pipes, notes as a list."""
    rows = [[cell.replace("|", r"\|") for cell in row] for row in table.rows]
    align = ["right" if right else "left" for right in table.right_aligned]
    body = tabulate(rows, table.columns, tablefmt="pipe", colalign=align, disable_numparse=True)
    notes = "".join(f"- {note}\n" for note in table.notes)
    return f"## {table.title}\n\n{body}\n" + (f"\n{notes}" if notes else "")


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


def escape_latex(text: str) -> str:
    """The text with every character that LaTeX would read as a command, or could not print, written out."""
    return text.translate(LATEX_TABLE)


def _latex_row(cells: Row) -> str:
    row = " & ".join(escape_latex(cell) for cell in cells)
    # A bracket right after the line break above would be read as that break's optional argument.
    return ("{}" if row.startswith("[") else "") + row + r" \\"
