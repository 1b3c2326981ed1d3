"""The verbs that look at what has been made: reports, comparisons, pictures, information; and their tables as text."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptde_core.algorithms.training_settings import MOST_EPISODES
from ptde_core.api.places import Place, file_at, output_at, path_of, paths_of, roots_of
from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.events import Listener, check_listener, silent
from ptde_core.base.setting_fields import MOST_SEED, build_settings, check_number, list_of_texts, word_of
from ptde_core.machine.matplotlib_import import check_matplotlib
from ptde_core.runs.stage_settings import InspectSettings
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import RunFolder

if TYPE_CHECKING:  # at run time these would load SciPy, Matplotlib or torch
    from ptde_core.results.compare_runs import RunComparison
    from ptde_core.results.gather import Report
    from ptde_core.results.table import Table
    from ptde_core.viewing.algorithm_curves import WinRates
    from ptde_core.viewing.information.inspect_information import Inspected

    Found = Report | RunComparison | Sequence[EvaluationEntry] | Sequence[Inspected]


def report(*runs: Place, seed: int = 0, evaluation_seed: int | None = None, episodes: int | None = None) -> "Report":
    """Collect evaluated runs; `ptde report`. `ptde.tables` and `ptde.render` lay them out.

    Args:
        runs: folders that hold runs, at any depth; without one, what lies in the current folder.
        seed: of the bootstrap's draws.
        evaluation_seed: count evaluations with this seed; by default the settings' own where there are such.
        episodes: count evaluations of so many episodes; by default the largest.
    """
    check_number("seed", seed, 0, MOST_SEED)
    check_number("evaluation_seed", evaluation_seed, 0, MOST_SEED)
    check_number("episodes", episodes, 1, MOST_EPISODES)
    from ptde_core.results.chosen_evaluation import Wanted
    from ptde_core.results.gather import report as gather

    return gather(roots_of(runs), seed, Wanted(evaluation_seed, episodes))


def compare(one: Place, other: Place, *, seed: int = 0) -> "RunComparison":
    """Set two runs side by side; `ptde compare`. `ptde.tables` and `ptde.render` lay it out.

    Args:
        one: a run folder.
        other: another one; differences are its values minus the first's.
        seed: of the bootstrap's draws.
    """
    check_number("seed", seed, 0, MOST_SEED)
    from ptde_core.results.compare_runs import compare_runs

    return compare_runs(RunFolder(path_of(one)), RunFolder(path_of(other)), seed)


def curves(
    *runs: Place,
    out: Path | str | Sequence[Path | str] = "win_rates.png",
    unfinished: bool = False,
    listen: Listener = silent,
) -> "WinRates":
    """Draw win rates over training, a panel per map and a line per algorithm; `ptde curves`. Returns what is drawn.

    Args:
        runs: as for `report`.
        out: a file whose name ends in .png, .svg or .pdf, or several.
        unfinished: also runs that are still training, or stopped early.
        listen: is told of the files.
    """
    check_listener(listen)
    check_matplotlib()
    from ptde_core.viewing.algorithm_curves import curves as draw

    pictures = out if isinstance(out, Sequence) and not isinstance(out, str) else [out]
    return draw(roots_of(runs), [output_at(one) for one in pictures], unfinished=unfinished, listen=listen)


def visualize(
    *targets: Place,
    formats: str | Sequence[str] = (),
    out: Path | str | None = None,
    episode: int = 0,
    seed: int = 0,
    moments: Sequence[int] = (),
    listen: Listener = silent,
) -> list[Path]:
    """Draw a run's learning curves and episodes of its policies; returns the pictures' paths. `ptde visualize`.

    Args:
        targets: a run folder, or one or two checkpoints or replays.
        formats: one or several of curves, gif, mp4, png, html and game; by default what there is of curves, gif, html
            and game.
        out: folder of the pictures; by default figures/ in the run folder.
        episode: which one, from 0: of the evaluation's list, or of those that a replay holds.
        seed: of that evaluation.
        moments: steps that the png shows.
        listen: is told of the files.
    """
    check_number("episode", episode, 0, MOST_EPISODES)
    check_number("seed", seed, 0, MOST_SEED)
    if not isinstance(moments, list | tuple | range):
        raise PtdeError(f"moments = {quoted(repr(moments))} is no list of steps", "give one, such as [3, 8]")
    for moment in moments:
        check_number("moment", moment, 0, MOST_EPISODES)
    check_listener(listen)
    check_matplotlib()
    from ptde_core.viewing.visualize import visualize as draw

    return draw(
        paths_of(targets, "run, checkpoint or replay"),
        list_of_texts("formats", formats),
        file_at(out),
        number=episode,
        evaluation_seed=seed,
        moments=moments,
        listen=listen,
    )


def inspect(
    *teachers: Place, out: Path | str | None = None, listen: Listener = silent, **settings: Any
) -> "list[Inspected]":
    """Measure what each agent's z depends on and what students recover of it; `ptde inspect`. Saves a figure of each.

    Args:
        teachers: run folders, or teachers' checkpoints.
        out: folder of the figures; by default figures/ in each run folder.
        listen: is told of progress and of the files.
        settings: such as `episodes=8`.

    Returns:
        One for each teacher; `ptde.tables` and `ptde.render` lay them out.
    """
    made = build_settings(InspectSettings, settings)
    check_listener(listen)
    check_matplotlib()
    from ptde_core.viewing.information.save_information import inspect_and_draw

    return inspect_and_draw(paths_of(teachers, "teacher"), made, file_at(out), listen=listen)


def tables(found: "Found", layout: str = "full") -> "list[Table]":
    """What `evaluate`, `run`, `report`, `compare` or `inspect` has returned, as the tables that its command shows.

    Args:
        found: that.
        layout: of a report full, paper-table2, paper-table3 or per-run; of evaluations also recipes, the ways to
            distill one teacher.
    """
    from ptde_core.viewing.result_text import tables_of

    return tables_of(found, word_of(layout))


def render(found: "Found", format: str = "markdown", layout: str = "full") -> str:  # noqa: A002  the option's name
    """The same as text.

    Args:
        found: as for `tables`.
        format: markdown, latex or html; of evaluations and comparisons also json, of a report json, csv or marl-eval.
        layout: as for `tables`; of a report also per-seed (csv), and curves (marl-eval).
    """
    from ptde_core.viewing.result_text import text_of

    return text_of(found, word_of(format), word_of(layout))
