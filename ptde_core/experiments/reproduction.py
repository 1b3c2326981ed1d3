"""What came of the paper's experiments: its tables with our figures, its figures from our runs, its questions answered.

Everything is made from run folders; no number and no verdict is typed.
"""

from collections.abc import Sequence
from pathlib import Path

from ptde_core.base.errors import PtdeError, StorageError, quoted
from ptde_core.base.events import FileSaved, Listener, Note, silent
from ptde_core.experiments.reproduction_page import Reproduced, page_text
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.paper import FIGURES, PARTS, Part, check_place, maps_of, of_part
from ptde_core.experiments.two_strategies import two_strategies
from ptde_core.results.gather import Report, report
from ptde_core.results.paper_table import paper_table
from ptde_core.results.questions import answers
from ptde_core.results.table import Table
from ptde_core.results.wording import listed
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.whole_file import write_text
from ptde_core.viewing.algorithm_curves import draw_win_rates, win_rates
from ptde_core.viewing.learning_speed import speed_table
from ptde_core.viewing.run_curves import save_figure


def reproduce(
    parts: Sequence[str], cells: Sequence[Cell], folder: Path, page: Path, *, listen: Listener = silent
) -> tuple[list[Table], list[str]]:
    """Make the parts from the cells' runs, and a page of them with the research questions.

    Args:
        parts: of `PARTS`.
        cells: of which they are made.
        folder: that holds the runs.
        page: the page, markdown; pictures go into `figures/` beside it.
        listen: told of each file.

    Returns:
        The tables of these parts, and the answers to the research questions, one sentence each.

    Raises:
        PtdeError: no run there was evaluated, or the page cannot be written there.
    """
    check_place(page)
    made, found = reproduced(parts, cells, folder)
    made = [_drawn(one, page.parent / FIGURES, listen) for one in made]
    for one in made:
        if one.missing:
            listen(Note(f"{one.title}: {one.missing}"))
    write_text(page, page_text(made, found))
    listen(FileSaved(page, "all of it on one page"))
    words = [f"RQ{one.number}: {one.words}" for one in answers(found)]
    return [table for one in made for table in one.tables], words


def _drawn(one: Reproduced, folder: Path, listen: Listener) -> Reproduced:
    """The part with its picture drawn, or with why that cannot be: one broken file must not cost the whole page."""
    if one.draw is None:
        return one
    try:
        one.draw(folder / one.picture)
    except StorageError:  # nothing can be written there, nor the page
        raise
    except PtdeError as error:
        return Reproduced(one.title, one.tables, missing=error.problem)
    listen(FileSaved(folder / one.picture, one.title))
    return one


def reproduced(parts: Sequence[str], cells: Sequence[Cell], folder: Path) -> tuple[list[Reproduced], Report]:
    """The parts, no picture of them drawn yet, and the report of these cells' runs.

    Raises:
        PtdeError: none of them was evaluated.
    """
    begun = list(dict.fromkeys(cell.run.path for cell in cells if cell.run.config.exists()))
    found = report(begun) if begun else Report((), ())
    if not found.sections:
        raise PtdeError(
            f"no run of these experiments below {folder} was evaluated",
            "run them first, with a smaller --budget, or ask for other maps, algorithms and seeds",
        )
    there = [cell for cell in cells if cell.run.evaluation.exists()]
    return [_made(name, PARTS[name], there, found) for name in parts], found


def _made(name: str, part: Part, cells: Sequence[Cell], found: Report) -> Reproduced:
    own = of_part(name, cells)
    if part.shows == "table":
        number = int(name.removeprefix("table"))
        tables = [table for section in found.sections for table in paper_table(section, number)]
        return Reproduced(part.title, tuple(tables), missing="" if tables else "no run of its maps was evaluated")
    picture = f"{name}.png"
    if not own and part.shows == "curves":
        return Reproduced(part.title, missing="none of its runs is there")
    try:
        if part.shows == "curves":
            curves = win_rates([cell.run.path for cell in own])
            speed = speed_table(curves)
            return Reproduced(
                part.title,
                (speed,) if speed else (),
                picture,
                draw=lambda path: save_figure(draw_win_rates(curves), path),
            )
        shown = two_strategies([*own, *(cell for cell in cells if cell not in own)])
    except PtdeError as error:
        return Reproduced(part.title, missing=quoted(error.problem))
    if shown is None:
        return Reproduced(part.title, missing="it takes QMIX and a student of QMIX_SGI on one map, both evaluated")
    papers = maps_of(name)
    elsewhere = "" if shown.plain.map in papers else f" The paper's is on {listed(papers)}."
    return Reproduced(part.title, (), picture, shown.caption + elsewhere, shown.draw)


def cells_held(cells: Sequence[Cell], folder: Path, out: Path) -> list[Cell]:
    """The same cells as they lie in another folder, for runs that were made elsewhere."""
    return [Cell(cell.pipeline, RunFolder(folder / cell.run.path.relative_to(out)), cell.variant) for cell in cells]
