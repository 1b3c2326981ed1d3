"""Stand-in: SMACv2's wrapper, whose teams are drawn by generators that it seeds by nothing."""

import random
import sys
from typing import Any

import numpy as np

assert "smac" not in sys.modules, "the two packages must not meet in one process"


class Distribution:
    """Draws the teams; another one inside it draws where they stand."""

    def __init__(self, inner: "Distribution | None") -> None:
        self.rng = np.random.default_rng()
        self.inner = inner

    def generate(self) -> list[float]:
        own = [self.rng.random(), random.random(), np.random.random()]  # noqa: NPY002  as the real one does
        return own + (self.inner.generate() if self.inner else [])


class _Game:
    def __init__(self) -> None:
        self._seed: int | None = None
        self.force_restarts = self._episode_count = 0


class StarCraftCapabilityEnvWrapper:
    def __init__(self, **given: Any) -> None:
        self.given, self.env = given, _Game()
        self.env_key_to_distribution_map = {"team_gen": Distribution(Distribution(None))}
        teams = given["capability_config"]
        self.n_agents, self.n_enemies, self._limit = teams["n_units"], teams["n_enemies"], 5

    def reset(self) -> None:
        self._drawn = self.env_key_to_distribution_map["team_gen"].generate()
        self._steps = 0

    def step(self, actions: list[int]) -> tuple[float, bool, dict[str, Any]]:
        self._steps += 1
        over = self._steps == self._limit
        return 1.0, over, {"battle_won": False, **({"episode_limit": True} if over else {})}

    def get_obs(self) -> list[np.ndarray]:
        return [np.array([*self._drawn, self._steps], np.float32) for _ in range(self.n_agents)]

    def get_state(self) -> np.ndarray:
        return np.array([*self._drawn, self._steps], np.float32)

    def get_avail_agent_actions(self, agent: int) -> list[int]:
        return [0, *([1] * (5 + self.n_enemies))]

    def get_env_info(self) -> dict[str, int]:
        sizes = {"state_shape": 7, "obs_shape": 7, "n_actions": 6 + self.n_enemies}
        return {**sizes, "n_agents": self.n_agents, "episode_limit": self._limit}

    def close(self) -> None:
        pass
