"""Skirmish beside the real game: plays what was logged there, and makes a table of the figures with a verdict each."""

import time
from collections.abc import Sequence

from ptde_core.base.compile_time import telling_of_compiling
from ptde_core.base.errors import unknown
from ptde_core.base.events import Listener, Progress, StageFinished, StageStarted, silent
from ptde_core.envs.skirmish.calibration import Comparison, calibrated_maps, compare_duels
from ptde_core.envs.skirmish.calibration import calibrate as compared
from ptde_core.envs.skirmish.environment import VERSION
from ptde_core.envs.skirmish.maps import load_map
from ptde_core.stages.settings import CalibrateSettings
from ptde_core.stages.tables import NOTHING, Table

COLUMNS = ("play", "on", "figure", "verdict", "real", "logged", "ours", "deviation", "by chance", "allowed")
PLAYS = {
    "random": "random: uniformly among the available actions. shortest to longest: quantiles of the episodes' lengths; "
    "ours: the median of logs as long as the real one, drawn from our episodes; allowed: 95 % of these logs.",
    "heuristic": "heuristic: SMAC's scripted player.",
    "duel": "duel: one unit kills another that stands still; env steps: from the first swing to the last; "
    "real: computed from the game's data.",
}


def calibrate(
    settings: CalibrateSettings, map_name: str | None = None, *, listen: Listener = silent
) -> list[Comparison]:
    """Compare skirmish with the figures of the real game.

    Args:
        settings: how much is played.
        map_name: only this map's figures; None: all maps that have any, and the duels.
        listen: told how far it is; a map, or the duels, count as one.

    Raises:
        PtdeError: no such map, or no figures of the real game for it.
    """
    if map_name is not None and load_map(map_name) and map_name not in calibrated_maps():
        raise unknown("map with figures of the real game", map_name, calibrated_maps())
    maps = calibrated_maps() if map_name is None else (map_name,)
    with_duels = map_name is None
    listen = telling_of_compiling(listen)
    began, found = time.monotonic(), list[Comparison]()
    title = f"skirmish {VERSION} on {', '.join(maps)}{' and in duels' if with_duels else ''}"
    listen(StageStarted("calibrate", title, len(maps) + with_duels, "comparisons"))
    for done, name in enumerate(maps, start=1):
        found += compared((name,), settings.episodes, settings.seed)
        listen(Progress("calibrate", done))
    if with_duels:
        found += compare_duels(settings.seed)
        listen(Progress("calibrate", len(maps) + 1))
    listen(StageFinished("calibrate", time.monotonic() - began))
    return found


def calibration_table(comparisons: Sequence[Comparison], settings: CalibrateSettings) -> Table:
    """One row per figure, grouped by what was played."""
    plays = list(dict.fromkeys(one.play for one in comparisons))
    groups = tuple(tuple(_row(one) for one in comparisons if one.play == play) for play in plays)
    within = sum(one.holds for one in comparisons)
    return Table(
        title=f"Skirmish {VERSION} beside the real game: {within} of {len(comparisons)} figures as close as allowed",
        columns=COLUMNS,
        groups=groups,
        text_columns=4,
        notes=(
            f"ours: {settings.episodes} episodes per map and player, seed {settings.seed}. "
            "logged: episodes behind the real figure, where known. "
            "by chance: standard error of a mean over so many episodes that scatter like ours.",
            *(PLAYS[play] for play in plays),
        ),
    )


def _row(one: Comparison) -> tuple[str, ...]:
    if one.figure == "win rate":
        deviation, allowed = f"{100 * one.deviation:+.0f} points", f"±{100 * one.tolerance:.0f} points"
    elif one.relative:
        deviation, allowed = f"{one.deviation:+.1%}", f"±{one.tolerance:.0%}"
    else:
        deviation, allowed = f"{one.deviation:+g}", f"±{one.tolerance:g}" if one.tolerance else "exactly"
    if one.span is not None:
        allowed = f"{one.span[0]:.3g} to {one.span[1]:.3g}"
    return (
        one.play,
        one.subject,
        one.figure,
        "close" if one.holds else "OFF",
        _number(one.real, one.figure),
        str(one.episodes) if one.episodes else NOTHING,
        _number(one.ours, one.figure),
        deviation if deviation.strip("+-0.% points") else "0",  # no sign before a zero
        f"±{one.error / one.real:.1%}" if one.error else NOTHING,
        allowed,
    )


def _number(value: float, figure: str) -> str:
    """A figure with the digits that mean something: its value, or a rate in percent."""
    if figure == "win rate":
        return f"{value:.0%}"
    if figure in {"hits", "swings", "shortest", "longest"} or figure.startswith("length"):
        return f"{value:.3g}"
    return f"{value:.2f}" if figure == "mean return" else f"{value:.1f}"
