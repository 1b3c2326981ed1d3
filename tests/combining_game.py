"""A PettingZoo environment that is made with arguments, and whose agents choose two things at once."""

from typing import Any

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete
from pettingzoo import ParallelEnv


class Combining(ParallelEnv):
    """The reward is what the agents chose in the second place; an episode has two steps."""

    metadata = {"name": "combining_v0", "can_be_won": False}  # noqa: RUF012  as PettingZoo's own
    max_cycles = 2

    def __init__(self, n: int, mask: list[Any] | None, parts: list[int]) -> None:
        self.possible_agents = [f"a{k}" for k in range(n)]
        self.mask, self.parts, self.taken = mask, parts, {}

    def observation_space(self, agent: str) -> Box:
        return Box(0, 1, (1,), np.float32)

    def action_space(self, agent: str) -> MultiDiscrete:
        return MultiDiscrete(self.parts)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        self.agents, self.t = list(self.possible_agents), 0
        return self.views()

    def views(self) -> tuple[dict[str, Any], dict[str, Any]]:
        seen = {agent: np.zeros(1, np.float32) for agent in self.agents}
        return seen, {agent: {} if self.mask is None else {"action_mask": self.mask} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        self.t, self.taken = self.t + 1, actions
        seen, infos = self.views()
        late = dict.fromkeys(self.agents, self.t == self.max_cycles)
        rewards = {agent: float(actions[agent][1]) for agent in self.agents}
        self.agents = [] if self.t == self.max_cycles else self.agents
        return seen, rewards, dict.fromkeys(late, False), late, infos


def make(n: int = 2, mask: list[Any] | None = None, most: bool = False) -> Combining:
    return Combining(n, mask, [1000, 1000] if most else [2, 3])
