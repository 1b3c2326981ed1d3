"""The battle that SMAC's class tells of: its units, what they see and may do, what the script would do, points."""

import warnings
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.fields import EAST, FIRST_TARGET, NORTH, SIGHT, SOUTH, WEST
from ptde_core.envs.skirmish.map_constants import REWARD_DEATH, REWARD_WIN
from ptde_core.envs.skirmish.scripted import Heuristic
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.smac_api.smac_map import SmacMap
from ptde_core.envs.smac_api.smac_units import Command, Look, Unit


class SmacBattle(SmacMap):
    """The part of SMAC's class that tells of the running battle; `step` and `reset` are not in it.

    `last_action` (N, A) is one-hot, zero at the start of a battle. `death_tracker_ally` (N,) and `death_tracker_enemy`
    are 1 where a unit is dead. `max_reward` is what rewards are scaled by: 10 per enemy and 200 before the first
    `reset`, which adds the enemies' health and shield.
    """

    def __init__(self, env: Skirmish) -> None:
        super().__init__(env)
        self._env = env
        self.heuristic_rest = False
        self._episode_count = 0  # battles that have come to their end
        self.max_reward = self.n_enemies * REWARD_DEATH + REWARD_WIN
        self._unit_types: list[int] | None = None
        self._now: Look | None = None
        self._clear()

    def _clear(self) -> None:
        """Forget what the last battle has left."""
        self.last_action = np.zeros((self.n_agents, self.n_actions))
        self.death_tracker_ally, self.death_tracker_enemy = np.zeros(self.n_agents), np.zeros(self.n_enemies)
        self._before: Look | None = None
        self._script = Heuristic(self._env)

    def _refuse(self, agent: int, action: int) -> NoReturn:
        """SMAC's contract is an AssertionError, also where Python runs without assertions."""
        raise AssertionError(f"agent {agent} cannot do action {action} now")

    def _look(self) -> Look:
        """The units as they are now.

        Raises:
            ValueError: there are none yet.
        """
        if self._now is None:
            raise ValueError("no battle has begun: call reset() first")
        return self._now

    def init_units(self) -> None:
        """Take the units as they stand now for those of the battle's start, as `reset` does.

        Until the first battle has come to its end it adds the enemies' health and shield to `max_reward`.
        """
        self._now = Look(self._env.raw_units()[0], self._kinds, self.n_agents)
        self._unit_types = [number for _, number in self._kinds]
        if self._episode_count == 0:
            self.max_reward += float(sum(facts.health + facts.shield for facts, _ in self._kinds[self.n_agents :]))

    def update_units(self) -> int | None:
        """Bring `agents` and `enemies` up to date, and keep them as they were as the previous ones; `step` does it.

        Returns:
            1 won, -1 lost, 0 drawn, None: none of these.
        """
        self._before = self._look()
        self._now = self._before.then(self._env.raw_units()[0])
        return self._end_code()

    def _end_code(self) -> int | None:
        alive = self._look().raw["alive"]  # (U,)
        allies, enemies = int(alive[: self.n_agents].sum()), int(alive[self.n_agents :].sum())
        if (not allies and enemies) or self.only_medivac_left(ally=True):
            return -1
        if (allies and not enemies) or self.only_medivac_left(ally=False):
            return 1
        return None if allies else 0

    def only_medivac_left(self, ally: bool) -> bool:
        """Whether all of a side that live are medivacs (allies), or one medivac (enemies).

        It is always False on maps without allied medivacs.
        """
        if not self.medivac_id:
            return False
        side = slice(None, self.n_agents) if ally else slice(self.n_agents, None)
        living = self._look().raw["alive"][side]
        fighters = int((living & ~self._heals[side]).sum())
        return not fighters and (ally or int(living.sum()) == 1)

    def reward_battle(self) -> float:
        """Points of the last step, before 200 for a win and before scaling: enemies' losses and 10 for each kill.

        As in SMAC, kills count once: after `step`, which has counted them, those who died in it pay no more.

        Raises:
            ValueError: no step has been played in this battle.
        """
        if self._before is None:
            raise ValueError("no step has been played in this battle")
        before, now = (look.raw[self.n_agents :] for look in (self._before, self._look()))
        alive, due = now["alive"], self.death_tracker_enemy == 0
        left = np.where(alive, now["health"] + now["shield"], -REWARD_DEATH)
        points = (before["health"] + before["shield"] - left)[due].sum()
        self._bury()
        return abs(float(points))

    def _bury(self) -> None:
        """Note who is dead."""
        dead = ~self._look().raw["alive"]
        self.death_tracker_ally[dead[: self.n_agents]] = 1.0
        self.death_tracker_enemy[dead[self.n_agents :]] = 1.0

    @property
    def agents(self) -> dict[int, Unit]:
        """Allies by agent number, as they are now; none before the first `reset`."""
        return self._now.agents if self._now else {}

    @property
    def enemies(self) -> dict[int, Unit]:
        """Enemies by their number among the targets, as they are now."""
        return self._now.enemies if self._now else {}

    @property
    def previous_ally_units(self) -> dict[int, Unit] | None:
        """`agents` as they were before the last step; None if there was none in this battle."""
        return self._before.agents if self._before else None

    @property
    def previous_enemy_units(self) -> dict[int, Unit] | None:
        """`enemies` as they were before the last step."""
        return self._before.enemies if self._before else None

    def get_unit_by_id(self, a_id: int) -> Unit:
        """The unit of an agent.

        Raises:
            KeyError: there is no such agent, or no battle has begun.
        """
        return self.agents[a_id]

    def get_unit_types(self) -> list[int] | None:
        """`unit_type` of all agents and enemies (U); None, with a warning, before the first `reset`."""
        if self._unit_types is None:
            warnings.warn("no battle has begun: call reset() first", stacklevel=2)
        return self._unit_types

    def get_visibility_matrix(self) -> NDArray[np.bool_]:
        """Which living agent sees which other living unit: (N, U), agents, then enemies."""
        raw, n = self._look().raw, self.n_agents
        away = np.hypot(raw["x"][:n, None] - raw["x"], raw["y"][:n, None] - raw["y"])  # (N, U)
        seen: NDArray[np.bool_] = (away < SIGHT) & raw["alive"][:n, None] & raw["alive"]
        seen[np.arange(n), np.arange(n)] = False
        return seen

    def get_agent_action(self, a_id: int, action: int) -> Command | None:
        """The order that an action is for an agent; None for no-op. Nothing is sent.

        Raises:
            AssertionError: the agent cannot do that now.
        """
        if not (0 <= action < self.n_actions and self._env.available[0, a_id, action]):
            self._refuse(a_id, action)
        return self._look().command(a_id, action)

    def get_agent_action_heuristic(self, a_id: int, action: int) -> tuple[Command | None, int]:  # noqa: ARG002  SMAC's
        """The order and the action number that the script has for an agent now; the given action is not read."""
        number = int(self._scripted_actions()[a_id])
        return self._look().command(a_id, number), number

    @property
    def heuristic_targets(self) -> list[int | None]:
        """The script's target of each agent: number of an enemy, for medivacs of an agent; None: no target."""
        return [None if target < 0 else target for target in self._script.target[0].tolist()]

    def _scripted_actions(self) -> NDArray[np.int64]:
        """What SMAC's script chooses now (N,), for the dead as if they stood where they were seen last.

        Source: smac-contract#script.

        With heuristic_rest, walking replaces orders on targets out of reach. 0: no target, no order.
        """
        look = self._look()
        target = self._script.aim(look.raw[None])[0]  # (N,)
        chosen = np.where(target >= 0, FIRST_TARGET + target, 0)
        if self.heuristic_rest:
            for agent in np.flatnonzero(target >= 0):
                if self._env.available[0, agent, chosen[agent]]:
                    continue
                first = 0 if self._kinds[agent][0].heal else self.n_agents
                here, there = look.raw[agent], look.raw[first + target[agent]]
                dx, dy = there["x"] - here["x"], there["y"] - here["y"]
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

    def get_state_dict(self) -> dict[str, NDArray[np.float64]]:
        """The state in parts: allies (N, features), enemies (M, features), last_action (N, A)."""
        state = self._env.state[0].astype(np.float64)
        n, m = self.get_ally_num_attributes(), self.get_enemy_num_attributes()
        middle = self.n_agents * n
        return {
            "allies": state[:middle].reshape(self.n_agents, n),
            "enemies": state[middle : middle + self.n_enemies * m].reshape(self.n_enemies, m),
            "last_action": self.last_action,
        }

    def get_avail_actions(self) -> list[list[int]]:
        """1 where an agent may choose an action, else 0: N lists of A."""
        return [self.get_avail_agent_actions(agent) for agent in range(self.n_agents)]

    def get_avail_agent_actions(self, agent_id: int) -> list[int]:
        """The same of one agent."""
        row: list[int] = self._env.available[0, agent_id].astype(int).tolist()
        return row
