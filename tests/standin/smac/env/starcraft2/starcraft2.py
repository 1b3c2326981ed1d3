"""Stand-in: SMAC's class, method by method, over a toy battle in which everybody walks towards everybody.

It dies, hangs, loses its connection or leaks on demand: STANDIN_PLAN is a folder; a file in it, named by the mishap,
holds the step of an episode at which it happens ("3"), once: the file is taken away. While there is a file "peace", no
enemy hits anybody.
"""

import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from smac.env.starcraft2.maps.smac_maps import file_of, get_smac_map_registry

STALKER, ZEALOT, MARINE = 74, 73, 48
REACH, SIGHT = 6.0, 9.0
LEAK_BYTES = 300_000_000


class Controller:
    """The game that is talked to; `log` keeps what it was told beyond the ordinary."""

    def __init__(self, file: str, seed: int | None) -> None:
        self.chance = np.random.default_rng(seed)
        self.file, self.seed, self.loops, self.log = file, seed, 0, []
        self.units: list[SimpleNamespace] = []
        self.ordered: set[int] = set()
        self._tags = 0
        self._waiting: list[SimpleNamespace] = []

    def spawn(self) -> None:
        facts = get_smac_map_registry()[self.file]
        self.units = []
        for owner, x, count in ((1, 9.0, facts["n_agents"]), (2, 23.0, facts["n_enemies"])):
            for _ in range(count):
                self._create(owner, x, 16.0)

    def _create(self, owner: int, x: float, y: float) -> SimpleNamespace:
        kind = {1: MARINE, 2: ZEALOT}[owner]
        self._tags += 1
        pos = SimpleNamespace(x=x + self.chance.normal(), y=y + self.chance.normal())
        unit = SimpleNamespace(
            tag=self._tags,
            owner=owner,
            unit_type=kind,
            pos=pos,
            health=45.0,
            health_max=45.0,
            shield=0.0,
            shield_max=0.0,
        )
        self.units.append(unit)
        return unit

    def debug(self, commands: list[Any]) -> None:
        for command in commands:
            if hasattr(command, "create_unit"):
                self._waiting.append(command.create_unit)
                self.log.append(["create", vars(command.create_unit.pos), command.create_unit.quantity])
            else:
                self.log.append(["state", command.game_state])

    def actions(self, request: Any) -> None:
        for action in request.actions:
            order = action.action_raw.unit_command
            self.log.append(["order", order.ability_id, sorted(order.unit_tags), vars(order.target_world_space_pos)])

    def step(self, loops: int) -> None:
        self.loops += loops
        for made in self._waiting:
            assert made.unit_type == ZEALOT
            for _ in range(made.quantity):
                self._create(made.owner, made.pos.x, made.pos.y)
        self._waiting = []

    def observe(self) -> Any:
        return SimpleNamespace(observation=SimpleNamespace(raw_data=SimpleNamespace(units=list(self.units))))

    def save_replay(self) -> bytes:
        return json.dumps({"map": self.file, "seed": self.seed, "loops": self.loops, "log": self.log}).encode()


class StarCraft2Env:
    def __init__(self, map_name: str = "8m", continuing_episode: bool = False, seed: int | None = None) -> None:
        facts = get_smac_map_registry()[map_name]
        self.map_name, self.continuing_episode, self._seed = map_name, continuing_episode, seed
        self.n_agents, self.n_enemies = facts["n_agents"], facts["n_enemies"]
        self.episode_limit, self.n_actions = facts["limit"], 6 + facts["n_enemies"]
        self._shields = (int(facts["a_race"] == "P"), int(facts["b_race"] == "P"))
        self._bits = facts["unit_type_bits"]
        self.agents: dict[int, Any] = {}
        self.enemies: dict[int, Any] = {}
        self.force_restarts = self._episode_count = self._episode_steps = 0
        self._controller: Any = None
        self._obs: Any = None
        self._leaked: list[bytearray] = []

    def _launch(self) -> None:
        assert self._controller is None, "a second game is started beside the first"
        self._controller = Controller(file_of(self.map_name), self._seed)
        self._controller.spawn()

    def full_restart(self) -> None:
        self._controller = None
        self._launch()
        self.force_restarts += 1

    def reset(self) -> tuple[list[np.ndarray], np.ndarray]:
        self._episode_steps = 0
        if self._episode_count == 0:
            self._launch()
        else:
            self._controller.spawn()
            self._controller.step(2)
        self.last_action = np.zeros((self.n_agents, self.n_actions))
        self._mishap(0)
        self._obs = self._controller.observe()
        self.init_units()
        return self.get_obs(), self.get_state()

    def init_units(self) -> None:
        units = self._obs.observation.raw_data.units
        ours = sorted((one for one in units if one.owner == 1), key=lambda one: (one.unit_type, one.pos.x, one.pos.y))
        self.agents = dict(enumerate(ours))
        self.enemies = dict(enumerate(one for one in units if one.owner == 2))
        assert (len(self.agents), len(self.enemies)) == (self.n_agents, self.n_enemies)

    def step(self, actions: list[int]) -> tuple[float, bool, dict[str, Any]]:
        self.last_action = np.eye(self.n_actions)[np.array(actions)]
        for agent, action in enumerate(actions):
            assert self.get_avail_agent_actions(agent)[action] == 1, f"Agent {agent} cannot perform action {action}"
        if self._mishap(self._episode_steps + 1):
            self.full_restart()
            return 0, True, {}
        paid = 0.0
        for agent, action in enumerate(actions):
            unit = self.agents[agent]
            if 2 <= action < 6:
                unit.pos.x += (0, 0, 1, -1)[action - 2]
                unit.pos.y += (1, -1, 0, 0)[action - 2]
            elif action >= 6:
                enemy = self.enemies[action - 6]
                paid += min(6.0, enemy.health)
                enemy.health = max(0.0, enemy.health - 6.0)
        standing = [one for one in self.agents.values() if one.health > 0]
        for enemy in self.enemies.values() if standing and not (_plan() / "peace").exists() else ():
            near = min(standing, key=lambda one: _away(enemy, one))
            if enemy.health > 0 and _away(enemy, near) > REACH:
                enemy.pos.x -= 1.0
            elif enemy.health > 0 and self._controller.chance.random() < 0.5:
                near.health = max(0.0, near.health - 6.0)
        self._controller.step(8)
        self._obs = self._controller.observe()
        self._episode_steps += 1
        won, lost = (all(one.health == 0 for one in side.values()) for side in (self.enemies, self.agents))
        info: dict[str, Any] = {"battle_won": won and not lost}
        ended = won or lost
        if not ended and self._episode_steps >= self.episode_limit:
            ended = True
            if self.continuing_episode:
                info["episode_limit"] = True
        self._episode_count += ended
        return paid + 200.0 * info["battle_won"], ended, info

    def _mishap(self, step: int) -> bool:
        """Whether the connection is lost in this step; other mishaps happen here."""
        plan = _plan()
        for what in ("die", "hang", "disconnect", "leak"):
            if (plan / what).exists() and int((plan / what).read_text()) == step:
                (plan / what).unlink()
                match what:
                    case "die":
                        os.kill(os.getpid(), signal.SIGKILL)
                    case "hang":
                        time.sleep(1000)
                    case "leak":
                        self._leaked.append(bytearray(LEAK_BYTES))
                        self._leaked[-1][::4096] = b"x" * len(self._leaked[-1][::4096])
                    case "disconnect":
                        return True
        return False

    def get_obs(self) -> list[np.ndarray]:
        return [self.get_obs_agent(agent) for agent in range(self.n_agents)]

    def get_obs_agent(self, agent: int) -> np.ndarray:
        me, seen = self.agents[agent], np.zeros(self.get_obs_size(), np.float32)
        if me.health > 0:
            width = 5 + self._shields[1] + self._bits
            for k, enemy in self.enemies.items():
                if enemy.health > 0 and _away(me, enemy) < SIGHT:
                    row = [_away(me, enemy) <= REACH, _away(me, enemy) / SIGHT, 0.0, 0.0, enemy.health / 45.0]
                    seen[4 + k * width : 9 + k * width] = row
            seen[-1 - self._shields[0] - self._bits] = me.health / 45.0
        return seen

    def get_obs_size(self) -> int:
        own, other = (5 + shield + self._bits for shield in self._shields)
        return 4 + self.n_enemies * other + (self.n_agents - 1) * own + own - 4

    def get_state(self) -> np.ndarray:
        state = np.zeros(self.get_state_size(), np.float32)
        units = [*self.agents.values(), *self.enemies.values()]
        state[: len(units)] = [one.health / 45.0 for one in units]
        state[-self.last_action.size :] = self.last_action.ravel()
        return state

    def get_state_size(self) -> int:
        own, other = 4 + self._shields[0] + self._bits, 3 + self._shields[1] + self._bits
        return self.n_agents * (own + self.n_actions) + self.n_enemies * other

    def get_avail_agent_actions(self, agent: int) -> list[int]:
        me = self.agents[agent]
        if me.health == 0:
            return [1] + [0] * (self.n_actions - 1)
        inside = (me.pos.y < 31, me.pos.y > 1, me.pos.x < 31, me.pos.x > 1)
        can_hit = (one.health > 0 and _away(me, one) <= REACH for one in self.enemies.values())
        return [0, 1, *map(int, inside), *map(int, can_hit)]

    def get_env_info(self) -> dict[str, int]:
        return {
            "state_shape": self.get_state_size(),
            "obs_shape": self.get_obs_size(),
            "n_actions": self.n_actions,
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
        }

    def close(self) -> None:
        self._controller = None
        if _plan().is_dir():
            (_plan() / "closed").touch()


def _plan() -> Path:
    return Path(os.environ.get("STANDIN_PLAN", "/nowhere"))


def _away(one: Any, other: Any) -> float:
    return float(np.hypot(one.pos.x - other.pos.x, one.pos.y - other.pos.y))
