"""An agent's two views of one scene, side by side in `obs`: a wide one for a teacher, the agent's own for a student.

Episodes, replay and play carry both without knowing of it. `columns_of` says which columns are whose, `one_view` what
an environment that showed only one of them would be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.envs.interface import BatchedEnv, EnvSpec, FreeRows

View = Literal["wide", "own"]
EVERY = slice(None)


@dataclass(frozen=True)
class Sights:
    """How far the two views of an agent reach.

    Args:
        wide: cells; "all" is everything there is.
        own: cells; "own" is what the environment gives its agents by itself.
    """

    wide: float | Literal["all"] = "all"
    own: float | Literal["own"] = "own"


def two_views(spec: EnvSpec, wide_names: Sequence[str], sights: Sights) -> EnvSpec:
    """The facts of an environment that shows both views: `wide_names` first, then what `spec` shows by itself.

    The sights stand in the names, so that views of another reach have another fingerprint.
    """
    names = (
        *(f"wide view, sight {sights.wide}: {name}" for name in wide_names),
        *(f"own view, sight {sights.own}: {name}" for name in spec.obs_names),
    )
    return replace(spec, obs_names=names, obs_size=len(names))


def columns_of(spec: EnvSpec, view: View) -> slice:
    """Where one of the two views stands in `obs` (..., O)."""
    own = [name.startswith(f"{view} view, ") for name in spec.obs_names]
    assert any(own), f"{spec.backend} {spec.map} does not show two views"
    first = own.index(True)
    return slice(first, first + sum(own))


def one_view(spec: EnvSpec, view: View) -> EnvSpec:
    """The facts of the environment as one who sees a single view of the two knows it."""
    names = spec.obs_names[columns_of(spec, view)]
    return replace(spec, obs_names=names, obs_size=len(names))


class StateBesideView:
    """Two views where there are no distances to cut a view by: the wide one is the agent's own and the whole state.

    `env` is the environment that is shown so.

    Raises:
        PtdeError: a number of cells was asked for.
    """

    def __init__(self, env: BatchedEnv, sights: Sights) -> None:
        for cells in (sights.wide, sights.own):
            if not isinstance(cells, str):
                raise PtdeError(
                    f"{env.spec.backend} {env.spec.map} has no distances, so no sight of {cells:g}",
                    "leave teacher_sight = all and student_sight = own",
                )
        self.env, self.n_envs = env, env.n_envs
        self.spec = two_views(env.spec, (*env.spec.obs_names, *env.spec.state_names), sights)
        self.obs = np.zeros((env.n_envs, env.spec.n_agents, self.spec.obs_size), np.float32)
        self.state, self.available, self.reward = env.state, env.available, env.reward
        self.terminated, self.truncated, self.won, self.lost = env.terminated, env.truncated, env.won, env.lost

    @property
    def restarts(self) -> int:
        """As the environment counts them; see `BatchedEnv.restarts`."""
        return self.env.restarts

    def reset(self, seeds: NDArray[np.uint64], rows: NDArray[np.intp] | None = None) -> None:
        """Start new episodes; see `BatchedEnv.reset`."""
        self.env.reset(seeds, rows)
        self._show()

    def step(self, actions: NDArray[np.integer[Any]]) -> None:
        """Advance; see `BatchedEnv.step`."""
        self.env.step(actions)
        self._show()

    def _show(self, rows: slice | list[int] = EVERY) -> None:
        own, state = self.env.obs[rows], self.state[rows]  # (k, N, O), (k, S)
        seen = np.broadcast_to(state[:, None], (*own.shape[:2], state.shape[1]))  # (k, N, S)
        self.obs[rows] = np.concatenate([own, seen, own], axis=-1)

    def snapshot(self) -> Any:
        """A copy of everything that decides what follows."""
        return self.env.snapshot()

    def restore(self, snapshot: Any) -> None:
        """Return to a snapshot."""
        self.env.restore(snapshot)
        self._show()

    def close(self) -> None:
        """Release what the environment holds."""
        self.env.close()


class FreeStateBesideView(StateBesideView):
    """The same on environments that do not wait for each other; see `FreeRows`."""

    def __init__(self, env: FreeRows, sights: Sights) -> None:
        super().__init__(env, sights)
        self._free = env

    def begin(self, row: int, seed: int) -> None:
        """Ask for an episode."""
        self._free.begin(row, seed)

    def ask(self, rows: Sequence[int], actions: NDArray[np.integer[Any]]) -> None:
        """Ask for a step."""
        self._free.ask(rows, actions)

    def answered(self) -> list[int]:
        """Wait until rows have answered."""
        rows = self._free.answered()
        self._show(rows)
        return rows
