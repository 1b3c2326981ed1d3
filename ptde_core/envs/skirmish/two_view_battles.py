"""Skirmish with two views for each agent: the observations of SMAC, cut at two other distances."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from ptde_core.envs.skirmish.fields import SIGHT
from ptde_core.envs.skirmish.skirmish import Skirmish, Snapshot
from ptde_core.envs.skirmish.smac_views import observe
from ptde_core.envs.two_views import Sights, two_views


class TwoViewSkirmish(Skirmish):
    """The same battles; `obs` (E, N, 2 O) is the wide view, then the own one.

    A unit is shown in a view if it is nearer than that view's sight. Distances are divided by SMAC's sight in both, so
    a wider view differs from a narrower one only in what more it shows.
    """

    def __init__(self, map: str | Path, n_envs: int, sights: Sights) -> None:  # noqa: A002  the word users type
        super().__init__(map, n_envs)
        self._ranges = (
            math.inf if sights.wide == "all" else sights.wide,
            SIGHT if sights.own == "own" else sights.own,
        )
        ordinary = self.spec
        self._views = [np.zeros_like(self._battles.obs) for _ in self._ranges]  # (E, N, O) each
        self.spec = two_views(ordinary, ordinary.obs_names, Sights(sights.wide, self._ranges[1]))
        self.obs = np.zeros((n_envs, ordinary.n_agents, self.spec.obs_size), np.float32)

    def _advance(self, *given: Any, **named: Any) -> None:
        super()._advance(*given, **named)
        self._show()

    def restore(self, snapshot: Snapshot) -> None:
        """Return to a snapshot of this environment, or of an equal one."""
        super().restore(snapshot)
        self._show()

    def _show(self) -> None:
        b: Any = self._battles
        for view, sight in zip(self._views, self._ranges, strict=True):
            observe(self._tables, b.real, b.whole, b.available, sight, view)
        np.concatenate(self._views, axis=-1, out=self.obs)
