"""`ptde reproduce`: the paper's tables and figures, from training to the answers."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.commands.sweep import DryRun, Keep, Processes, Ray, Slurm, SlurmOptions, engine_for, work_through
from ptde_cli.exits import resumable
from ptde_cli.options import Quiet
from ptde_core.base.errors import PtdeError
from ptde_core.experiments.sweeps.cells import seeds_below
from ptde_core.experiments.sweeps.paper import (
    ALL,
    OUT,
    PAGE,
    PARTS,
    SMAC_LIKE,
    Scope,
    check_place,
    is_football,
    parts_of,
    sweep_of,
)


def complete_part(incomplete: str) -> list[str]:
    """The tables and figures that begin with what is typed."""
    return [name for name in (*PARTS, ALL) if name.startswith(incomplete)]


def reproduce(
    part: Annotated[
        str,
        typer.Argument(metavar="PART", help=f"{', '.join(PARTS)}, or {ALL}", autocompletion=complete_part),
    ],
    env: Annotated[
        str | None,
        typer.Option(
            "--env",
            metavar="NAME",
            help=f"{' | '.join(SMAC_LIKE)}  [default: skirmish, and football for its own parts]",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        float,
        typer.Option("--budget", metavar="FRACTION", help="share of the paper's steps, of training and of students"),
    ] = 1.0,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            min=1,
            metavar="K",
            help="training seeds 1, ..., K  [default: 3; with --from all that are there]",
            show_default=False,
        ),
    ] = None,
    maps: Annotated[str | None, typer.Option("--maps", metavar="A,B,...", help="only these  [default: all]")] = None,
    algorithms: Annotated[
        str | None,
        typer.Option("--algorithms", metavar="A,B,...", help="only these teachers, such as QMIX_SGI  [default: all]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help=f"folder of the runs  [default: {OUT}, of a smaller budget {OUT}-FRACTION]"
        ),
    ] = None,
    made_from: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="train nothing: take the runs that are there")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page",
            metavar="FILE.md",
            help="page with all of it; pictures go to figures/ beside it  [default: reproduction.md beside the runs]",
        ),
    ] = None,
    keep: Keep = None,
    dry_run: DryRun = False,
    processes: Processes = None,
    ray: Ray = None,
    slurm: Slurm = False,
    slurm_option: SlurmOptions = None,
    quiet: Quiet = False,
) -> None:
    """Run the paper's experiments, or those that are left, and show what came of them."""
    if not 0 < budget <= 1:
        raise PtdeError(f"--budget {budget:g} is no share of the paper's steps", "give more than 0, and at most 1")
    if made_from is not None and (out or dry_run or processes or ray or slurm):
        raise PtdeError("--from trains nothing", "leave out --out and what says how to train")
    scope = Scope(
        env, budget, _seeds(seeds, made_from), _names("--maps", maps), _names("--algorithms", algorithms), out
    )
    parts = parts_of(part, scope, trains=made_from is None)
    file = sweep_of(parts, scope)
    folder = made_from or file.out
    page = page or folder / PAGE
    check_place(page)  # before days of training, as the target of --keep
    if keep is not None:
        from ptde_core.experiments.sweeps.packing import check_target
        from ptde_core.experiments.sweeps.sweep_file import cells_of

        check_target(cells_of(file), file.out, keep)

    def show() -> None:
        with resumable():
            from ptde_cli.display import print_tables, watching
            from ptde_core.base.events import Note
            from ptde_core.machine.matplotlib_import import check_matplotlib

            check_matplotlib()
            from ptde_core.experiments.reproduction import cells_held
            from ptde_core.experiments.reproduction import reproduce as stage
            from ptde_core.experiments.sweeps.packing import pack
            from ptde_core.experiments.sweeps.sweep_file import cells_of

            cells = cells_held(cells_of(file), folder, file.out)
            with watching(quiet=quiet) as listen:
                if part == ALL and env is None and not any(map(is_football, parts)):
                    why = "football's engine is not installed (docs/how-to/football.md)"
                    listen(Note(f"left out: table3 and figure9, for {why}"))
                if keep is not None:
                    pack(cells, folder, keep, listen=listen)
                tables, answers = stage(parts, cells, folder, page, listen=listen)
            print_tables(tables)
            print("\n".join(answers))

    if made_from is not None:
        show()
        return
    engine = engine_for(file.out, processes, ray, slurm, slurm_option)
    work_through(file, part, dry_run, engine, quiet, lambda _: show())


def _seeds(given: int | None, made_from: Path | None) -> Collection[int]:
    if given is None and made_from is not None:
        return seeds_below(made_from)
    return range(1, (given or 3) + 1)


def _names(option: str, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise PtdeError(f"{option} {text!r} has no name in it", "give names with commas between them, or leave it out")
    return names
