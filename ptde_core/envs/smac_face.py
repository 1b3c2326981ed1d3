"""Skirmish under SMAC's own method names: code written for the `smac` package runs after changing its import line.

    from smac.env import StarCraft2Env                      # before
    from ptde_core.envs.smac_face import StarCraft2Env      # after

What it returns has SMAC's types (lists, numpy vectors, plain floats) and SMAC's rules (SPEC 1 to 8). The battles are
skirmish's, not StarCraft II's: a number that comes from here is a skirmish number.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, SupportsInt

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError, unknown
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.skirmish.environment import Skirmish
from ptde_core.envs.skirmish.fields import EAST, FIRST_TARGET, NORTH, SOUTH, WEST
from ptde_core.envs.skirmish.scripted import HEALER, Heuristic

SETTLED: Mapping[str, Any] = {
    "step_mul": 8,
    "move_amount": 2,
    "difficulty": "7",
    "game_version": None,
    "obs_all_health": True,
    "obs_own_health": True,
    "obs_last_action": False,
    "obs_pathing_grid": False,
    "obs_terrain_height": False,
    "obs_instead_of_state": False,
    "obs_timestep_number": False,
    "state_last_action": True,
    "state_timestep_number": False,
    "reward_sparse": False,
    "reward_only_positive": True,
    "reward_death_value": 10,
    "reward_win": 200,
    "reward_defeat": 0,
    "reward_negative_scale": 0.5,
    "reward_scale": True,
    "reward_scale_rate": 20,
    "replay_dir": "",
    "replay_prefix": "",
    "window_size_x": 1920,
    "window_size_y": 1200,
    "debug": False,
}
"""SMAC's other arguments with the one value that skirmish plays: SMAC's default, which is also PyMARL's `sc2.yaml`."""

_CHOSEN = ("map_name", "seed", "continuing_episode", "heuristic_ai", "heuristic_rest")


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


class StarCraft2Env(MultiAgentEnv):
    """One skirmish battle after another, played as SMAC's class of this name is played.

    Args:
        map_name: a built-in map, or the path of a map file of your own (docs/own-maps.md).
        seed: decides all battles: the k-th `reset` starts the same battle in every object of this seed. None: drawn
            from the system; `seed()` tells it.
        continuing_episode: mark a battle that ran out of time by `info["episode_limit"] = True`, as SMAC does.
        heuristic_ai: SMAC's script plays instead of the given actions; `step` overwrites the list that it was given
            with what was really played (SPEC 8).
        heuristic_rest: the script walks towards targets out of reach with move actions.
        settled: SMAC's other arguments, which have to be at their defaults (`SETTLED`).

    Raises:
        PtdeError: unknown map, unknown argument, or an argument at a value that skirmish does not play.
    """

    def __init__(
        self,
        map_name: str | Path = "8m",
        seed: int | None = None,
        continuing_episode: bool = False,
        heuristic_ai: bool = False,
        heuristic_rest: bool = False,
        **settled: Any,
    ) -> None:
        for name, value in settled.items():
            if name not in SETTLED:
                raise unknown("argument", name, (*_CHOSEN, *SETTLED))
            if value != SETTLED[name]:
                raise PtdeError(
                    f"{name} = {value!r} is not played by skirmish", f"only SMAC's default {SETTLED[name]!r}"
                )
        if heuristic_rest and not heuristic_ai:
            raise PtdeError("heuristic_rest without heuristic_ai", "give heuristic_ai=True too")
        self._env = Skirmish(map_name, 1)
        self._seed = secrets.randbits(63) if seed is None else int(seed)
        self.map_name = self._env.spec.map
        self.n_agents = self._env.spec.n_agents
        self.n_enemies = self._env.facts.n_enemies
        self.n_actions = self._env.spec.n_actions
        self.episode_limit = self._env.spec.episode_limit
        self.continuing_episode = continuing_episode
        self.battles_won = 0
        self.battles_game = 0
        self.timeouts = 0
        self._battles_begun = 0
        self._over = True
        self._script: Heuristic | None = None
        self._scripted, self._script_walks = heuristic_ai, heuristic_rest
        self.last_action = np.zeros((self.n_agents, self.n_actions), np.float32)

    def reset(self) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
        """Start the next battle; N observations (O,) and the state (S,)."""
        self._env.reset(episode_seeds(self._seed, "smac_face", self._battles_begun, 1))
        self._battles_begun += 1
        self._over = False
        self._script = Heuristic(self._env) if self._scripted else None
        self.last_action[:] = 0.0
        return self.get_obs(), self.get_state()

    def step(self, actions: Sequence[SupportsInt]) -> tuple[float, bool, dict[str, Any]]:
        """Play one env step (half a second of the game).

        Args:
            actions: N action numbers. With heuristic_ai it has to be a list or array: it is overwritten in place.

        Returns:
            reward: scaled so that a flawless win is worth 20 (SPEC 6).
            terminated: won, lost, drawn or out of time.
            info: battle_won, dead_allies, dead_enemies; episode_limit if the time is up in a continuing episode.

        Raises:
            AssertionError: an agent cannot do its action now; nothing has moved then.
            ValueError: the battle is over, or not one action per agent.
        """
        if self._over:
            raise ValueError("the battle is over: call reset() before the next step")
        given = [int(action) for action in actions]
        if len(given) != self.n_agents:
            raise ValueError(f"{len(given)} actions for {self.n_agents} agents")
        if self._script is None:
            self._assert_available(given)
            self._env.step(np.array([given]))
        else:
            played = self._scripted_actions(self._script)
            self._env.step_freely(played[None])
            actions[:] = played.tolist()  # type: ignore[index]  # SMAC's own side effect (SPEC 8)
        self.last_action[:] = np.eye(self.n_actions, dtype=np.float32)[given]
        return float(self._env.reward[0]), *self._ending()

    def _assert_available(self, given: list[int]) -> None:
        for agent, action in enumerate(given):
            can = 0 <= action < self.n_actions and self._env.available[0, agent, action]
            if not can:  # SMAC's contract is an AssertionError, also where Python runs without assertions
                raise AssertionError(f"agent {agent} cannot do action {action} now")

    def _ending(self) -> tuple[bool, dict[str, Any]]:
        alive = self._env.raw_units()["alive"][0]  # (U,)
        won, out_of_time = bool(self._env.won[0]), bool(self._env.truncated[0])
        info: dict[str, Any] = {
            "battle_won": won,
            "dead_allies": int((~alive[: self.n_agents]).sum()),
            "dead_enemies": int((~alive[self.n_agents :]).sum()),
        }
        self._over = out_of_time or bool(self._env.terminated[0])
        if self._over:
            self.battles_game += 1
            self.battles_won += won
            self.timeouts += out_of_time
        if out_of_time and self.continuing_episode:
            info["episode_limit"] = True
        return self._over, info

    def _scripted_actions(self, script: Heuristic) -> NDArray[np.int64]:
        """What SMAC's script plays now (N,); walking replaces orders on targets out of reach (SPEC 8)."""
        chosen: NDArray[np.int64] = script.actions()[0]
        if self._script_walks:
            raw = self._env.raw_units()[0]
            for agent in np.flatnonzero(chosen >= FIRST_TARGET):
                if self._env.available[0, agent, chosen[agent]]:
                    continue
                side = 0 if raw[agent]["type"] == HEALER else self.n_agents
                target = raw[side + chosen[agent] - FIRST_TARGET]
                dx, dy = target["x"] - raw[agent]["x"], target["y"] - raw[agent]["y"]
                along_x = abs(dx) > abs(dy)
                chosen[agent] = (EAST if dx > 0 else WEST) if along_x else (NORTH if dy > 0 else SOUTH)
        return chosen

    def get_obs(self) -> list[NDArray[np.float32]]:
        """Copies of all observations: N vectors (O,)."""
        return [self.get_obs_agent(agent) for agent in range(self.n_agents)]

    def get_obs_agent(self, agent_id: int) -> NDArray[np.float32]:
        """A copy of one observation (O,)."""
        view: NDArray[np.float32] = self._env.obs[0, agent_id].copy()
        return view

    def get_state(self) -> NDArray[np.float32]:
        """A copy of the state (S,). Its last block holds the given actions, also where the script played others."""
        state: NDArray[np.float32] = self._env.state[0].copy()
        state[-self.last_action.size :] = self.last_action.ravel()
        return state

    def get_avail_actions(self) -> list[list[int]]:
        """1 where an agent may choose an action, else 0: N lists of A."""
        return [self.get_avail_agent_actions(agent) for agent in range(self.n_agents)]

    def get_avail_agent_actions(self, agent_id: int) -> list[int]:
        """The same of one agent."""
        row: list[int] = self._env.available[0, agent_id].astype(int).tolist()
        return row

    def get_obs_size(self) -> int:
        """Length of an observation."""
        return self._env.spec.obs_size

    def get_state_size(self) -> int:
        """Length of the state."""
        return self._env.spec.state_size

    def get_total_actions(self) -> int:
        """Actions of an agent: 6 + enemies."""
        return self.n_actions

    def get_obs_feature_names(self) -> list[str]:
        """One name per number of an observation, in order."""
        return list(self._env.spec.obs_names)

    def get_state_feature_names(self) -> list[str]:
        """One name per number of the state, in order."""
        return list(self._env.spec.state_names)

    def get_obs_move_feats_size(self) -> int:
        """Length of an observation's first block: the four directions."""
        return 4

    def get_obs_enemy_feats_size(self) -> tuple[int, int]:
        """Its second block: enemies, and numbers about each."""
        return self.n_enemies, 4 + self._body_size(1)

    def get_obs_ally_feats_size(self) -> tuple[int, int]:
        """Its third block: other allies, and numbers about each."""
        return self.n_agents - 1, 4 + self._body_size(0)

    def get_obs_own_feats_size(self) -> int:
        """Its last block: numbers about oneself."""
        return self._body_size(0)

    def _body_size(self, side: int) -> int:
        """Health, shield if the side has one, type bits (SPEC 5.1)."""
        facts = self._env.facts
        return 1 + facts.has_shields(side) + len(facts.ally_type_bits)

    def get_env_info(self) -> dict[str, Any]:
        """Sizes, and what the state says of one ally and of one enemy (`agent_features`, `enemy_features`)."""
        facts = self._env.facts
        bits = [f"type_{k}" for k in range(len(facts.ally_type_bits))]
        shields = [["shield"] if facts.has_shields(side) else [] for side in (0, 1)]
        return super().get_env_info() | {
            "agent_features": ["health", "energy/cooldown", "rel_x", "rel_y", *shields[0], *bits],
            "enemy_features": ["health", "rel_x", "rel_y", *shields[1], *bits],
        }

    def get_stats(self) -> dict[str, float]:
        """Battles so far; `battles_draw` counts battles that ran out of time, as SMAC's does."""
        return {
            "battles_won": self.battles_won,
            "battles_game": self.battles_game,
            "battles_draw": self.timeouts,
            "win_rate": self.battles_won / self.battles_game if self.battles_game else 0.0,
            "timeouts": self.timeouts,
            "restarts": 0,  # SMAC counts crashes of the game here; there is none that could crash
        }

    def seed(self) -> int:
        """The seed that decides all battles."""
        return self._seed

    def close(self) -> None:
        """Release the simulator."""
        self._env.close()

    def render(self, mode: str = "human") -> NoReturn:
        """Skirmish has no window.

        Raises:
            PtdeError: always; it says what draws battles instead.
        """
        raise PtdeError(f"skirmish has no window to render in (mode {mode!r})", "`ptde visualize` draws battles as GIF")

    def save_replay(self) -> NoReturn:
        """A .SC2Replay can only be written by StarCraft II.

        Raises:
            PtdeError: always; it says what draws battles instead.
        """
        raise PtdeError("skirmish cannot write StarCraft II replays", "`ptde visualize` draws battles as GIF")
