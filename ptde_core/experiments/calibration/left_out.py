"""Leave one map out: which value of a fitted switch the logs of the other maps alone would choose."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Progress, StageFinished, StageStarted, silent
from ptde_core.envs.skirmish.beside_the_game import agreement, compare_means, maps_with_figures, play_random
from ptde_core.envs.skirmish.map_files import MapFacts, load_map
from ptde_core.envs.skirmish.switches import Switches
from ptde_core.experiments.calibration.chosen_maps import maps_among
from ptde_core.runs.stage_settings import CalibrateSettings

STAGE = "leave one out"

GRID: Mapping[str, tuple[float, ...]] = {
    "squeeze": (0.3, 0.4, 0.44, 0.48, 0.52, 0.6),
    "heal_scan_loops": (4, 8, 16, 32),
}
"""The fitted switches, and the values among which is chosen."""


def _everywhere(facts: MapFacts) -> bool:  # noqa: ARG001  every switch is asked alike
    return True


def _with_enemy_medivacs(facts: MapFacts) -> bool:
    return any(group.type == "medivac" for group in facts.enemies)


_MATTERS: Mapping[str, Callable[[MapFacts], bool]] = {
    "squeeze": _everywhere,
    "heal_scan_loops": _with_enemy_medivacs,
}

Squares = Mapping[str, Mapping[float, float]]  # map -> value of a switch -> mean z squared of random play there


@dataclass(frozen=True)
class Choice:
    """What is chosen for a switch where one map is left out; no value where it matters on none of the others.

    Args:
        value: of the switch.
        square: mean z squared of the map that is left out, with that value; of all maps where none is left out.
    """

    value: float | None
    square: float | None


def leave_one_out(maps: Sequence[str], settings: CalibrateSettings, *, listen: Listener = silent) -> dict[str, Squares]:
    """Play randomly with each value of each fitted switch, the others at their defaults: switch -> `Squares`.

    A switch is tried only where it can matter: that of enemy medivacs where the enemy has one.

    Args:
        maps: only these; empty: all with figures of random play.
        settings: episodes and their seed.
        listen: told how far it is.

    Raises:
        PtdeError: a single map, which leaves no others; no such map, or no figures of random play for it.
    """
    chosen = maps_among(maps_with_figures("random"), maps)
    if len(chosen) < 2:
        raise PtdeError(f"with {chosen[0]} left out no map is left", "give more maps, or all of them: leave out --map")
    facts = [load_map(name) for name in chosen]
    jobs = [(switch, one, value) for switch in GRID for one in facts if _MATTERS[switch](one) for value in GRID[switch]]
    listen(StageStarted(STAGE, f"{', '.join(GRID)} on {', '.join(chosen)}", len(jobs), "comparisons"))
    began, found, played = time.monotonic(), dict[str, dict[str, dict[float, float]]](), dict[tuple[str, str], float]()
    for done, (switch, one, value) in enumerate(jobs, start=1):
        switches = replace(one.switches, **{switch: value})  # type: ignore[arg-type]  # of the kind of its default
        tried = replace(one, switches=switches)
        key = one.name, repr(switches)
        if key not in played:
            means = compare_means(one.name, play_random(tried, settings.episodes, settings.seed))
            agreed = agreement(means, "random")
            assert agreed is not None, "means of random play have a z"
            played[key] = agreed.mean_square
        found.setdefault(switch, {}).setdefault(one.name, {})[value] = played[key]
        listen(Progress(STAGE, done))
    listen(StageFinished(STAGE, time.monotonic() - began))
    return dict(found)


def choose(squares: Squares, left_out: str | None) -> Choice:
    """The value with the least mean z squared on all maps but one; of equal ones the first."""
    others = [of_map for name, of_map in squares.items() if name != left_out]
    if not others:
        return Choice(None, None)
    best = min(others[0], key=lambda value: float(np.mean([of_map[value] for of_map in others])))
    judged = others if left_out is None else [squares[left_out]]
    return Choice(best, float(np.mean([of_map[best] for of_map in judged])))


def default_of(switch: str) -> float:
    """The value that the rules have."""
    return float(getattr(Switches(), switch))
