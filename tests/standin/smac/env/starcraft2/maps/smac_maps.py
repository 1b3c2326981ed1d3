"""Stand-in: the maps that the tests play, with SMAC's facts of them."""

from typing import Any


class SMACMap:
    """The real one is pysc2's: a map is found by its class's name."""

    filename = ""


_MAPS: dict[str, dict[str, Any]] = {
    "3m": {"n_agents": 3, "n_enemies": 3, "limit": 60, "a_race": "T", "b_race": "T", "unit_type_bits": 0},
    "3s_vs_5z": {"n_agents": 3, "n_enemies": 5, "limit": 250, "a_race": "P", "b_race": "P", "unit_type_bits": 0},
    "3s5z_vs_3s6z": {"n_agents": 8, "n_enemies": 9, "limit": 170, "a_race": "P", "b_race": "P", "unit_type_bits": 2},
}


def get_smac_map_registry() -> dict[str, dict[str, Any]]:
    return _MAPS


def file_of(name: str) -> str:
    """The file of a map: its own, or that of the class which has its name."""
    known = {one.__name__: one.filename for one in SMACMap.__subclasses__()}
    return known.get(name, name)
