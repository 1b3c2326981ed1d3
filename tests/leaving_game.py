"""A PettingZoo environment without the usual habits: unequal views and actions, no state, agents that leave early."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv


class Leaving(ParallelEnv):
    """The small agent leaves after one step; the big one wins by action 2, or runs out of time after 4 steps."""

    metadata = {"name": "leaving_v0"}  # noqa: RUF012  as PettingZoo's own
    max_cycles = 4
    possible_agents = ["big", "small"]  # noqa: RUF012

    def observation_space(self, agent: str) -> Box:
        return Box(-1, 1, (2, 2) if agent == "big" else (1,), np.float32)

    def action_space(self, agent: str) -> Discrete:
        return Discrete(3 if agent == "big" else 2)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        self.agents, self.t = list(self.possible_agents), 0
        return self.views(), {"big": {"action_mask": [1, 0, 1]}, "small": {}}

    def views(self) -> dict[str, Any]:
        every = {"big": np.full((2, 2), 0.1 * self.t, np.float32), "small": np.ones(1, np.float32)}
        return {agent: every[agent] for agent in self.agents}

    def step(self, actions: dict[str, int]) -> tuple[dict[str, Any], ...]:
        assert set(actions) == set(self.agents)
        self.t += 1
        seen, played, won = self.views(), self.agents, actions["big"] == 2
        ended = {agent: agent == "small" or won for agent in played}
        late = {agent: self.t == self.max_cycles and not ended[agent] for agent in played}
        self.agents = [agent for agent in played if not ended[agent] and not late[agent]]
        infos = {agent: {"won": won, "action_mask": [1, 0, 1] if agent == "big" else [1, 1]} for agent in played}
        return seen, dict.fromkeys(played, 1.0), ended, late, infos


parallel_env = Leaving
