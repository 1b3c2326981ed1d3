"""The page of the paper's experiments, markdown, and its head for a README."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde_core.experiments.sweeps.paper import FIGURES
from ptde_core.results.agreement import agreement_table, agreement_words, pairs_beside_paper
from ptde_core.results.costs import machine_notes
from ptde_core.results.gather import Report, Section
from ptde_core.results.paper_table import paper_table
from ptde_core.results.questions import answers
from ptde_core.results.sections import left_out_table
from ptde_core.results.shortfall import PAPER_SEEDS
from ptde_core.results.table import NOTHING, PAPER_MARK, Table, escape_markdown, markdown
from ptde_core.results.unequal_settings import unequal_notes, unequal_settings
from ptde_core.results.wording import backend_title, listed
from ptde_core.scores.published import benchmark_for

TITLE = "# The paper's experiments"
AGREEMENT = "## What agrees with the paper, and what does not"
REASONS = 'What is known of the reasons: the page "Beside the paper" of ptde\'s manual.'
LEGEND = (
    "±: standard deviation over training seeds. In brackets: of one training, the 95 % interval over its episodes; "
    "training again may differ more."
)


@dataclass(frozen=True)
class Reproduced:
    """One table or figure.

    Args:
        title: what it is.
        tables: of it.
        picture: the name of its file; "" where it has none.
        caption: below the picture.
        draw: writes the picture to a path.
        missing: why there is neither table nor picture; "" where there is one.
    """

    title: str
    tables: tuple[Table, ...] = ()
    picture: str = ""
    caption: str = ""
    draw: Callable[[Path], object] | None = None
    missing: str = ""


def page_text(made: Sequence[Reproduced], found: Report) -> str:
    """The whole page: what was run, the tables and figures, the research questions, what is not counted."""
    backends = listed(backend_title(section.backend, section.version) for section in found.sections)
    papers = [benchmark.label for one in found.sections if (benchmark := benchmark_for(one.backend))]
    lines = [
        TITLE,
        "",
        f"Made by `ptde reproduce` from run folders, on {backends}; no number and no verdict on it is typed. "
        f"The paper's figures stand beside ours ({listed(papers)}); where they are of another game, they are a "
        "landmark, not a comparison.",
        "",
    ]
    for section in found.sections:
        lines += [f"- {note}" for note in (_what_was_run(section), *machine_notes(section), _code(section))]
    lines.append("")
    for one in made:
        lines += [f"## {one.title}", ""]
        lines += [text for table in one.tables for text in (_inner(table), "")]
        if one.picture:
            lines += [f"![{one.title}]({FIGURES}/{one.picture})", ""]
        if one.caption:
            lines += [escape_markdown(one.caption), ""]
        if one.missing:
            lines += [f"Missing: {escape_markdown(one.missing)}.", ""]
    pairs = [one for section in found.sections for one in pairs_beside_paper(section)]
    if pairs:
        told = escape_markdown(agreement_words(pairs))
        lines += [AGREEMENT, "", told, "", _inner(agreement_table(pairs)), "", REASONS, ""]
    lines += ["## Research questions", ""]
    for answer in answers(found):
        lines += [f"**RQ{answer.number}. {answer.question}** {escape_markdown(answer.words)}", ""]
        lines += [text for table in answer.tables for text in (_inner(table), "")]
    if found.left_out:
        lines += [_inner(left_out_table("Not counted", found.left_out)), ""]
    return "\n".join(lines).rstrip() + "\n"


def head_text(found: Report) -> str:
    """The paper's Table 2 as far as there are runs, with their maps and algorithms alone.

    Below it is how to read it, and what the order of the rows may be due to besides their information.
    """
    heads = [_head(table) for section in found.sections for table in paper_table(section, 2)]
    shown = [table for table in heads if len(table.columns) > 1]
    if not shown:
        return "None of the paper's trainings has ended yet."
    tables = ["\n".join(row for row in markdown(table).splitlines() if row.startswith("|")) for table in shown]
    notes = [note for one in found.sections for note in unequal_notes(unequal_settings(one.scores))]
    return "\n\n".join([*tables, LEGEND, *map(escape_markdown, notes)])


def _head(table: Table) -> Table:
    ours = [[row for row in group if not row[0].startswith(PAPER_MARK)] for group in table.groups]
    maps = [k for k in range(1, len(table.columns)) if any(row[k] != NOTHING for rows in ours for row in rows)]
    kept = [0, *maps]
    groups = tuple(
        tuple(tuple(row[k] for k in kept) for row in group)
        for group, rows in zip(table.groups, ours, strict=True)
        if any(row[k] != NOTHING for row in rows for k in maps)
    )
    return Table(table.title, tuple(table.columns[k] for k in kept), groups, table.text_columns)


def _what_was_run(section: Section) -> str:
    """Maps, training runs and, where the numbers of seeds are unequal, a warning."""
    runs = {one.run for score in section.scores for one in score.seeds}
    maps = listed(score.map for score in section.scores)
    counts = {len(score.seeds) for score in section.scores}
    seeds = f"{min(counts)} to {max(counts)} training seeds" if len(counts) > 1 else f"training seeds: {min(counts)}"
    told = f"{len(runs)} run{'s' if len(runs) > 1 else ''} on {maps}; {seeds} of each algorithm"
    if len(counts) > 1:
        told += ". The numbers of seeds are unequal: intervals over few seeds are wide, and means over them uncertain"
    if benchmark_for(section.backend) and min(counts) < PAPER_SEEDS:
        told += f". The paper has {PAPER_SEEDS} of each: what one training gave, another may not"
    return f"{told}."


def _code(section: Section) -> str:
    return f"Evaluated by: {listed(sorted({one.code for score in section.scores for one in score.seeds}))}."


def _inner(table: Table) -> str:
    """A table below a heading of the second level."""
    return f"#{markdown(table)}"
