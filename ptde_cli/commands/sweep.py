"""`ptde sweep`: many pipelines from one file, and `ptde sweep status`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptde_cli.exits import FAILED, resumable
from ptde_cli.options import Quiet, Trust, trust_files
from ptde_core.base.errors import PtdeError
from ptde_core.base.provenance import cores
from ptde_core.base.setting_fields import parse_assignments

if TYPE_CHECKING:
    from ptde_core.experiments.sweeps.cells import Cell
    from ptde_core.experiments.sweeps.sweep import Engine
    from ptde_core.experiments.sweeps.sweep_file import SweepFile

STATUS = "status"

Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        metavar="N",
        help="cells at once on this machine, each with one thread  [default: one per core]",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="only show the cells, with estimated time and memory; nothing is trained")
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS", help="work on a Ray cluster (extra ray): its address, or auto; shared storage"
    ),
]
Slurm = Annotated[
    bool, typer.Option("--slurm", help="work as Slurm jobs (extra slurm), a job per cell; shared storage")
]
SlurmOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm-option",
        metavar="KEY=VALUE",
        help="a parameter of submitit's for these jobs, such as timeout_min=600; repeatable",
    ),
]

Keep = Annotated[
    Path | None,
    typer.Option("--keep", metavar="DIR", help="also copy the small files of all runs that are done there"),
]


def sweep(
    words: Annotated[
        list[Path],
        typer.Argument(
            metavar="[status] FILE.toml",
            help="what to do (docs/how-to/sweeps.md); status before it: how far that is; status alone: all below runs/",
            show_default=False,
        ),
    ],
    dry_run: DryRun = False,
    processes: Processes = None,
    ray: Ray = None,
    slurm: Slurm = False,
    slurm_option: SlurmOptions = None,
    keep: Keep = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Work on all cells of a sweep, or show how far they are."""
    trust_files(trust)
    if words[0] == Path(STATUS):
        if dry_run or processes or ray or slurm or slurm_option or keep:
            raise PtdeError("status only looks", "leave the other options out, or leave out status")
        show_status(words[1:])
        return
    if len(words) > 1:
        raise PtdeError(f"{' '.join(map(str, words))} are {len(words)} files", "give one sweep at a time")
    from ptde_core.experiments.sweeps.sweep_file import read_sweep

    file, name = read_sweep(words[0]), name_of(words[0])
    if keep is not None:  # before days of training
        from ptde_core.experiments.sweeps.packing import check_target
        from ptde_core.experiments.sweeps.sweep_file import cells_of

        check_target(cells_of(file) if file.sample is None else (), file.out, keep)
    engine = engine_for(file.out, processes, ray, slurm, slurm_option)

    def copy(cells: "list[Cell]") -> None:
        with resumable():
            from ptde_cli.display import watching
            from ptde_core.experiments.sweeps.packing import pack

            if keep is not None:
                with watching(quiet=quiet) as listen:
                    pack(cells, file.out, keep, listen=listen)

    work_through(file, name, dry_run, engine, quiet, copy)


def engine_for(
    out: Path, processes: int | None, ray: str | None, slurm: bool, slurm_option: list[str] | None
) -> "Engine":
    """The engine that works on the cells: processes here, Ray or Slurm.

    Raises:
        PtdeError: two of them at once, or one that is not there.
    """
    given = [name for name, value in (("--processes", processes), ("--ray", ray), ("--slurm", slurm)) if value]
    if len(given) > 1:
        raise PtdeError(f"{' and '.join(given)} are both there", "give one of them")
    if slurm_option and not slurm:
        raise PtdeError(f"--slurm-option {slurm_option[0]} does nothing here", "leave it out, or add --slurm")
    if ray is not None:
        from ptde_core.experiments.sweeps.on_ray import on_ray

        return on_ray(ray)
    if slurm:
        from ptde_core.experiments.sweeps.on_slurm import on_slurm

        return on_slurm(out, parse_assignments(slurm_option or (), "--slurm-option", "timeout_min=600"))
    from ptde_core.experiments.sweeps.sweep import here

    return here(processes or cores())


def name_of(path: Path) -> str:
    """The name of a sweep: that of its file, typed or left beside its runs, without its ending; `a.v2` of a.v2.toml."""
    from ptde_core.experiments.sweeps.sweep import ENDING

    ending = ENDING if path.name.endswith(ENDING) else path.suffix
    return path.name.removesuffix(ending)


def work_through(
    file: "SweepFile",
    name: str,
    dry_run: bool,
    engine: "Engine",
    quiet: bool,
    then: "Callable[[list[Cell]], None]",
) -> None:
    """Work on all cells and show how they ended; leaves with exit code 1 if some have failed.

    Args:
        file: the sweep.
        name: of the sweep.
        dry_run: only show what it would do.
        engine: that works on the cells.
        quiet: show no progress.
        then: called with the cells at the end, where one is done at least; not of a dry run.
    """
    with resumable():
        from ptde_cli.display import print_tables
        from ptde_cli.live_table import watching_cells
        from ptde_core.experiments.sweeps import sweep_tables as tables
        from ptde_core.experiments.sweeps.cells import state_of
        from ptde_core.experiments.sweeps.estimates import Estimates
        from ptde_core.experiments.sweeps.search import Search, cells_at_the_ends, lowest
        from ptde_core.experiments.sweeps.sweep import check_names, leave_record
        from ptde_core.experiments.sweeps.sweep import sweep as stage
        from ptde_core.experiments.sweeps.sweep_file import cells_of

        trials = file.sample.trials if file.sample else 1
        # An unknown map is told before anything is written.
        cells = cells_of(file, lowest(file.sample) if file.sample else None)
        estimates = Estimates(cells_at_the_ends(file) if file.sample else cells)
        if dry_run:
            for cell in cells:
                estimates.measure(cell)
            states = [(cell, state_of(cell)) for cell in cells]
            each = f" in each of {trials} trials, shown with the lowest values" if file.sample else ""
            title = f"{name}: {_cells(cells)}{each}, {engine.where}"
            print_tables([tables.plan_table(title, states, estimates, engine.at_once)])
            return
        search = Search(file, name) if file.sample else None
        with watching_cells(quiet=quiet) as listen:
            check_names(cells)
            leave_record(file, name)
            ended = stage(
                search.begin(engine.at_once) if search else cells,
                engine,
                keep_state=file.keep_state,
                following=search.following if search else lambda _: (),
                total=trials * sum(cell.pipeline.training.steps for cell in cells),
                listen=listen,
            )
        shown = [tables.states_table(f"{name}: {_cells(ended)}", ended, estimates)]
        print_tables([*shown, *([search.table()] if search else [])])
    reached = {state.state for _, state in ended}
    if "done" in reached:
        then(search.cells if search else cells)
    if "failed" in reached:
        raise typer.Exit(FAILED)


def show_status(files: list[Path]) -> None:
    """Print the state of all cells of these sweeps; without files, of the sweeps that left theirs below runs/."""
    from ptde_cli.display import print_tables
    from ptde_core.experiments.sweeps import sweep_tables as tables
    from ptde_core.experiments.sweeps.cells import state_of
    from ptde_core.experiments.sweeps.estimates import Estimates
    from ptde_core.experiments.sweeps.search import cells_tried
    from ptde_core.experiments.sweeps.sweep import records_below
    from ptde_core.experiments.sweeps.sweep_file import cells_of, read_sweep
    from ptde_core.runs.stage_settings import RUNS

    meant = files or records_below(RUNS)
    if not meant:
        raise PtdeError(f"no sweep has left its file in {RUNS}/", "give the sweep's file: ptde sweep status FILE.toml")
    shown = []
    for path in meant:
        file = read_sweep(path)
        name = name_of(path)
        cells = cells_of(file) if file.sample is None else cells_tried(file, name)
        estimates = Estimates(cells)
        for cell in cells:
            estimates.measure(cell)
        title = f"{name}: {_cells(cells)}"
        shown.append(tables.states_table(title, [(cell, state_of(cell)) for cell in cells], estimates))
    print_tables(shown)


def _cells(of: Sequence[object]) -> str:
    return f"{len(of)} cell{'' if len(of) == 1 else 's'}"
