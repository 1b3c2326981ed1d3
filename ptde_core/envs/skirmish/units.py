"""Unit facts: `data/units.toml` read into frozen records, checked key by key."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from ptde_core.base.errors import PtdeError, nearest, unknown

LOOPS_PER_SECOND = 16.0  # game loops in one normal second
_FILE = Path(__file__).parent / "data" / "units.toml"


@dataclass(frozen=True)
class Beam:
    """A colossus' attack: circles sweep a line across the line of fire, twice. Lengths in cells.

    Source: smac-contract#special-units.
    """

    half_length: float
    circles: int
    circle_radius: float
    step_s: float
    delay_s: float
    main_target_delay_s: float


@dataclass(frozen=True)
class CloseWeapon:
    """What replaces a weapon's timing and missile on adjacent targets (hydralisk)."""

    range: float
    cooldown_s: float
    damage_point_s: float


@dataclass(frozen=True)
class Weapon:
    """A weapon; times in normal seconds, lengths in cells, defaults as in the game's CORE layer."""

    damage: float
    range: float
    cooldown_s: float
    targets: tuple[str, ...]
    bonus: Mapping[str, float] = field(default_factory=dict)
    scan: float = 5.0
    damage_point_s: float = 0.167
    backswing_s: float = 0.5
    range_slop: float = 1.0
    missile_speed: float = 0.0
    flight_s: float = 0.0
    second_hit_s: float = 0.0
    blast_radius: float = 0.0
    beam: Beam | None = None
    close: CloseWeapon | None = None

    @property
    def melee(self) -> bool:
        """Whether it reaches only what its owner touches, or nearly so."""
        return self.range < 1.0


@dataclass(frozen=True)
class Heal:
    """The medivac's heal (smac-contract#special-units): life per second, its price in energy, ranges edge to edge."""

    life_per_s: float
    energy_per_life: float
    range: float
    autocast_range: float
    autocast_energy: float


@dataclass(frozen=True)
class UnitFacts:
    """One unit type on one side. Speeds in cells per normal second; `sight` from its centre, given for melee units."""

    name: str
    race: str
    attributes: tuple[str, ...]
    health: float
    speed: float
    radius: float
    separation: float
    inner: float
    shield: float = 0.0
    armour: float = 0.0
    plane: tuple[str, ...] = ("ground",)
    collides: tuple[str, ...] = ("ground",)
    cliff_walk: bool = False
    turret: bool = False
    turn_deg_per_s: float = 999.8437
    acceleration: float = 1000.0
    life_regen: float = 0.0
    energy_start: float = 0.0
    energy_max: float = 0.0
    energy_regen: float = 0.0
    always_threatens: bool = False
    cooldown_norm: float = 1.0
    sight: float = 0.0
    weapon: Weapon | None = None
    heal: Heal | None = None


R = TypeVar("R")


def _record(kind: type[R], table: Mapping[str, Any], where: str) -> R:
    """A dataclass from a TOML table; an unknown or missing key is named with its place."""
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]  # R is always a dataclass
    for key in table:
        if key not in known:
            raise PtdeError(f"{where} has no key {key!r}", nearest(key, known))
    for key, f in known.items():
        if key not in table and f.default is MISSING and f.default_factory is MISSING:
            raise PtdeError(f"{where} lacks the key {key!r}", "add it")
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
    return kind(**values)


def _unit(name: str, table: Mapping[str, Any]) -> UnitFacts:
    values = {**table, "name": name}
    if "weapon" in values:
        weapon = dict(values["weapon"])
        if "beam" in weapon:
            weapon["beam"] = _record(Beam, weapon["beam"], f"units.toml, {name}.weapon.beam")
        if "close" in weapon:
            weapon["close"] = _record(CloseWeapon, weapon["close"], f"units.toml, {name}.weapon.close")
        values["weapon"] = _record(Weapon, weapon, f"units.toml, {name}.weapon")
    if "heal" in values:
        values["heal"] = _record(Heal, values["heal"], f"units.toml, {name}.heal")
    return _record(UnitFacts, values, f"units.toml, {name}")


@cache
def _all_units() -> dict[tuple[str, int], UnitFacts]:
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    units: dict[tuple[str, int], UnitFacts] = {}
    for name, table in tables.items():
        body = {key: value for key, value in table.items() if key != "ally"}
        units[name, 0] = _unit(name, {**body, **table.get("ally", {})})
        units[name, 1] = _unit(name, body)
    return units


def unit_names() -> tuple[str, ...]:
    """The unit types that a map may name, in alphabetical order."""
    return tuple(sorted({name for name, _ in _all_units()}))


def unit_facts(name: str, side: int) -> UnitFacts:
    """Facts of a unit type for a side (0 allies, 1 enemies).

    Raises:
        PtdeError: no such unit type; the nearest name is offered.
    """
    try:
        return _all_units()[name, side]
    except KeyError:
        raise unknown("unit type", name, unit_names()) from None
