"""The maps of both packages: SMAC's by their names, two of the paper's built on them, SMACv2's by race and numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ptde_core.base.errors import PtdeError, unknown
from ptde_core.envs.skirmish.map_files import MapFacts, load_map, map_names

LONGEST_TEAM = 20  # units of a SMACv2 team; its authors go up to 20 against 23


@dataclass(frozen=True)
class Reinforced:
    """A map of the paper that is no file of SMAC's: one of SMAC's, with more enemy zealots.

    Args:
        base: SMAC's map.
        zealots: how many more.
    """

    base: str
    zealots: int


REINFORCED: Mapping[str, Reinforced] = {
    "3s_vs_8z": Reinforced("3s_vs_5z", 3),
    "3s5z_vs_3s7z": Reinforced("3s5z_vs_3s6z", 1),
}


def smac_map(name: str) -> MapFacts:
    """Sizes, names and limit of a map of `--env smac`: skirmish's facts of it, for they are SMAC's.

    Raises:
        PtdeError: no such map.
    """
    if name not in map_names():
        raise unknown("map", name, map_names(), "see `ptde maps`")
    return load_map(name)


def smac_file(name: str) -> str:
    """The map whose file is loaded for it."""
    return REINFORCED[name].base if name in REINFORCED else name


@dataclass(frozen=True)
class Race:
    """What SMACv2 draws a race's teams from (its authors' settings): types, weights, who cannot be a team alone."""

    units: tuple[str, ...]
    weights: tuple[float, ...]
    never_alone: tuple[str, ...] = ()


RACES: Mapping[str, Race] = {
    "protoss": Race(("stalker", "zealot", "colossus"), (0.45, 0.45, 0.1)),
    "terran": Race(("marine", "marauder", "medivac"), (0.45, 0.45, 0.1), ("medivac",)),
    "zerg": Race(("zergling", "baneling", "hydralisk"), (0.45, 0.1, 0.45), ("baneling",)),
}


@dataclass(frozen=True)
class SmacV2Map:
    """A map of `--env smacv2`, taken apart: "protoss_5_vs_5"."""

    race: str
    allies: int
    enemies: int

    @property
    def level(self) -> str:
        """SMACv2's name of the map."""
        return f"10gen_{self.race}"

    @property
    def files(self) -> tuple[str, str]:
        """The file that is loaded: the one by SMACv2's newer, the other by its older versions."""
        return "32x32_flat", self.level

    def arguments(self) -> dict[str, Any]:
        """What SMACv2's class is built with: its authors' settings for teams and start positions drawn anew."""
        race = RACES[self.race]
        return {
            "map_name": self.level,
            "conic_fov": False,
            "obs_own_pos": True,
            "use_unit_ranges": True,
            "min_attack_range": 2,
            "capability_config": {
                "n_units": self.allies,
                "n_enemies": self.enemies,
                "team_gen": {
                    "dist_type": "weighted_teams",
                    "unit_types": list(race.units),
                    "weights": list(race.weights),
                    "exception_unit_types": list(race.never_alone),
                    "observe": True,
                },
                "start_positions": {"dist_type": "surrounded_and_reflect", "p": 0.5, "map_x": 32, "map_y": 32},
            },
        }


def smacv2_map(name: str) -> SmacV2Map:
    """Take a map's name apart.

    Raises:
        PtdeError: it names no race, or no numbers that are played.
    """
    found = re.fullmatch(r"([a-z]+)_(\d{1,9})_vs_(\d{1,9})", name)
    if found is None or found[1] not in RACES:
        raise PtdeError(f"no SMACv2 map named {name!r}", f"write RACE_N_vs_M, RACE being one of {', '.join(RACES)}")
    allies, enemies = int(found[2]), int(found[3])
    if not (1 <= allies <= LONGEST_TEAM and allies <= enemies <= LONGEST_TEAM + 3):
        raise PtdeError(
            f"{name!r} is not played: {allies} against {enemies}",
            f"at most {LONGEST_TEAM} units of ours, and as many enemies or up to {LONGEST_TEAM + 3}",
        )
    return SmacV2Map(found[1], allies, enemies)
