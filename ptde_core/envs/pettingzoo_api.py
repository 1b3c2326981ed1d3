"""Skirmish as a PettingZoo `ParallelEnv` with `state()` and action masks (extra `pettingzoo`).

    from ptde_core.envs import pettingzoo_api as skirmish_v1
    env = skirmish_v1.parallel_env(map="3m")

The module has what PettingZoo's own environment modules have, `parallel_env`, `env` and `raw_env`, because PettingZoo
keeps no registry: an environment is found by the path of its module.

How the contract maps. Masks stand in the observation, {"observation", "action_mask"}: PettingZoo's tests, `sample` and
TorchRL (thus BenchMARL) look there, and a mask in `infos` would not be part of any space. Agents are `agent_0`,
`agent_1`, ... whatever their unit, so that libraries that group agents by name make one team of them. An agent whose
unit died stays: it sees zeros and may only do action 0, as in SMAC, so the team keeps its size for mixers and critics.
All agents get the team's reward, and all end at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.skirmish.fields import NO_OP, STOP
from ptde_core.envs.skirmish.map_files import MapFacts
from ptde_core.envs.skirmish.skirmish import Skirmish

try:
    from gymnasium.spaces import Box, Dict, Discrete
    from pettingzoo import AECEnv, ParallelEnv
    from pettingzoo.utils.conversions import parallel_to_aec
    from pettingzoo.utils.wrappers import OrderEnforcingWrapper
except ImportError as error:
    raise ImportError('PettingZoo is not installed; type: pip install "ptde[pettingzoo]"') from error

Seen = dict[str, NDArray[Any]]
"""One agent's view: "observation" (O,) float32 and "action_mask" (A,) int8."""


class ParallelSkirmish(ParallelEnv[str, Seen, int]):  # type: ignore[misc]  # PettingZoo ships no types
    """One battle of skirmish for PettingZoo.

    Args:
        map: a built-in map's name, the path of a map file, or facts made by hand.
        strict: an action that is not available is an error. False, the default: the unit stops instead (a dead one
            does nothing) and its info says so, since every action of an action space has to be playable in PettingZoo.
        render_mode: None; battles are drawn from checkpoints, by `ptde visualize`.

    Raises:
        PtdeError: unknown map, faulty map file, or a render mode.
    """

    def __init__(
        self,
        map: str | MapFacts = "3m",  # noqa: A002  the name of this argument everywhere in ptde
        *,
        strict: bool = False,
        render_mode: None = None,
    ) -> None:
        if render_mode is not None:
            raise PtdeError(f"render_mode = {render_mode!r} is not offered", "`ptde visualize` draws battles as GIF")
        self._env = Skirmish(map, 1)
        spec = self._env.spec
        self.metadata = {
            "name": f"skirmish_v{spec.version}",
            "render_modes": [],
            "is_parallelizable": True,
            "can_be_won": spec.can_be_won,  # read by `--env pettingzoo`
        }
        self.render_mode = render_mode
        self.strict = strict
        self.possible_agents = [f"agent_{k}" for k in range(spec.n_agents)]
        self.agents: list[str] = []
        self.observation_spaces = {agent: self._view_space() for agent in self.possible_agents}
        self.action_spaces = {agent: Discrete(spec.n_actions) for agent in self.possible_agents}
        self.state_space = Box(-np.inf, np.inf, (spec.state_size,), np.float32)
        self._seed = _fresh_seed()
        self._battles_begun = 0

    def _view_space(self) -> Dict:
        """Views are unbounded on paper only: ratios of health and distance, mostly within [-1, 1]."""
        spec = self._env.spec
        return Dict(
            {
                "observation": Box(-np.inf, np.inf, (spec.obs_size,), np.float32),
                "action_mask": Box(0, 1, (spec.n_actions,), np.int8),
            }
        )

    def observation_space(self, agent: str) -> Dict:
        """An agent's view: {"observation": (O,) float32, "action_mask": (A,) int8}."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Discrete:
        """The A actions: no-op, stop, four moves, one per enemy."""
        return self.action_spaces[agent]

    def reset(
        self,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002  PettingZoo hands over any; skirmish has none
    ) -> tuple[dict[str, Seen], dict[str, dict[str, Any]]]:
        """Start a battle: views and infos by agent.

        Args:
            seed: decides this battle, and the following ones that are started without a seed. Without any seed the
                first one is drawn from the system.
            options: not read.
        """
        if seed is not None:
            self._seed, self._battles_begun = int(seed), 0
        self._env.reset(episode_seeds(self._seed, "pettingzoo_api", self._battles_begun, 1))
        self._battles_begun += 1
        self.agents = list(self.possible_agents)
        return self._views(), self._infos(np.zeros(len(self.agents), np.bool_))

    def step(
        self, actions: dict[str, int]
    ) -> tuple[dict[str, Seen], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One env step (half a second of the game) for all agents.

        Returns:
            By agent: views, rewards (the team's), terminated (won, lost or drawn), truncated (the time is up), and
            infos: "won", and "unavailable" where the agent's action was not available and a stop was played instead.

        Raises:
            ValueError: an action is missing, is no number of the action space, or (strict) is not available; or the
                battle is over.
        """
        if not self.agents:
            raise ValueError("the battle is over: call reset() before the next step")
        if set(actions) != set(self.agents):
            raise ValueError(f"actions for {sorted(actions)}, not for each of {self.agents}")
        chosen = np.array([int(actions[agent]) for agent in self.agents])  # (N,)
        available = self._env.available[0]  # (N, A)
        for agent, action in zip(self.agents, chosen.tolist(), strict=True):
            if not 0 <= action < self._env.spec.n_actions:
                raise ValueError(f"{agent}: there is no action {action}")
        unavailable = ~available[np.arange(len(chosen)), chosen]  # (N,)
        if self.strict and unavailable.any():
            first = int(unavailable.argmax())
            raise ValueError(f"{self.agents[first]}: action {chosen[first]} is not available")
        instead = np.where(available[:, STOP], STOP, NO_OP)  # (N,)
        self._env.step(np.where(unavailable, instead, chosen)[None])
        views, infos = self._views(), self._infos(unavailable)
        rewards = dict.fromkeys(self.agents, float(self._env.reward[0]))
        terminated = dict.fromkeys(self.agents, bool(self._env.terminated[0]))
        truncated = dict.fromkeys(self.agents, bool(self._env.truncated[0]))
        if self._env.terminated[0] or self._env.truncated[0]:
            self.agents = []
        return views, rewards, terminated, truncated, infos

    def _views(self) -> dict[str, Seen]:
        obs, masks = self._env.obs[0].copy(), self._env.available[0].astype(np.int8)
        return {agent: {"observation": obs[k], "action_mask": masks[k]} for k, agent in enumerate(self.possible_agents)}

    def _infos(self, unavailable: NDArray[np.bool_]) -> dict[str, dict[str, Any]]:
        # The same keys at every moment: TorchRL builds its specs from the infos of the first reset.
        won = bool(self._env.won[0])
        return {
            agent: {"won": won, "unavailable": bool(unavailable[k])} for k, agent in enumerate(self.possible_agents)
        }

    def state(self) -> NDArray[np.float32]:
        """SMAC's state (S,): what a central critic or mixer may see, and no agent."""
        state: NDArray[np.float32] = self._env.state[0].copy()
        return state

    def render(self) -> None:
        """There is no render mode, so there is nothing to show."""

    def close(self) -> None:
        """Release the simulator."""
        self._env.close()


def _fresh_seed() -> int:
    return int(np.random.default_rng().integers(2**63))


def parallel_env(map: str | MapFacts = "3m", *, strict: bool = False, render_mode: None = None) -> ParallelSkirmish:  # noqa: A002
    """A battle for all agents at once; the arguments are those of `ParallelSkirmish`."""
    return ParallelSkirmish(map, strict=strict, render_mode=render_mode)


def raw_env(map: str | MapFacts = "3m", *, strict: bool = False, render_mode: None = None) -> AECEnv[str, Seen, int]:  # noqa: A002
    """The same with agents that move one after the other, each step being played when the last has chosen."""
    return parallel_to_aec(parallel_env(map, strict=strict, render_mode=render_mode))


def env(map: str | MapFacts = "3m", *, strict: bool = False, render_mode: None = None) -> AECEnv[str, Seen, int]:  # noqa: A002
    """`raw_env` with PettingZoo's check that its methods are called in the right order."""
    return OrderEnforcingWrapper(raw_env(map, strict=strict, render_mode=render_mode))
