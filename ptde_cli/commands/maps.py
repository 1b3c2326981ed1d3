"""`ptde maps`: what can be played, and for how long the paper and our presets train on it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ptde_core.stages.settings import presets, train_teacher_settings

if TYPE_CHECKING:
    from ptde_core.envs.skirmish.maps import Group

COLUMNS = ("map", "units", "agents", "actions", "obs", "state", "limit", "paper", "ours")


def maps() -> None:
    """List the maps of the built-in simulator."""
    from ptde_cli.display import print_tables
    from ptde_core.envs.skirmish.environment import VERSION, build_spec  # numba loads here
    from ptde_core.envs.skirmish.maps import load_map, map_names
    from ptde_core.stages.tables import NOTHING, Table

    rows = []
    for name in map_names():
        facts = load_map(name)
        spec = build_spec(facts)
        paper = presets()["maps"].get(name, {}).get("paper_steps")
        numbers = (spec.n_agents, spec.n_actions, spec.obs_size, spec.state_size, spec.episode_limit)
        budgets = (short(paper) if paper else NOTHING, short(train_teacher_settings({"map": name}).steps))
        rows.append((name, f"{units(facts.allies)} v {units(facts.enemies)}", *map(str, numbers), *budgets))
    notes = (
        "actions, obs: of one agent. limit: env steps of an episode, then it is cut.",
        "paper: env steps that the paper trains for, on SMAC. ours: without --steps.",
        "A map of your own: --map FILE.toml.",
    )
    print_tables([Table(f"Maps of skirmish {VERSION}", COLUMNS, (tuple(rows),), text_columns=2, notes=notes)])


def units(groups: Iterable["Group"]) -> str:
    """Such as "3 stalker, 5 zealot"; groups of one type count together."""
    counts: dict[str, int] = {}
    for group in groups:
        counts[group.type] = counts.get(group.type, 0) + group.count
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def short(steps: int) -> str:
    """Env steps as people say them: 150k, 2M."""
    return f"{steps / 1e6:g}M" if steps >= 1e6 else f"{steps / 1e3:g}k"
