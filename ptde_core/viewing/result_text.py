"""What a verb has found, as tables and as text: evaluations, a report, a comparison of two runs, information.

No torch here, so that a report stays quick: the tables of information are imported only where there is some.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ptde_core.base.errors import PtdeError, quoted, unknown
from ptde_core.results.compare_runs import RunComparison, comparison_json, comparison_tables
from ptde_core.results.evaluation_table import evaluation_json, evaluation_tables
from ptde_core.results.formats import render
from ptde_core.results.gather import Report
from ptde_core.results.recipe_comparison import comparison_table
from ptde_core.results.sections import report_tables
from ptde_core.results.table import Table, html_page, latex, markdown
from ptde_core.storage.evaluation_file import EvaluationEntry

if TYPE_CHECKING:
    from ptde_core.viewing.information.inspect_information import Inspected  # at run time it would load torch

FULL, RECIPES = "full", "recipes"
TITLES: Mapping[type, str] = {EvaluationEntry: "ptde evaluate", RunComparison: "ptde compare"}
JSON: Mapping[type, Callable[..., str]] = {EvaluationEntry: evaluation_json, RunComparison: comparison_json}
TEXTS: Mapping[str, Callable[[str, Sequence[Table]], str]] = {
    "markdown": lambda _, tables: "\n".join(map(markdown, tables)),
    "latex": lambda _, tables: "\n".join(map(latex, tables)),
    "html": html_page,
}


def tables_of(
    found: "Report | RunComparison | Sequence[EvaluationEntry] | Sequence[Inspected]", layout: str = FULL
) -> list[Table]:
    """The tables that the command of the same verb shows.

    Args:
        found: what `evaluate`, `run`, `report`, `compare` or `inspect` has returned.
        layout: of a report one of `results.sections.LAYOUTS`; of evaluations also `recipes`, a table of the ways to
            distill one teacher.

    Raises:
        PtdeError: no such result, or a layout that it has not.
    """
    if isinstance(found, Report):
        return report_tables(found, layout)
    if isinstance(found, RunComparison):
        _check_layout(layout, (FULL,))
        return comparison_tables(found)
    _check_found(found)
    entries = [one for one in found if isinstance(one, EvaluationEntry)]
    if len(entries) == len(found):  # also where there are none
        _check_layout(layout, (FULL, RECIPES))
        return [comparison_table(entries)] if layout == RECIPES else evaluation_tables(entries)
    from ptde_core.viewing.information.information_tables import information_tables

    _check_layout(layout, (FULL,))
    return information_tables([one for one in found if not isinstance(one, EvaluationEntry)])


def text_of(
    found: "Report | RunComparison | Sequence[EvaluationEntry] | Sequence[Inspected]",
    form: str = "markdown",
    layout: str = FULL,
) -> str:
    """The same as text, ending in a newline.

    Args:
        found: as for `tables_of`.
        form: markdown, latex or html; of evaluations and comparisons also json; of a report any of
            `results.formats.FORMATS`.
        layout: as for `tables_of`; of a report also `per-seed` (csv) and `curves` (marl-eval).

    Raises:
        PtdeError: no such result, or a format or layout that it has not.
    """
    if isinstance(found, Report):
        return render(found, form, layout)
    _check_found(found)
    kind = type(found) if isinstance(found, RunComparison) else type(next(iter(found), None))
    if form == "json" and kind in JSON:
        if layout != FULL:
            raise PtdeError(f"json holds all there is, it has no layout {layout}", "leave it out")
        return JSON[kind](found)
    if form not in TEXTS:
        raise unknown("format", form, (*TEXTS, "json") if kind in JSON else TEXTS)
    return TEXTS[form](TITLES.get(kind, "What information matters"), tables_of(found, layout))


def _check_found(found: object) -> None:
    known = (Report, RunComparison, list, tuple)
    if not isinstance(found, known) or (isinstance(found, list | tuple) and any(map(_is_strange, found))):
        problem = f"{quoted(repr(found))} is no result"
        raise PtdeError(problem, "give what run, evaluate, report, compare or inspect has returned")


def _is_strange(one: object) -> bool:
    """Whether it is neither an evaluation nor the information of a teacher."""
    return not (isinstance(one, EvaluationEntry) or hasattr(one, "dependence"))


def _check_layout(layout: str, layouts: Sequence[str]) -> None:
    if layout not in layouts:
        raise unknown("layout", layout, layouts)
