"""`ptde calibrate`."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import OutFile, Quiet, complete_map, one_of, option
from ptde_cli.output import output
from ptde_core.base.errors import PtdeError
from ptde_core.base.setting_fields import build_settings
from ptde_core.runs.stage_settings import CALIBRATION_RUNS, PLAYED_UNASKED, CalibrateSettings, Play
from ptde_core.storage.page import check_page

FORMATS = ("table", "markdown")
PLAYS: tuple[Play, ...] = get_args(Play)
ADD = {
    "episodes": "--play random",
    "policy_episodes": "--policy CHECKPOINT",
    "seed": "--play random",
    "seeds": "--learning",
    "steps": "--learning",
    "runs": "--learning",
    "no_training": "--learning",
    "map": "--play random",
}
"""The option that an option needs beside itself, as errors suggest it."""


def complete_format(incomplete: str) -> list[str]:
    """The formats that begin with what is typed."""
    return [name for name in FORMATS if name.startswith(incomplete)]


def complete_play(incomplete: str) -> list[str]:
    """The kinds of play that begin with what is typed."""
    return [name for name in PLAYS if name.startswith(incomplete)]


def calibrate(
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="MAP",
            help="only this map, repeatable  [default: all maps with figures of the real game, and duels]",
            autocompletion=complete_map,
        ),
    ] = None,
    plays: Annotated[
        list[str] | None,
        typer.Option(
            "--play",
            metavar="NAME",
            help=f"{', '.join(PLAYS)}; repeatable  [default, without other work: {', '.join(PLAYED_UNASKED)}]",
            autocompletion=complete_play,
        ),
    ] = None,
    policies: Annotated[
        list[Path] | None,
        typer.Option("--policy", metavar="CHECKPOINT", help="compare how this policy wins on its map, repeatable"),
    ] = None,
    learning: Annotated[
        bool, typer.Option("--learning", help="train QMIX as PyMARL2 does, one per core, and compare; resumes")
    ] = False,
    leave_one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="what fitted switches would be without one map's logs")
    ] = False,
    episodes: Annotated[int | None, option(CalibrateSettings, "episodes")] = None,
    policy_episodes: Annotated[int | None, option(CalibrateSettings, "policy_episodes")] = None,
    seed: Annotated[int | None, option(CalibrateSettings, "seed")] = None,
    seeds: Annotated[int | None, option(CalibrateSettings, "seeds")] = None,
    steps: Annotated[int | None, option(CalibrateSettings, "steps")] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            "--runs",
            metavar="DIR",
            help=f"where --learning keeps its trainings  [default: {CALIBRATION_RUNS}]",
            show_default=False,
        ),
    ] = None,
    no_training: Annotated[
        bool, typer.Option("--no-training", help="with --learning: only the table of what there is by now")
    ] = False,
    table_format: Annotated[
        str,
        typer.Option("--format", help=" or ".join(FORMATS), metavar="FORMAT", autocompletion=complete_format),
    ] = FORMATS[0],
    out: OutFile = None,
    quiet: Quiet = False,
) -> None:
    """Play what was logged in the real game, and compare."""
    one_of(table_format, FORMATS, "table format")
    wanted: list[Play] = [one_of(play, PLAYS, "play") for play in plays or ()]  # type: ignore[misc]  # just checked
    if not (wanted or policies or learning or leave_one_out):
        wanted = [play for play in PLAYED_UNASKED if not (maps and play == "duels")]  # duels are on no map
    typed = {"episodes": episodes, "policy_episodes": policy_episodes, "seed": seed, "seeds": seeds, "steps": steps}
    typed = {key: value for key, value in typed.items() if value is not None}
    uses = {
        "episodes": leave_one_out or bool({"random", "heuristic"} & {*wanted}),
        "policy_episodes": bool(policies),
        "seed": bool(leave_one_out or wanted or policies),
        "seeds": learning or "near-random" in wanted,
        "steps": learning,
        "runs": learning,
        "no_training": learning,
        "map": bool(leave_one_out or learning or wanted),
    }
    given = [
        *typed,
        *(key for key, is_given in (("runs", runs), ("no_training", no_training), ("map", maps)) if is_given),
    ]
    for key in given:
        if not uses[key]:
            raise PtdeError(f"--{key.replace('_', '-')} does nothing here", f"leave it out, or add {ADD[key]}")
    settings = build_settings(CalibrateSettings, typed)
    if out is not None:
        check_page(out)
    with resumable():
        from ptde_cli.display import print_tables, watching
        from ptde_core.experiments.calibration import calibration_tables as tables
        from ptde_core.experiments.calibration.calibrate import calibrate as stage
        from ptde_core.experiments.calibration.left_out import leave_one_out as left_out
        from ptde_core.experiments.calibration.trainings import learn
        from ptde_core.results.table import Table, markdown

        made: list[Table] = []
        with watching(quiet=quiet) as listen:
            if wanted or policies:
                found = stage(settings, wanted, maps or (), policies or (), listen=listen)
                made.append(tables.calibration_table(found, settings))
            if leave_one_out:
                made.append(tables.left_out_table(left_out(maps or (), settings, listen=listen), settings))
            if learning:
                got = learn(maps or (), settings, runs or CALIBRATION_RUNS, train=not no_training, listen=listen)
                made.append(tables.learning_table(got, settings))
        with output(out) as file:
            if table_format == FORMATS[0]:
                print_tables(made, file)
            else:
                print("\n".join(markdown(table) for table in made), end="", file=file)
