"""`MultiAgentEnv`: the methods that PyMARL-family code calls on any environment."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, SupportsInt

import numpy as np
from numpy.typing import NDArray


class MultiAgentEnv(ABC):
    """What PyMARL-family code calls on an environment, by SMAC's names. Agents are numbered from 0."""

    n_agents: int
    episode_limit: int

    @abstractmethod
    def reset(self) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
        """Start an episode; observations of all agents and the state."""

    @abstractmethod
    def step(self, actions: Sequence[SupportsInt]) -> tuple[float, bool, dict[str, Any]]:
        """One action per agent; reward, whether the episode is over, and facts about it."""

    @abstractmethod
    def get_obs(self) -> list[NDArray[np.float32]]:
        """Observations of all agents, each (O,)."""

    @abstractmethod
    def get_obs_agent(self, agent_id: int) -> NDArray[np.float32]:
        """Observation of one agent (O,)."""

    @abstractmethod
    def get_obs_size(self) -> int:
        """O."""

    @abstractmethod
    def get_state(self) -> NDArray[np.float32]:
        """The state (S,)."""

    @abstractmethod
    def get_state_size(self) -> int:
        """S."""

    @abstractmethod
    def get_avail_actions(self) -> list[list[int]]:
        """Per agent, 1 for each action that it may choose and 0 for the others (N lists of A)."""

    @abstractmethod
    def get_avail_agent_actions(self, agent_id: int) -> list[int]:
        """The same of one agent (A)."""

    @abstractmethod
    def get_total_actions(self) -> int:
        """A."""

    def get_env_info(self) -> dict[str, Any]:
        """The sizes that learners build their networks from."""
        return {
            "state_shape": self.get_state_size(),
            "obs_shape": self.get_obs_size(),
            "n_actions": self.get_total_actions(),
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
        }
