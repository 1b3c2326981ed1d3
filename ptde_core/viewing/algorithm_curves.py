"""Win rates of many runs over env steps (paper, Figures 7 to 9): a panel per map, a line per algorithm, over seeds.

Of games that cannot be won, mean returns are drawn.

Runs are collected as for a report. A picture shows one version of one backend; a line holds runs whose settings differ
in the seed alone, or in how long they were trained and how often they were tested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shlex import quote
from textwrap import wrap
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, PercentFormatter

from ptde_core.algorithms.catalogue import typed_settings
from ptde_core.algorithms.table_names import student_name, teacher_marks, teacher_name
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, silent
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.results.found_runs import MAY_DIFFER, STALE, LeftOut, differing, grouped
from ptde_core.results.performance import Measure
from ptde_core.results.table import NOTHING
from ptde_core.results.wording import backend_title, listed, row_label
from ptde_core.runs.identity import why_other_world
from ptde_core.runs.one_training import log_of
from ptde_core.runs.stage_settings import RUNS, read_run_config
from ptde_core.scores.published import benchmark_for
from ptde_core.scores.seed_curves import ENOUGH_FOR_QUARTILES, CurveOverSeeds, SeedCurve, over_seeds, why_too_long
from ptde_core.storage.curve_file import points_of
from ptde_core.storage.run_folder import RunFolder, find_runs, find_runs_here
from ptde_core.storage.status import moment, read_state, read_status
from ptde_core.storage.whole_file import check_output
from ptde_core.viewing.run_curves import STYLE, check_picture, save_figure

# Length and tests of a training do not change its curve.
SAME_CURVE = MAY_DIFFER | {"steps", "test_every", "test_episodes"}
# Okabe and Ito's colours without their yellow; no two of the first seven share colour, dash or marker with a neighbour.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
MARKERS = "osD^vPX<>"
MARKED = 8  # markers along a line
HANDLE, CHARACTER = 54.0, 4.6  # points: a line in the legend with the room around it, and a letter of its text
COLUMNS = 3


@dataclass(frozen=True)
class AlgorithmCurve:
    """One line of a panel.

    Args:
        name: as in the paper's tables, with the settings that tell it from others of that name.
        train_seeds: one per run.
        unfinished: how many of them are still training, or stopped early.
        test_episodes: greedy episodes of each test.
        curve: over those seeds.
    """

    name: str
    train_seeds: tuple[int, ...]
    unfinished: int
    test_episodes: tuple[int, ...]
    curve: CurveOverSeeds


@dataclass(frozen=True)
class WinRates:
    """The content of one picture: the curves of each map, on one version of one backend; and the runs left out.

    The curves show win rates, or mean returns where nothing can be won.
    """

    measure: Measure
    backend: str
    version: str
    maps: Mapping[str, tuple[AlgorithmCurve, ...]]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Tested:
    """The tests of a run, or of the student that is trained in it."""

    path: str
    place: tuple[str, str]  # backend, version
    name: str
    settings: Mapping[str, Any]
    map: str  # of a map file of one's own, with the first digits of its content's digest
    finished: bool
    time: datetime
    measure: Measure
    curve: SeedCurve


def win_rates(roots: list[Path] | None = None, *, unfinished: bool = False) -> WinRates:
    """Collect the tests of all runs below the given folders.

    Args:
        roots: folders that hold runs, at any depth; None: what lies in the current folder (`find_runs_here`).
        unfinished: also take runs that are still training, were interrupted or failed, as far as they came.

    Raises:
        PtdeError: a folder does not exist, no run can be drawn, or the runs are of several backends or versions.
    """
    runs = find_runs_here(RUNS) if roots is None else find_runs(roots)
    read = [_read(run, unfinished) for run in runs]
    left_out = [one for one in read if isinstance(one, LeftOut)]
    tested = [one for found in read if not isinstance(found, LeftOut) for one in found]
    if not tested:
        where = f"here or below {RUNS}/" if roots is None else f"below {', '.join(map(str, roots))}"
        why = f" ({left_out[0].run}: {left_out[0].why})" if left_out else ""
        stopped = any(one.state in ("running", "interrupted", "failed") for one in left_out)  # a finished one has all
        or_draw = ", or draw what there is with --unfinished" if stopped and not unfinished else ""
        raise PtdeError(
            f"no run {where} has a curve to draw{why}", f"train one, for example `ptde run --map 3m`{or_draw}"
        )
    places = sorted({one.place for one in tested})
    if len(places) > 1:
        first = {place: next(one.path for one in tested if one.place == place) for place in places}
        held = " and ".join(f"{backend} {version} ({path})" for (backend, version), path in first.items())
        raise PtdeError(f"the runs are of {held}, which do not compare", "give the folders of one of them")
    (backend, version) = places[0]
    # If a run tests returns, nothing can be won here, and all curves are of returns.
    measure: Measure = "return" if any(one.measure == "return" for one in tested) else "win rate"
    why = "its tests are of win rates, those of other runs say that nothing can be won"
    left_out += [LeftOut(one.path, "other measure", why) for one in tested if one.measure != measure]
    tested = [one for one in tested if one.measure == measure]
    maps: dict[str, tuple[AlgorithmCurve, ...]] = {}
    for map_name, of_map in grouped(sorted(tested, key=_order), lambda one: one.map):
        lines = []
        for name, namesakes in grouped(of_map, lambda one: one.name):
            for variant, row in _variants(namesakes):
                newest, repeats = _without_repeats(row)
                left_out += repeats
                lines.append(_line(row_label(name, variant), newest))
        maps[map_name] = tuple(lines)
    benchmark = benchmark_for(backend)
    of_paper = list(benchmark.win_rates) if benchmark else []
    in_order = sorted(maps, key=lambda name: (of_paper.index(name) if name in of_paper else -1, name))
    return WinRates(measure, backend, version, {name: maps[name] for name in in_order}, tuple(left_out))


def curves(
    roots: list[Path] | None, pictures: Sequence[Path], *, unfinished: bool = False, listen: Listener = silent
) -> WinRates:
    """Collect the tests of all runs below the given folders and draw them, the same picture into each file.

    Args:
        roots: as for `win_rates`.
        pictures: files whose names end in .png, .svg or .pdf.
        unfinished: as for `win_rates`.
        listen: is told of the files.

    Raises:
        PtdeError: as `win_rates`, or a file of another kind.
        StorageError: a file that cannot be written; as far as it can be known, before anything is read.
    """
    for path in pictures:
        check_picture(path)
        check_output(path)
    found = win_rates(roots, unfinished=unfinished)
    figure = draw_win_rates(found)
    for path in pictures:
        listen(FileSaved(save_figure(figure, path), f"{found.measure}s over training"))
    return found


def draw_win_rates(found: WinRates) -> Figure:
    """One panel per map; an algorithm looks the same in all of them."""
    names = list(dict.fromkeys(line.name for lines in found.maps.values() for line in lines))
    columns = min(COLUMNS, len(found.maps))
    rows = -(-len(found.maps) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(max(3.7 * columns, 5.6), 2.9 * rows + 0.8), layout="constrained")
        figure.suptitle(
            f"Greedy test {found.measure} on {backend_title(found.backend, found.version)}",
            fontsize=11,
            fontweight="bold",
        )
        grid = figure.subplots(rows, columns, squeeze=False, sharey=found.measure == "win rate")
        for axes, (map_name, lines) in zip(grid.flat, found.maps.items(), strict=False):
            _draw_map(axes, map_name, lines, names)
            if found.measure == "win rate":
                axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
                axes.set_ylim(-0.03, 1.03)
        for axes in list(grid.flat)[len(found.maps) :]:
            axes.set_visible(False)
        labels = [_label(found, name) for name in names]
        widest = HANDLE + CHARACTER * max(map(len, labels))
        figure.legend(
            handles=[Line2D([], [], label=label, **_look(k)) for k, label in enumerate(labels)],
            title="\n".join(wrap(_caption(found), 46 * columns + 32)),
            loc="outside lower center",
            ncols=max(1, min(len(names), int(72 * figure.get_figwidth() // widest))),
            frameon=False,
            fontsize=8,
            title_fontsize=7.5,
            handlelength=3.2,
        )
    return figure


def _read(run: RunFolder, unfinished: bool) -> list[_Tested] | LeftOut:
    """The curves of a run, or why it has none to draw."""
    name = str(run.path)
    if not run.status.exists() and not run.provenance.exists():
        return LeftOut(name, "checkpoints alone", "its training is not here")
    try:
        state = read_state(run)
        status = read_status(run)
        if state != "finished" and not unfinished:
            return LeftOut(name, state, status["reason"] or "not finished")
        config = read_run_config(run)
        settings, map_name = config.settings, config.made_from.world.map
        if why := why_other_world(config.made_from.world, str(settings["map"])):
            return LeftOut(name, STALE, f"it was {why}; train anew")
        time = moment(status["time"], run.status)
        rows = log_of(run)
        if rows and (why := why_too_long(rows[-1]["env_steps"], settings["test_every"])):
            return LeftOut(name, "unreadable", why)
        marks = teacher_marks(typed_settings(settings), settings["hidden_size"])
    except PtdeError as error:
        return LeftOut(name, "unreadable", str(error))
    place = (config.made_from.world.environment, config.made_from.world.version)
    found = []
    every = settings["test_every"]
    measure: Measure = "win rate" if any("test_win_rate" in row for row in rows) else "return"
    what = {"win rate": "test_win_rate", "return": "test_return"}[measure]
    for metric, named in {what: teacher_name, f"student_{what}": student_name}.items():
        points = np.array(points_of(rows, metric))
        if len(points) and points[-1, 0] // every * every >= max(
            every, points[0, 0]
        ):  # a multiple lies among its tests
            policy = named(settings["alg"], settings["global_info"], marks)
            curve = SeedCurve(points[:, 0], points[:, 1])
            done = state == "finished"
            of_world = {**settings, "map_digest": config.made_from.world.map_digest[:8]}  # curves of other content part
            found.append(_Tested(name, place, policy, of_world, map_name, done, time, measure, curve))
    return found or LeftOut(name, state, _why_no_curve(name, [step for step, _ in points_of(rows, what)], every))


def _why_no_curve(name: str, tests: Sequence[float], every: int) -> str:
    """Why a run has no curve: it was not tested, or never at or around a multiple of `every` env steps."""
    if not tests:
        return "it has logged no test"
    where = f"from {tests[0]:,.0f} to {tests[-1]:,.0f} env steps"
    what_helps = f"train longer or with a smaller one, or see `ptde visualize {quote(name)}`"
    return f"its tests {where} reach no multiple of test_every = {every:,}: {what_helps}"


def _variants(namesakes: Sequence[_Tested]) -> list[tuple[str, list[_Tested]]]:
    """Groups of runs with equal settings, with what tells each from others of that name ("td_lambda=0.3")."""
    keys = differing([one.settings for one in namesakes], SAME_CURVE)
    return grouped(namesakes, lambda one: ", ".join(f"{key}={one.settings.get(key)}" for key in keys))


def _without_repeats(row: Sequence[_Tested]) -> tuple[list[_Tested], list[LeftOut]]:
    """The newest run of each training seed: a repeat does not count as another seed."""
    newest, repeats = [], []
    for seed, same in grouped(row, lambda one: one.settings["seed"]):
        kept = max(same, key=lambda one: one.time)
        newest.append(kept)
        why = f"repeats seed {seed} of {kept.path}, which is newer"
        repeats += [LeftOut(one.path, "repeat", why) for one in same if one is not kept]
    return newest, repeats


def _line(name: str, row: Sequence[_Tested]) -> AlgorithmCurve:
    return AlgorithmCurve(
        name=name,
        train_seeds=tuple(sorted(one.settings["seed"] for one in row)),
        unfinished=sum(not one.finished for one in row),
        test_episodes=tuple(sorted({one.settings["test_episodes"] for one in row})),
        curve=over_seeds([one.curve for one in row], max(one.settings["test_every"] for one in row)),
    )


def _order(one: _Tested) -> tuple[str, int, str, int]:
    info = list(INFORMATION).index(one.settings["global_info"])
    return (one.settings["alg"], info, one.name, one.settings["seed"])


def _draw_map(axes: Axes, map_name: str, lines: Sequence[AlgorithmCurve], names: Sequence[str]) -> None:
    for line in lines:
        curve, look = line.curve, _look(names.index(line.name))
        every = max(1, len(curve.env_steps) // MARKED)
        marked = (names.index(line.name) * every // len(names), every)  # staggered: lines on top of each other show
        axes.fill_between(curve.env_steps, curve.low, curve.high, color=look["color"], alpha=0.16, linewidth=0)
        for end in (curve.low, curve.high):
            axes.plot(curve.env_steps, end, **look | {"marker": "None", "linewidth": 0.5, "alpha": 0.7})
        axes.plot(curve.env_steps, curve.median, **look | {"marker": "None", "linewidth": 0.7})
        whole = np.where(curve.seeds == curve.seeds.max(), curve.median, np.nan)  # (G,)
        axes.plot(curve.env_steps, whole, markevery=marked, **look)
    axes.set_title(map_name, fontsize=10, loc="left")
    axes.set_xlabel("env steps")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.margins(x=0.02)
    axes.set_xlim(left=0)


def _look(position: int) -> dict[str, Any]:
    """How the algorithm at this place of the legend is drawn."""
    return {
        "color": COLORS[position % len(COLORS)],
        "linestyle": DASHES[position % len(DASHES)],
        "marker": MARKERS[position % len(MARKERS)],
        "markersize": 4,
        "linewidth": 1.7,
    }


def _label(found: WinRates, name: str) -> str:
    """An algorithm's name in the legend, and how many runs its lines are made of: in all panels, or panel by panel."""
    lines = [next((line for line in lines if line.name == name), None) for lines in found.maps.values()]
    counts = [len(line.train_seeds) if line else 0 for line in lines]
    most = max(counts)
    if {0, most} >= set(counts):
        seeds = f"{most} seed{'s' if most > 1 else ''}"
    else:
        seeds = f"seeds by panel: {', '.join(str(count or NOTHING) for count in counts)}"
    unfinished = sum(line.unfinished for line in lines if line)
    return f"{name}, {seeds}" + (f" ({unfinished} unfinished)" if unfinished else "")


def _caption(found: WinRates) -> str:
    lines = [line for of_map in found.maps.values() for line in of_map]
    episodes = listed(sorted({count for line in lines for count in line.test_episodes}))
    says = [f"Line: median over training seeds, tests of {episodes} greedy episodes."]
    if any(np.isfinite(line.curve.low).any() for line in lines):
        says.append(f"Band: quartiles, where at least {ENOUGH_FOR_QUARTILES} seeds have data.")
    if any((line.curve.seeds < line.curve.seeds.max()).any() for line in lines):
        says.append("Thin: not all seeds came that far.")
    return " ".join(says)
