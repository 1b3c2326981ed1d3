"""Google Research Football as an engine of the workers (`--env football --map SCENARIO`)."""

import importlib.util
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.envs.engines.football.features import Features
from ptde_core.envs.engines.football.rewards import Checkpoints
from ptde_core.envs.engines.football.scenarios import SCENARIOS, install_level, read_map
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.engine_contract import Outcome, View
from ptde_core.envs.workers.pool import EnginePool

RULES = "1"  # of this adapter: features, rewards, who is controlled
LIBRARIES = (
    "apt-get install -y build-essential cmake libgl1-mesa-dev libsdl2-dev libsdl2-image-dev libsdl2-ttf-dev"
    " libsdl2-gfx-dev libboost-python-dev libboost-thread-dev libboost-filesystem-dev libboost-system-dev"
)
PACKAGE = (
    "python -m pip install -U pip setuptools wheel psutil six;"
    " python -m pip install --no-build-isolation gfootball==2.10.2"
)
INSTALL = f"{LIBRARIES}; {PACKAGE}  (other systems: docs/how-to/football.md)"


class FootballEngine:
    """One game.

    The package's core is used, not its environments, which are made for a gym of long ago and copy what nobody reads.

    Args:
      name: the map, see `scenarios.GRAMMAR`.

    Raises:
      PtdeError: no such map, or gfootball is not there.
    """

    def __init__(self, name: str) -> None:
        chosen = read_map(name)
        config, core = _gfootball()
        players = SCENARIOS[chosen.scenario].players
        self._limit = chosen.limit
        self._config = config.Config(
            {
                "level": install_level(chosen.scenario),
                "players": [f"agent:left_players={len(players)}"],
                "game_engine_random_seed": 0,
                "reverse_team_processing": False,
            }
        )
        self._core = core.FootballEnvCore(self._config)
        self._features = Features(self.raw, players)
        self._checkpoints = Checkpoints() if chosen.checkpoints else None
        actions = tuple(str(action) for action in core.football_action_set.get_action_set(self._config))
        self._steps = 0
        self.spec = EnvSpec(
            backend="football",
            version=f"gfootball {version('gfootball')}, rules {RULES}",
            map=name,
            n_agents=len(players),
            n_actions=len(actions),
            obs_size=len(self._features.obs_names),
            state_size=len(self._features.state_names),
            episode_limit=chosen.limit,
            obs_names=self._features.obs_names,
            state_names=self._features.state_names,
            action_names=actions,
        )

    @property
    def raw(self) -> dict[str, Any]:
        """What the engine itself says now; its own, not to be changed."""
        seen: dict[str, Any] = self._core._observation  # the public `observation()` copies it all each time
        return seen

    def reset(self, seed: int, view: View) -> None:
        """Start the episode of that seed. The engine takes 31 bits; another decides which team it lets move first."""
        self._config["game_engine_random_seed"] = seed % 2**31
        # The package settles this one for good at the first seed, unless it is set.
        self._config["reverse_team_processing"] = bool(seed >> 31 & 1)
        self._core.reset()
        self._steps = 0
        if self._checkpoints:
            self._checkpoints.reset()
        self._show(view)

    def step(self, actions: NDArray[np.int64], view: View) -> Outcome:
        """One step of all agents, a tenth of a second; the reward is the goal's, and the checkpoints' where wanted."""
        _, goal, ended, _ = self._core.step(actions.tolist())
        self._steps += 1
        self._show(view)
        reward = float(goal)
        if self._checkpoints:
            reward += self._checkpoints.reward(self.raw, scored=goal > 0)
        return Outcome(reward, bool(ended), not ended and self._steps >= self._limit, bool(ended) and goal > 0)

    def _show(self, view: View) -> None:
        self._features.observe(self.raw, view.obs)
        self._features.state(self.raw, view.state)
        view.available[:] = True  # the engine takes every action at any time, and ignores what makes no sense

    def close(self) -> None:
        """Stop the game."""
        self._core.close()


def build_football(name: str, n_envs: int) -> EnginePool:
    """A batch of games.

    Raises:
      PtdeError: as `FootballEngine`.
    """
    read_map(name)  # before any process starts, as is the next
    require_gfootball()
    return EnginePool(partial(FootballEngine, name), n_envs)


def require_gfootball() -> None:
    """Raises PtdeError where the package is not installed."""
    if importlib.util.find_spec("gfootball") is None:
        raise PtdeError("gfootball is not installed, so there is no football here", f"type: {INSTALL}")


def _gfootball() -> tuple[Any, Any]:
    """The package's modules `config` and `football_env_core`."""
    require_gfootball()
    try:
        from gfootball.env import config, football_env_core
    except ImportError as error:
        raise PtdeError(f"gfootball is installed, but cannot be loaded ({error})", f"type: {INSTALL}") from None
    return config, football_env_core
