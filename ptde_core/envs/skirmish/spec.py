"""Sizes and names of SMAC's contract for a map: what skirmish shows, and SMAC itself (`envs.engines.starcraft`)."""

from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.skirmish.map_files import MapFacts

VERSION = "8"
"""Version of skirmish's rules: raised whenever an equal seed with equal actions may give another battle."""


def build_spec(facts: MapFacts, backend: str, version: str) -> EnvSpec:
    """The facts of a map for a policy (smac-contract#actions, #views), as that backend, in that version, plays it."""
    n, m = facts.n_agents, facts.n_enemies
    moves = ("north", "south", "east", "west")
    actions = ("no-op", "stop", *moves, *(f"attack enemy_{e}" for e in range(m)))
    ally_body = _body_names(facts, 0)
    enemy_body = _body_names(facts, 1)
    seen = ("distance", "dx", "dy")
    obs = [f"can_move_{direction}" for direction in moves]
    obs += [f"enemy_{e}.{name}" for e in range(m) for name in ("available", *seen, *enemy_body)]
    obs += [f"other_{a}.{name}" for a in range(n - 1) for name in ("visible", *seen, *ally_body)]
    obs += [f"own.{name}" for name in ally_body]
    state = [
        f"ally_{a}.{name}" for a in range(n) for name in ("health", "cooldown_or_energy", "x", "y", *ally_body[1:])
    ]
    state += [f"enemy_{e}.{name}" for e in range(m) for name in ("health", "x", "y", *enemy_body[1:])]
    state += [f"ally_{a}.last_action {name}" for a in range(n) for name in actions]
    return EnvSpec(
        backend=backend,
        version=version,
        map=facts.name,
        n_agents=n,
        n_actions=len(actions),
        obs_size=len(obs),
        state_size=len(state),
        episode_limit=facts.limit,
        obs_names=tuple(obs),
        state_names=tuple(state),
        action_names=actions,
    )


def _body_names(facts: MapFacts, side: int) -> tuple[str, ...]:
    bits = facts.enemy_type_bits if side else facts.ally_type_bits
    return ("health", *(("shield",) if facts.has_shields(side) else ()), *(f"is_{name}" for name in bits))
