"""`StarCraft2Env`: one skirmish battle after another behind the methods of SMAC's class of this name."""

import inspect
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, SupportsInt

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError, unknown
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.skirmish.map_constants import max_reward
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.smac_api.arguments import check_difficulty, check_played, check_seed, seed_of_process, seeds_differ
from ptde_core.envs.smac_api.smac_battle import SmacBattle
from ptde_core.envs.smac_api.smac_units import MOVE_AMOUNT


class StarCraft2Env(SmacBattle):
    """One skirmish battle after another, played as SMAC's class of this name is played.

    The arguments have SMAC's names, order and defaults. What would change the game, its views or its rewards is played
    at SMAC's default only.

    Args:
        map_name: a built-in map, or the path of a map file of your own (docs/how-to/own-maps.md).
        step_mul: game loops per env step; 8.
        move_amount: cells that a move order leads; 2.
        difficulty: "1" to "9" or "A", also as a number. On SMAC's maps it changes nothing, here or there: the enemy is
            driven by the map's own script, not by StarCraft II's player.
        game_version: any; there is no StarCraft II whose version it could choose.
        seed: decides all battles: the k-th `reset` starts the same battle in every object of this seed. None: drawn
            from the system; `seed()` tells it. With PTDE_SMAC_SEED_PER_PROCESS=1 in the environment, each process that
            `multiprocessing` starts plays its own battles.
        continuing_episode: mark a battle that ran out of time by `info["episode_limit"] = True`, as SMAC does.
        obs_all_health: True.
        obs_own_health: any; SMAC does not read it where all health is shown.
        obs_last_action: False.
        obs_pathing_grid: False.
        obs_terrain_height: False.
        obs_instead_of_state: False.
        obs_timestep_number: False.
        state_last_action: True.
        state_timestep_number: False.
        reward_sparse: False.
        reward_only_positive: True.
        reward_death_value: 10.
        reward_win: 200.
        reward_defeat: 0.
        reward_negative_scale: any; SMAC does not read it where rewards are only positive.
        reward_scale: True.
        reward_scale_rate: 20.
        replay_dir: any; no replays are written.
        replay_prefix: any, likewise.
        window_size_x: any; there is no window.
        window_size_y: any, likewise.
        heuristic_ai: SMAC's script plays instead of the given actions; `step` overwrites the list that it was given
            with what the script chose (smac-contract#script).
        heuristic_rest: the script walks towards targets out of reach with move actions.
        debug: any; nothing is logged.
        others: none; a name that SMAC does not have.

    Raises:
        PtdeError: unknown map, unknown argument, or an argument at a value that skirmish does not play.
    """

    def __init__(
        self,
        map_name: str | Path = "8m",
        step_mul: int | str | None = 8,
        move_amount: float | str = 2,
        difficulty: str | int = "7",
        game_version: str | None = None,
        seed: int | None = None,
        continuing_episode: bool = False,
        obs_all_health: bool = True,
        obs_own_health: bool = True,
        obs_last_action: bool = False,
        obs_pathing_grid: bool = False,
        obs_terrain_height: bool = False,
        obs_instead_of_state: bool = False,
        obs_timestep_number: bool = False,
        state_last_action: bool = True,
        state_timestep_number: bool = False,
        reward_sparse: bool = False,
        reward_only_positive: bool = True,
        reward_death_value: float | str = 10,
        reward_win: float | str = 200,
        reward_defeat: float | str = 0,
        reward_negative_scale: float | str = 0.5,
        reward_scale: bool = True,
        reward_scale_rate: float | str = 20,
        replay_dir: str | Path | None = "",
        replay_prefix: str | None = "",
        window_size_x: int = 1920,
        window_size_y: int = 1200,
        heuristic_ai: bool = False,
        heuristic_rest: bool = False,
        debug: bool = False,
        **others: Any,
    ) -> None:
        given = locals()
        for name in others:
            raise unknown("argument", name, DEFAULTS)
        check_played(given, DEFAULTS)
        if heuristic_rest and not heuristic_ai:
            raise PtdeError("heuristic_rest without heuristic_ai", "give heuristic_ai=True too")
        self.difficulty = check_difficulty(difficulty)
        self._seed = secrets.randbits(63) if seed is None else check_seed(seed)
        self._drawn = self._seed if seed is None else None
        self._per_process = seeds_differ()
        super().__init__(Skirmish(map_name, 1))

        self._step_mul, self._move_amount = DEFAULTS["step_mul"], MOVE_AMOUNT
        self.obs_all_health = self.obs_own_health = True
        self.obs_last_action = self.obs_pathing_grid = self.obs_terrain_height = False
        self.obs_instead_of_state = self.obs_timestep_number = False
        self.state_last_action, self.state_timestep_number = True, False
        self.reward_sparse, self.reward_only_positive, self.reward_scale = False, True, True
        self.reward_death_value: float = DEFAULTS["reward_death_value"]
        self.reward_win: float = DEFAULTS["reward_win"]
        self.reward_defeat: float = DEFAULTS["reward_defeat"]
        self.reward_scale_rate: float = DEFAULTS["reward_scale_rate"]
        self.reward_negative_scale = reward_negative_scale
        self.game_version = game_version
        self.replay_dir, self.replay_prefix = replay_dir, replay_prefix
        self.window_size = window_size_x, window_size_y
        self.debug = debug
        self.continuing_episode = continuing_episode
        self.heuristic_ai, self.heuristic_rest = heuristic_ai, heuristic_rest

        self.battles_won = self.battles_game = self.timeouts = self.force_restarts = 0
        self._episode_steps = self._total_steps = 0  # of this battle; of all
        self._battles_begun = 0
        self._over = True
        self.win_counted = self.defeat_counted = False
        self.reward = 0.0
        self._usual_max_reward = max_reward(self._env.facts)

    def reset(self) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
        """Start the next battle; N observations (O,) and the state (S,).

        The first one completes `max_reward`. As in SMAC, each further one before the first battle has come to its end
        adds the enemies' health and shield to it once more, which makes all later rewards smaller.
        """
        seed = seed_of_process(self._seed) if self._per_process else self._seed
        self._env.reset(episode_seeds(seed, "smac_api", self._battles_begun, 1))
        self._battles_begun += 1
        self._episode_steps = 0
        self._over = self.win_counted = self.defeat_counted = False
        self._clear()
        self.init_units()
        return self.get_obs(), self.get_state()

    def full_restart(self) -> None:
        """End the running battle and begin the seed's list of battles anew at the next `reset`; counted as a restart.

        SMAC starts the game anew here. A seed that was drawn from the system is drawn anew.
        """
        if self._seed == self._drawn:
            self._seed = self._drawn = secrets.randbits(63)
        self._battles_begun = 0
        self._over = True
        self.force_restarts += 1

    def step(self, actions: Sequence[SupportsInt]) -> tuple[float, bool, dict[str, Any]]:
        """Play one env step (half a second of the game).

        Args:
            actions: N action numbers. With heuristic_ai it has to be a list or array: it is overwritten in place with
                what the script chose, for dead agents too.

        Returns:
            reward: scaled so that a flawless win is worth 20 (smac-contract#reward).
            terminated: won, lost, drawn or out of time.
            info: battle_won, dead_allies, dead_enemies; episode_limit if the time is up in a continuing episode.

        Raises:
            AssertionError: an agent cannot do its action now. Nothing has moved then, but `last_action`, which the
                state shows, has the refused actions, as in SMAC. There is no action of the number: nothing at all.
            ValueError: the battle is over, or not one action per agent.
        """
        if self._over:
            raise ValueError("the battle is over: call reset() before the next step")
        given = [int(action) for action in actions]
        if len(given) != self.n_agents:
            raise ValueError(f"{len(given)} actions for {self.n_agents} agents")
        if self.heuristic_ai:
            self.last_action = np.eye(self.n_actions)[given]
            played = self._scripted_actions()
            actions[:] = played.tolist()  # type: ignore[index]  # SMAC's own side effect (smac-contract#script)
            self._env.step_freely(played[None])
        else:
            for agent, action in enumerate(given):
                if not 0 <= action < self.n_actions:
                    self._refuse(agent, action)
            self.last_action = np.eye(self.n_actions)[given]
            for agent, action in enumerate(given):
                if not self._env.available[0, agent, action]:
                    self._refuse(agent, action)
            self._env.step(np.array([given]))
        self._total_steps += 1
        self._episode_steps += 1
        code = self.update_units()
        self._bury()
        self.reward = float(self._env.reward[0]) * (self._usual_max_reward / self.max_reward)
        return self.reward, *self._ending(code)

    def _ending(self, code: int | None) -> tuple[bool, dict[str, Any]]:
        alive = self._look().raw["alive"]  # (U,)
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
            self._episode_count += 1
            self.win_counted = won
            self.defeat_counted = code == -1
        if out_of_time and self.continuing_episode:
            info["episode_limit"] = True
        return self._over, info

    def get_stats(self) -> dict[str, float]:
        """Battles so far; `battles_draw` counts battles that ran out of time, as SMAC's does."""
        return {
            "battles_won": self.battles_won,
            "battles_game": self.battles_game,
            "battles_draw": self.timeouts,
            "win_rate": self.battles_won / self.battles_game if self.battles_game else 0.0,
            "timeouts": self.timeouts,
            "restarts": self.force_restarts,
        }

    def seed(self) -> int:
        """The seed that decides all battles."""
        return self._seed

    def close(self) -> None:
        """Release the simulator."""
        self._env.close()


DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(StarCraft2Env).parameters.items()
    if parameter.kind is not inspect.Parameter.VAR_KEYWORD
}
"""The constructor's arguments in SMAC's order, and their defaults."""
