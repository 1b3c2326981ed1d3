"""A PettingZoo environment that cannot be won: two agents gather, and are paid for gathering what is asked for."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv


class Gathering(ParallelEnv):
    """Four steps; each pays the share of agents that gather the good thing, which both see, minus a fee."""

    metadata = {"name": "gathering_v0"}  # noqa: RUF012  as PettingZoo's own
    max_cycles = 5
    possible_agents = ["left", "right"]  # noqa: RUF012
    fee = 0.0

    def observation_space(self, agent: str) -> Box:
        return Box(0, 1, (2,), np.float32)

    def action_space(self, agent: str) -> Discrete:
        return Discrete(2)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        self.agents, self.t = list(self.possible_agents), 0
        self.good = np.random.default_rng(seed).integers(2, size=5)
        return self.views(), {agent: {} for agent in self.agents}

    def views(self) -> dict[str, Any]:
        shown = np.eye(2, dtype=np.float32)[self.good[self.t]]
        return dict.fromkeys(self.agents, shown)

    def step(self, actions: dict[str, int]) -> tuple[dict[str, Any], ...]:
        right = np.mean([action == self.good[self.t] for action in actions.values()])
        self.t += 1
        seen, played, over = self.views(), self.agents, self.t == 4
        if over:
            self.agents = []
        none = {agent: {} for agent in played}
        return (
            seen,
            dict.fromkeys(played, float(right) - self.fee),
            dict.fromkeys(played, over),
            dict.fromkeys(played, False),
            none,
        )


class Paying(Gathering):
    """The same, dearer than it pays: every return is below 0."""

    metadata = {"name": "paying_v0", "can_be_won": False}  # noqa: RUF012
    fee = 1.5


parallel_env = Gathering
