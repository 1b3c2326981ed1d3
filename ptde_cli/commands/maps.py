"""`ptde maps`: maps, their sizes, and the training budgets of the paper and of our presets. `maps show`: one map."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptde_cli.options import complete_map
from ptde_core.runs.stage_settings import presets, train_teacher_settings

if TYPE_CHECKING:
    from ptde_core.envs.skirmish.map_files import Group

COLUMNS = ("map", "units", "agents", "actions", "obs", "state", "limit", "paper", "ours")


def maps(context: typer.Context) -> None:
    """List the maps of the built-in simulator."""
    if context.invoked_subcommand is not None:
        return
    from ptde_cli.display import print_tables
    from ptde_core.envs.skirmish.map_files import load_map, map_names
    from ptde_core.envs.skirmish.spec import VERSION, build_spec
    from ptde_core.results.table import NOTHING, Table

    rows = []
    for name in map_names():
        facts = load_map(name)
        spec = build_spec(facts, "skirmish", VERSION)
        paper = presets()["maps"].get(name, {}).get("paper_steps")
        numbers = (spec.n_agents, spec.n_actions, spec.obs_size, spec.state_size, spec.episode_limit)
        budgets = (short(paper) if paper else NOTHING, short(train_teacher_settings({"map": name}).steps))
        rows.append((name, f"{units(facts.allies)} v {units(facts.enemies)}", *map(str, numbers), *budgets))
    notes = (
        "actions, obs: of one agent. limit: env steps of an episode, then it is cut.",
        "paper: env steps that the paper trains for, on SMAC. ours: without --steps.",
        "One map drawn: ptde maps show MAP. A map of your own: --map FILE.toml.",
    )
    print_tables([Table(f"Maps of skirmish {VERSION}", COLUMNS, (tuple(rows),), text_columns=2, notes=notes)])


def maps_show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="MAP", help="a built-in map, or a map file of your own (.toml)", autocompletion=complete_map
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.png", help="draw it into this file too")] = None,
    features: Annotated[
        bool, typer.Option("--features", help="say instead which number of observation and state is what")
    ] = False,
) -> None:
    """Draw one map, or name the numbers that its agents see."""
    from ptde_cli.display import print_map, print_tables, watching
    from ptde_core.base.errors import PtdeError
    from ptde_core.envs.skirmish.map_files import load_map

    if features:
        if out is not None:
            raise PtdeError("--features draws nothing, so that there is nothing to write to --out", "leave out one")
        from ptde_core.envs.skirmish.spec import VERSION, build_spec
        from ptde_core.viewing.episode_data import name_tables

        print_tables(name_tables(build_spec(load_map(name), "skirmish", VERSION).names))
        return
    from ptde_core.viewing.map_drawing import draw_map, map_sheet  # numba loads here

    facts = load_map(name)
    sheet = map_sheet(facts)
    if out is not None:
        with watching(quiet=False) as listen:
            draw_map(facts, out, listen=listen)
    print_map(sheet)


def units(groups: Iterable["Group"]) -> str:
    """Such as "3 stalker, 5 zealot"; groups of one type count together."""
    counts: dict[str, int] = {}
    for group in groups:
        counts[group.type] = counts.get(group.type, 0) + group.count
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def short(steps: int) -> str:
    """Env steps as people say them: 150k, 2M."""
    return f"{steps / 1e6:g}M" if steps >= 1e6 else f"{steps / 1e3:g}k"
