"""What the game's data leave open, as named switches. Why each default: docs/explanation/skirmish.md, Estimates."""

from dataclasses import dataclass, fields
from typing import Any

from ptde_core.base.errors import PtdeError, nearest, quoted


@dataclass(frozen=True)
class Switches:
    """Rules known from the client, fitted, or estimated. A map file may set any of them in `[switches]`."""

    head_start_loops: int = 0
    """Game loops that the enemy walks before the first observation (0 to 2 in the real game, smac-contract#start)."""
    backswing_holds: bool = True
    """A unit finishes its backswing before it follows a target; on its march, without one, it walks on at once."""
    chase_to_leash: bool = True
    """Targets are followed anywhere, by idle units up to 21 from where they stood; false: within the scan range."""
    retarget_hittable: bool = True
    """A unit on its way leaves its target for one that it can hit at once."""
    turn_on_shooter: bool = True
    """A unit on its way to a target that it cannot hit yet turns on whoever damages it."""
    idle_returns: bool = True
    """An idle unit that was drawn away walks back to where it stood once it has no target."""
    push_idle: bool = True
    """A walking unit pushes idle units of its own side out of its way; false: walks around them."""
    wall_clearance: float = 1.0
    """How far a unit's centre stays off walls, as a share of its inner radius."""
    squeeze: float = 0.48
    """How far crowds press units from their separation radii (0) towards their inner radii (1)."""
    heal_scan_loops: int = 16
    """An enemy medivac looks for its next patient every so many loops; in which of them is chance."""
    healer_follows: bool = True
    """An enemy medivac follows the attack order as a scan-move; false: it stays at its spawn point."""
    keep_formation: bool = True
    """A group that covers at most 6 cells in both directions keeps its shape; false: all go to the same point."""

    @classmethod
    def of(cls, table: dict[str, Any], where: str) -> "Switches":
        """Defaults, replaced by the values of a TOML table; unknown keys and wrong types are PtdeErrors."""
        known = {f.name: f for f in fields(cls)}
        for key, value in table.items():
            if key not in known:
                raise PtdeError(f"{where} sets an unknown switch {quoted(repr(key))}", nearest(key, known))
            default = getattr(cls, key)
            right = isinstance(value, bool) if isinstance(default, bool) else isinstance(value, int | float)
            if not right or (isinstance(value, bool) and not isinstance(default, bool)):
                raise PtdeError(f"{where}: switch {key} = {quoted(repr(value))}", f"give a value like {default!r}")
            least, most = _BOUNDS.get(key, (0, 1))
            if not least <= value <= most or (isinstance(default, int) and value != int(value)):
                raise PtdeError(
                    f"{where}: switch {key} = {quoted(repr(value))}", f"give a value from {least} to {most}"
                )
        return cls(**table)


_BOUNDS: dict[str, tuple[float, float]] = {
    "head_start_loops": (0, 160),
    "heal_scan_loops": (1, 160),
    "squeeze": (0, 1),
}
