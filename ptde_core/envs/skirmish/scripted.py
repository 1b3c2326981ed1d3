"""Policies without learning: uniformly random valid actions, and SMAC's scripted heuristic (smac-contract#script)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.fields import FIRST_TARGET
from ptde_core.envs.skirmish.skirmish import UNIT_TYPES, Skirmish

HEALER = UNIT_TYPES.index("medivac")


def random_actions(available: NDArray[np.bool_], generator: np.random.Generator) -> NDArray[np.int64]:
    """One uniformly random available action per agent; available (E, N, A) -> (E, N)."""
    counts = available.sum(axis=-1)  # (E, N)
    pick = (generator.random(counts.shape) * counts).astype(np.int64) + 1  # (E, N) 1 .. count
    return np.asarray((np.cumsum(available, axis=-1) == pick[..., None]).argmax(axis=-1), np.int64)


class Heuristic:
    """SMAC's `heuristic_ai`: units attack the nearest enemy until it is dead, medivacs heal the nearest hurt ally.

    Its orders go to targets at any distance, so they are played with `Skirmish.step_freely`.
    """

    def __init__(self, env: Skirmish) -> None:
        self._env = env
        self.target = np.full((env.n_envs, env.spec.n_agents), -1)  # (E, N) index of enemy, or of ally for healers

    def actions(self) -> NDArray[np.int64]:
        """Actions (E, N) for the battles as they are now; 0 where a unit has nothing to target."""
        raw = self._env.raw_units()
        alive = raw["alive"][:, : self._env.spec.n_agents]  # (E, N)
        target = self.aim(raw)
        return np.where(alive & (target >= 0), FIRST_TARGET + target, 0)

    def aim(self, units: NDArray[np.void]) -> NDArray[np.int64]:
        """Choose the `target` (E, N) of all agents, the dead too, among units (E, U) of `RAW_UNIT`; -1: none."""
        n = self._env.spec.n_agents
        allies, enemies = units[:, :n], units[:, n:]
        heals = allies["type"] == HEALER  # (E, N)
        enemy_target = self._chosen(allies, enemies, enemies["alive"])
        hurt = allies["alive"] & (allies["health"] < self._env.full_health[:n]) & ~heals
        ally_target = self._chosen(allies, allies, hurt)
        self.target = np.where(heals, ally_target, enemy_target)
        return self.target

    def _chosen(self, own: NDArray[Any], others: NDArray[Any], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The kept target while it is wanted, else the nearest wanted one, lowest index first; -1: none (E, N)."""
        away = np.hypot(own["x"][:, :, None] - others["x"][:, None], own["y"][:, :, None] - others["y"][:, None])
        away[np.broadcast_to(~wanted[:, None], away.shape)] = np.inf  # (E, N, M)
        nearest = np.where(np.isfinite(away.min(axis=-1)), away.argmin(axis=-1), -1)
        kept = np.clip(self.target, 0, others.shape[1] - 1)
        keep = (self.target >= 0) & np.take_along_axis(wanted, kept, axis=1)
        return np.where(keep, self.target, nearest)
