"""Calibration as tables: figures with a verdict each, learning beside the real game's, what other maps would choose."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

from ptde_core.envs.skirmish.beside_the_game import (
    LARGEST_Z,
    MEAN_SQUARE_AIM,
    ByError,
    Comparison,
    Nearly,
    OursWithin,
    RealWithin,
    agreement,
    figures,
)
from ptde_core.envs.skirmish.spec import VERSION
from ptde_core.experiments.calibration.left_out import GRID, Squares, choose, default_of
from ptde_core.experiments.calibration.trainings import MARKS, NEAR_RANDOM_STEPS, TESTED, WINDOW, Progressed
from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.runs.stage_settings import CalibrateSettings

COLUMNS = ("play", "on", "figure", "verdict", "real", "logged", "ours", "deviation", "error", "z", "allowed")


def calibration_table(comparisons: Sequence[Comparison], settings: CalibrateSettings) -> Table:
    """One row per figure, grouped by what was played."""
    plays = list(dict.fromkeys(one.play for one in comparisons))
    groups = tuple(tuple(_row(one) for one in comparisons if one.play == play) for play in plays)
    within = sum(one.holds for one in comparisons)
    title = f"Skirmish {VERSION} beside the real game: {within} of {len(comparisons)} lines hold"
    if random := agreement(comparisons, "random"):
        title += f"; random play: mean z² {random.mean_square:.2f}, largest |z| {random.largest:.1f}"
    return Table(title, COLUMNS, groups, 4, tuple(_notes(comparisons, plays, settings)))


def _notes(comparisons: Sequence[Comparison], plays: Sequence[str], settings: CalibrateSettings) -> Iterator[str]:
    if any(one.z is not None for one in comparisons):
        yield (
            "logged: episodes behind the real figure. error: standard error of the difference of both means. "
            f"z: the difference, divided by it; a mean holds up to |z| = {LARGEST_Z:g}."
        )
    for play in plays:
        yield _played(play, settings)
        if agreed := agreement(comparisons, play):
            aim = f" (aim: at most {MEAN_SQUARE_AIM:g} and {LARGEST_Z:g})" if play == "random" else ""
            yield (
                f"{play}: over {agreed.lines} means mean z² {agreed.mean_square:.2f}, largest |z| {agreed.largest:.1f}"
                f"{aim}; chance alone gives a mean z² of 1."
            )


def _played(play: str, settings: CalibrateSettings) -> str:
    """What was played, and how its lines are judged."""
    battles = f"{settings.episodes} battles per map, seed {settings.seed}"
    return {
        "random": f"random: uniformly among the available actions, {battles}. The log's part of the error is the "
        "spread of its episodes where it is known, else of ours. shortest to longest: quantiles of the lengths, with "
        "no z; ours: the median of logs as long as the real one, drawn from our episodes; allowed: 95 % of these logs, "
        "so that one in 20 such lines is off by chance.",
        "heuristic": f"heuristic: SMAC's scripted player, {battles}. How many battles were logged is not known, so "
        "there is no z, and the span allowed is chosen.",
        "near-random": f"near-random: the first {NEAR_RANDOM_STEPS:,} env steps of QMIX trainings with PyMARL2's "
        f"settings, {settings.seeds} seeds per map. Trainings differ more than their episodes do: the error is that of "
        "our trainings and of as many logged ones as the log's env steps make, all with the spread between our seeds, "
        "which few seeds show poorly. The log mixes learners and annealings.",
        "winning": f"winning: won episodes among {settings.policy_episodes} greedy ones of a trained policy; real: "
        "median, allowed: 5 to 95 % of the tests of the real game's policies that won every episode.",
        "duel": "duel: one unit kills another that stands still; env steps: from the first swing to the last; real: "
        "computed from the game's data.",
    }[play]


def _row(one: Comparison) -> Row:
    relative = f"{(one.ours - one.real) / one.real:+.1%}" if one.real else f"{one.ours - one.real:+g}"
    absolute = f"{one.ours - one.real:+g}"
    error = z = NOTHING
    match one.rule:
        case ByError(by):
            deviation, allowed = relative, f"|z| ≤ {LARGEST_Z:g}"
            error, z = f"±{by / one.real:.1%}", f"{one.z:+.1f}"
        case RealWithin(low, high):
            deviation, allowed = absolute, f"{low:.3g} to {high:.3g}"
        case OursWithin(low, high) if one.figure == "win rate":
            deviation, allowed = f"{100 * (one.ours - one.real):+.0f} points", percent(low, high)
        case OursWithin(low, high):
            deviation, allowed = relative, f"{low:g} to {high:g}" if high > low else f"{low:g}"
        case Nearly(share):
            deviation, allowed = (relative, f"±{share:.0%}") if share else (absolute, "exactly")
    return (
        one.play,
        one.subject,
        one.figure,
        "holds" if one.holds else "OFF",
        _number(one, one.real),
        str(one.logged) if one.logged else NOTHING,
        _number(one, one.ours),
        deviation if deviation.strip("+-0.% points") else "0",  # no sign before a zero
        error,
        z,
        allowed,
    )


def _number(one: Comparison, value: float) -> str:
    """A figure with the digits that mean something: its value, or a rate in percent."""
    if one.figure == "win rate":
        return percent(value)
    if isinstance(one.rule, RealWithin) or one.figure in {"hits", "swings"}:
        return f"{value:.3g}"
    return f"{value:.1f}" if "length" in one.figure or one.figure == "env steps" else f"{value:.2f}"


def percent(low: float, high: float | None = None) -> str:
    """A rate in percent, or a span of rates; a digit more where a small rate would look like none."""
    if high is None or high == low:
        return f"{100 * low:.1f}%" if 0.0 < low < 0.01 else f"{100 * low:.0f}%"
    return f"{100 * low:.0f} to {100 * high:.0f}%"


def learning_table(found: Sequence[Progressed], settings: CalibrateSettings) -> Table:
    """Per map: each seed's tests before each mark, their means over seeds, and the real game's."""
    marks = [f"{mark / 1e6:g}M" for mark in MARKS]
    heads = [f"{word}, {mark}" for word in ("won", "length", "return") for mark in marks]
    groups = tuple(tuple(_learning_rows(name, list(each))) for name, each in groupby(found, lambda one: one.map))
    return Table(
        title=f"QMIX with PyMARL2's settings on skirmish {VERSION}, beside the real game",
        columns=("on", "seed", "env steps", *heads),
        groups=groups,
        text_columns=2,
        notes=(
            f"each number: the mean of the tests in the last {WINDOW:,} env steps before that many; {NOTHING}: a "
            "training has not come so far, or nobody logged it. mean: of the seeds that have come so far.",
            f"trainings of {settings.steps:,} env steps, seeds 1 to {settings.seeds}. real: lowest and highest of the "
            "logged trainings, PyMARL2 with 8 environments where their number is given; lengths over the whole of "
            "these. Few trainings on both sides: a tenth beside the span means nothing.",
        ),
    )


def _learning_rows(name: str, seeds: Sequence[Progressed]) -> Iterator[Row]:
    keys = [(mark, metric) for metric in TESTED for mark in MARKS]
    for one in seeds:
        yield (name, str(one.seed), f"{one.env_steps:,}", *(_tested(k[1], one.at.get(k)) for k in keys))
    means = {
        k: float(np.mean([one.at[k] for one in seeds if k in one.at])) for k in keys if any(k in s.at for s in seeds)
    }
    yield (name, "mean", NOTHING, *(_tested(k[1], means.get(k)) for k in keys))
    real = figures()["learning"][name]
    runs = f", {real['trainings']} trainings" if "trainings" in real else ""
    won = [percent(*real["won"][str(mark)]) if str(mark) in real["won"] else NOTHING for mark in MARKS]
    length = "{} to {}".format(*real["length"]) if "length" in real else NOTHING
    yield (name, f"real{runs}", NOTHING, *won, *[length] * len(MARKS), *[NOTHING] * len(MARKS))


def _tested(metric: str, value: float | None) -> str:
    if value is None:
        return NOTHING
    return {"test_win_rate": f"{value:.0%}", "test_length": f"{value:.1f}"}.get(metric, f"{value:.2f}")


def left_out_table(squares: Mapping[str, Squares], settings: CalibrateSettings) -> Table:
    """A row per map that is left out, and for each fitted switch what the others would choose."""
    maps = list(dict.fromkeys(name for of_switch in squares.values() for name in of_switch))
    rows = [_left_out_row(squares, left_out) for left_out in (None, *maps)]
    return Table(
        title=f"Fitted switches of skirmish {VERSION}: what the other maps alone would choose",
        columns=("left out", *(head for switch in squares for head in (switch, "z² as it is", "z² then"))),
        groups=(tuple(rows),),
        text_columns=1,
        notes=(
            f"random play, {settings.episodes} battles per map and value, seed {settings.seed}; one switch is changed "
            "at a time. Chosen is the value with the least mean z² of return and length on the other maps.",
            "z²: of the map that is left out, in the first row of all maps; with the rules' value, and with the "
            f"chosen one. {NOTHING}: the switch does nothing there, or on none of the others.",
            *(
                f"{switch}: {default_of(switch):g} in the rules, chosen among {', '.join(map(str, GRID[switch]))}."
                for switch in squares
            ),
        ),
    )


def _left_out_row(squares: Mapping[str, Squares], left_out: str | None) -> Row:
    cells: list[str] = []
    for switch, of_switch in squares.items():
        if left_out is not None and left_out not in of_switch:
            cells += [NOTHING] * 3
            continue
        now = float(
            np.mean([of_map[default_of(switch)] for name, of_map in of_switch.items() if left_out in (None, name)])
        )
        choice = choose(of_switch, left_out)
        chosen = [NOTHING, NOTHING] if choice.value is None else [f"{choice.value:g}", f"{choice.square:.2f}"]
        cells += [chosen[0], f"{now:.2f}", chosen[1]]
    return (left_out or "none", *cells)
