"""What came of the paper's experiments: its tables with our figures, its figures from our runs, its questions answered.

Everything is made from run folders; no number and no verdict is typed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, Note, silent
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.paper import PARTS, Part
from ptde_core.results.gather import Report, report
from ptde_core.results.questions import answers
from ptde_core.results.sections import left_out_table, paper_table
from ptde_core.results.table import Table, markdown
from ptde_core.scores.published import benchmarks
from ptde_core.storage.run_folder import RunFolder, student_of
from ptde_core.storage.whole_file import write_text
from ptde_core.viewing.algorithm_curves import draw_win_rates, win_rates
from ptde_core.viewing.replays.chosen_episodes import shown_of
from ptde_core.viewing.replays.movie import pictures_of, save_moments
from ptde_core.viewing.run_curves import save_figure

EARLY, LATE = 0.25, 0.75  # shares of the shorter battle at which two strategies are shown
PAGE = "reproduction.md"


@dataclass(frozen=True)
class Reproduced:
    """One table or figure: its title, then its tables, its picture, or why there is neither."""

    title: str
    tables: tuple[Table, ...] = ()
    picture: Path | None = None
    missing: str = ""


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
        PtdeError: no run there was evaluated.
    """
    found = report([folder])
    if not found.sections:
        raise PtdeError(f"no run below {folder} was evaluated", "run the experiments first, with a smaller --budget")
    made = [_made(name, PARTS[name], cells, found, page.parent / "figures", listen) for name in parts]
    answered = answers(found)
    write_text(page, _page(made, found, page))
    listen(FileSaved(page, "all of it on one page"))
    for one in made:
        if one.missing:
            listen(Note(f"{one.title}: {one.missing}"))
    words = [f"RQ{one.number}: {one.words}" for one in answered]
    return [table for one in made for table in one.tables], words


def _made(name: str, part: Part, cells: Sequence[Cell], found: Report, figures: Path, listen: Listener) -> Reproduced:
    own = [cell for cell in cells if cell.run.evaluation.exists()]
    if part.shows == "table":
        number = int(name.removeprefix("table"))
        tables = [table for section in found.sections for table in paper_table(section, number)]
        return Reproduced(part.title, tuple(tables), missing="" if tables else "no run of its maps was evaluated")
    picture = figures / f"{name}.png"
    try:
        if part.shows == "curves":
            save_figure(draw_win_rates(win_rates([cell.run.path for cell in own])), picture)
        else:
            _two_strategies(own, picture)
    except PtdeError as error:
        return Reproduced(part.title, missing=error.problem)
    listen(FileSaved(picture, part.title))
    return Reproduced(part.title, picture=picture)


def _two_strategies(cells: Sequence[Cell], picture: Path) -> None:
    """The plain algorithm above the paper's student, early and late in the first battle of the evaluation.

    Raises:
        PtdeError: one of them is not there.
    """
    by_info = {cell.pipeline.training.global_info: cell.run for cell in cells}
    plain, informed = by_info.get("none"), by_info.get("agent-specific")
    if plain is None or informed is None or not student_of(informed.teacher).exists():
        raise PtdeError("it takes QMIX and the paper's student of QMIX_SGI")
    films = [pictures_of(one) for one in shown_of([plain.teacher, student_of(informed.teacher)], 0, 0)]
    last = min(map(len, films)) - 1
    save_moments(films, picture, [round(EARLY * last), round(LATE * last)])


def _page(made: Sequence[Reproduced], found: Report, page: Path) -> str:
    backends = ", ".join(f"{section.backend} {section.version}" for section in found.sections)
    lines = [
        "# The paper's experiments",
        "",
        f"Made by `ptde reproduce` from run folders, on {backends}. The paper's figures stand beside ours; where they "
        f"are of another game ({', '.join(benchmark.label for benchmark in benchmarks())}), they are a landmark.",
        "",
    ]
    for one in made:
        lines += [f"# {one.title}", ""]
        lines += [text for table in one.tables for text in (markdown(table), "")]
        if one.picture is not None:
            where = one.picture.relative_to(page.parent).as_posix()
            lines += [f"![{one.title}]({where})", ""]
        if one.missing:
            lines += [f"Missing: {one.missing}.", ""]
    lines += ["# Research questions", ""]
    for answer in answers(found):
        lines += [f"**RQ{answer.number}. {answer.question}** {answer.words}", ""]
        if answer.table is not None:
            lines += [markdown(answer.table), ""]
    if found.left_out:
        lines += [markdown(left_out_table("Not counted", found.left_out)), ""]
    return "\n".join(lines).rstrip() + "\n"


def cells_held(cells: Sequence[Cell], folder: Path, out: Path) -> list[Cell]:
    """The same cells as they lie in another folder, for runs that were made elsewhere."""
    return [Cell(cell.pipeline, RunFolder(folder / cell.run.path.relative_to(out)), cell.variant) for cell in cells]
