"""More enemies than a SMAC map has, brought into the running game by the debug commands of StarCraft II's interface.

Written from the interface's definition (Blizzard/s2client-proto: `debug.proto`, `raw.proto`) and from how SMACv2 makes
its teams; it has not been run on the game by us, which none of our machines has.
"""

import importlib
from typing import Any

from ptde_core.envs.engines.starcraft.starcraft_maps import Reinforced

ENEMY, ALLY = 2, 1  # owners of units
ZEALOT = 73  # the unit type that SMAC's maps give to the enemy
ATTACK = 23  # the ability that SMAC orders attacks with
PATIENCE = 100  # game loops within which units that were created have to be there


def reinforced(module: str, base: type[Any], name: str, by: Reinforced, limit: int) -> Any:
    """SMAC's environment on a map with more zealots.

    Args:
        module: the package, "smac".
        base: its StarCraft2Env.
        name: ptde's name of the map.
        by: the map it is built on, and how many zealots more.
        limit: env steps of an episode.
    """
    maps = importlib.import_module(f"{module}.env.starcraft2.maps.smac_maps")
    registry = maps.get_smac_map_registry()
    own = registry[by.base]
    level = f"ptde_{name}"
    registry[level] = {**own, "n_enemies": own["n_enemies"] + by.zealots, "limit": limit}
    # pysc2 finds a map by the name of its class; the file is the base map's.
    vars(maps)[level] = type(level, (maps.SMACMap,), {"filename": by.base})

    class Reinforcing(base):  # type: ignore[misc]  # a class of a package without types
        """Brings the zealots before SMAC counts who is there."""

        def init_units(self) -> None:
            bring_zealots(self, by.zealots)
            super().init_units()

    return Reinforcing(map_name=level, continuing_episode=True)


def bring_zealots(env: Any, count: int) -> None:
    """Create zealots among the enemy's units and send them where those go: towards our agents.

    The map's script gave its order to its own units when they appeared; to units that come later nobody gives one, so
    the enemy is controlled for two game loops.

    Args:
        env: SMAC's environment, whose map has made its own units or is about to.
        count: how many.

    Raises:
        RuntimeError: the units did not appear.
    """
    from s2clientprotocol import common_pb2, debug_pb2, raw_pb2, sc2api_pb2

    game = env._controller
    _wait_until(env, allies=env.n_agents, enemies=env.n_enemies - count)
    before = {unit.tag for unit in _units(env, ENEMY)}
    create = debug_pb2.DebugCreateUnit(
        unit_type=ZEALOT,
        owner=ENEMY,
        pos=common_pb2.Point2D(**_middle(_units(env, ENEMY))),
        quantity=count,
    )
    game.debug([debug_pb2.DebugCommand(create_unit=create)])
    _wait_until(env, allies=env.n_agents, enemies=env.n_enemies)
    order = raw_pb2.ActionRawUnitCommand(
        ability_id=ATTACK,
        target_world_space_pos=common_pb2.Point2D(**_middle(_units(env, ALLY))),
        unit_tags=[unit.tag for unit in _units(env, ENEMY) if unit.tag not in before],
        queue_command=False,
    )
    control = [debug_pb2.DebugCommand(game_state=debug_pb2.control_enemy)]  # the same command gives it back
    game.debug(control)
    game.step(1)
    game.actions(
        sc2api_pb2.RequestAction(actions=[sc2api_pb2.Action(action_raw=raw_pb2.ActionRaw(unit_command=order))])
    )
    game.step(1)
    game.debug(control)
    env._obs = game.observe()


def _wait_until(env: Any, *, allies: int, enemies: int) -> None:
    for _ in range(PATIENCE):
        if (len(_units(env, ALLY)), len(_units(env, ENEMY))) == (allies, enemies):
            return
        env._controller.step(1)
        env._obs = env._controller.observe()
    there = f"{len(_units(env, ALLY))} against {len(_units(env, ENEMY))}"
    raise RuntimeError(f"StarCraft II shows {there} units instead of {allies} against {enemies}")


def _units(env: Any, owner: int) -> list[Any]:
    return [unit for unit in env._obs.observation.raw_data.units if unit.owner == owner]


def _middle(units: list[Any]) -> dict[str, float]:
    return {axis: sum(getattr(unit.pos, axis) for unit in units) / len(units) for axis in ("x", "y")}
