"""What came of the paper's experiments: its tables with our figures, its figures from our runs, its questions answered.

Everything is made from run folders; no number and no verdict is typed.
"""

from collections.abc import Sequence
from pathlib import Path

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError, StorageError, quoted
from ptde_core.base.events import FileSaved, Listener, Note, silent
from ptde_core.experiments.reproduction_page import FIGURES, Reproduced, page_text
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.paper import PARTS, Part, of_part
from ptde_core.results.gather import Report, report
from ptde_core.results.questions import answers
from ptde_core.results.sections import paper_table
from ptde_core.results.table import Table
from ptde_core.storage.run_folder import RunFolder, check_page, student_of
from ptde_core.storage.whole_file import write_text
from ptde_core.viewing.algorithm_curves import draw_win_rates, win_rates
from ptde_core.viewing.learning_speed import speed_table
from ptde_core.viewing.replays.chosen_episodes import shown_of
from ptde_core.viewing.replays.movie import pictures_of, save_moments
from ptde_core.viewing.run_curves import save_figure

EARLY, LATE = 0.25, 0.75  # shares of the shorter battle at which two strategies are shown
PAGE = "reproduction.md"


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
    check_page(page)
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
    """The parts, no picture of them drawn yet, and the report of all runs in the folder.

    Raises:
        PtdeError: no run there was evaluated.
    """
    found = report([folder])
    if not found.sections:
        raise PtdeError(f"no run below {folder} was evaluated", "run the experiments first, with a smaller --budget")
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
        pair = _two_runs([*own, *(cell for cell in cells if cell not in own)])
    except PtdeError as error:
        return Reproduced(part.title, missing=quoted(error.problem))
    if pair is None:
        return Reproduced(part.title, missing="it takes QMIX and the paper's student of QMIX_SGI on one map")
    plain, informed = (one.run for one in pair)
    map_name, seed = pair[0].pipeline.training.map, pair[0].pipeline.training.seed
    caption = (
        f"QMIX above, QMIX_ASGKD below, on {map_name} (training seed {seed}), in the first episode of the evaluation: "
        f"{100 * EARLY:.0f} % and {100 * LATE:.0f} % into the shorter of the two."
    )
    return Reproduced(
        part.title, (), picture, caption, lambda path: _draw_strategies(plain, student_of(informed.teacher), path)
    )


def _two_runs(cells: Sequence[Cell]) -> tuple[Cell, Cell] | None:
    """The first map and seed with QMIX and with the paper's student of QMIX_SGI: their cells."""
    by_kind = {_kind(cell.pipeline.training): cell for cell in reversed(cells) if not cell.variant}
    for cell in cells:
        training = cell.pipeline.training
        plain = by_kind.get((training.map, training.seed, "qmix", "none"))
        informed = by_kind.get((training.map, training.seed, "qmix", "agent-specific"))
        if plain and informed and plain.run.teacher.is_file() and student_of(informed.run.teacher).is_file():
            return plain, informed
    return None


def _kind(training: TrainingSettings) -> tuple[str, int, str, str]:
    return training.map, training.seed, training.alg, training.global_info


def _draw_strategies(plain: RunFolder, student: Path, picture: Path) -> None:
    """The plain algorithm above the student, early and late in the first battle of the evaluation, played now."""
    films = [pictures_of(one) for one in shown_of([plain.teacher, student], 0, 0)]
    last = min(map(len, films)) - 1
    save_moments(films, picture, [round(EARLY * last), round(LATE * last)])


def cells_held(cells: Sequence[Cell], folder: Path, out: Path) -> list[Cell]:
    """The same cells as they lie in another folder, for runs that were made elsewhere."""
    return [Cell(cell.pipeline, RunFolder(folder / cell.run.path.relative_to(out)), cell.variant) for cell in cells]
