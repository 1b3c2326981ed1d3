"""Skirmish beside the real game, figure by figure: what is played for it, on which maps, in which order."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Progress, StageFinished, StageStarted, silent
from ptde_core.envs.skirmish.beside_the_game import (
    Comparison,
    compare_duels,
    compare_heuristic,
    compare_random,
    maps_with_figures,
)
from ptde_core.envs.skirmish.map_files import MapFacts, load_map
from ptde_core.envs.skirmish.spec import VERSION
from ptde_core.experiments.calibration.chosen_maps import maps_of
from ptde_core.experiments.calibration.trainings import compare_near_random
from ptde_core.experiments.calibration.winning import compare_winning
from ptde_core.kernels.compile_time import telling_of_compiling
from ptde_core.runs.stage_settings import PLAYED_UNASKED, CalibrateSettings, Play

STAGE = "calibrate"
TABLE_OF: Mapping[Play, str] = {"random": "random", "heuristic": "heuristic", "near-random": "near_random"}
"""Plays on maps, and their tables in ptde_core/envs/skirmish/data/calibration.toml."""
UNTRAINED: Mapping[Play, Callable[[MapFacts, int, int], Iterator[Comparison]]] = {
    "random": compare_random,
    "heuristic": compare_heuristic,
}


def calibrate(
    settings: CalibrateSettings,
    plays: Sequence[Play] = PLAYED_UNASKED,
    maps: Sequence[str] = (),
    policies: Sequence[Path] = (),
    *,
    listen: Listener = silent,
) -> list[Comparison]:
    """Compare skirmish with the figures of the real game.

    Args:
        settings: how much is played.
        plays: what is played without a trained policy.
        maps: only these maps' figures; empty: all maps that have any.
        policies: checkpoints whose won episodes are compared, each on its own map.
        listen: told how far it is.

    Raises:
        PtdeError: no such map, or no figures of the real game for it; duels, which are on no map, beside `maps`; a
            policy that cannot be compared (`compare_winning`); one seed for nearly random play.
        KeyboardInterrupt: interrupted.
    """
    if maps and "duels" in plays:
        raise PtdeError("duels are fought on no map", "leave out --map, or --play duels")
    on = maps_of({play: maps_with_figures(TABLE_OF[play]) for play in TABLE_OF if play in plays}, maps)
    found = compare_winning(policies, settings, listen=listen) if policies else []
    found = _untrained(settings, plays, on, listen) + found
    if near := on.get("near-random"):
        found += compare_near_random(near, settings, listen=listen)
    return found


def _untrained(
    settings: CalibrateSettings, plays: Sequence[Play], on: Mapping[Play, Sequence[str]], listen: Listener
) -> list[Comparison]:
    """Random play, the heuristic, duels: those that are among `plays`."""
    jobs = [(play, name) for play in UNTRAINED for name in on.get(play, ())]
    with_duels = "duels" in plays
    if not (jobs or with_duels):
        return []
    began, found, total = time.monotonic(), list[Comparison](), len(jobs) + with_duels
    names = ", ".join(dict.fromkeys(name for _, name in jobs))
    title = f"skirmish {VERSION}{f' on {names}' if names else ''}{' in duels' if with_duels else ''}"
    listen = telling_of_compiling(listen)
    listen(StageStarted(STAGE, title, total, "comparisons"))
    for done, (play, name) in enumerate(jobs, start=1):
        found += UNTRAINED[play](load_map(name), settings.episodes, settings.seed)
        listen(Progress(STAGE, done))
    if with_duels:
        found += compare_duels(settings.seed)
        listen(Progress(STAGE, total))
    listen(StageFinished(STAGE, time.monotonic() - began))
    return found
