"""What is kept of a sweep's runs for others: small files alone, from which every number and curve can be made again."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, Note, silent
from ptde_core.experiments.sweeps.cells import Cell, state_of
from ptde_core.storage.curve_file import metrics_of, write_curve
from ptde_core.storage.run_folder import RunFolder

LARGEST_CHECKPOINT = 1_000_000  # bytes; a larger one stays where it is


def pack(cells: Sequence[Cell], out: Path, target: Path, *, listen: Listener = silent) -> list[Path]:
    """Copy config, provenance, status, evaluation, curve and small checkpoints of every cell that is done.

    Args:
        cells: of the sweep.
        out: folder of their runs.
        target: where to; a run keeps its path below it. What is there of an earlier time is replaced.
        listen: told what is left out.

    Returns:
        The folders that were written.

    Raises:
        PtdeError: no cell is done, or the target is the runs' own folder.
    """
    if target.resolve() == out.resolve():
        raise PtdeError(f"{target} is the folder of the runs themselves", "give another one")
    done = [cell for cell in cells if state_of(cell).state == "done"]
    if not done:
        raise PtdeError(f"no cell in {out} is done", "see `ptde sweep status`")
    packed = []
    for cell in done:
        run, copy = cell.run, RunFolder(target / cell.run.path.relative_to(out))
        shutil.rmtree(copy.path, ignore_errors=True)
        copy.path.mkdir(parents=True)
        for path in (run.config, run.provenance, run.status, run.evaluation):
            shutil.copyfile(path, copy.path / path.name)
        write_curve(copy.curve, metrics_of(run))
        for path in (run.teacher, *run.all_students):
            if path.stat().st_size > LARGEST_CHECKPOINT:
                listen(Note(f"left out: {path}, {path.stat().st_size / 1e6:.1f} MB"))
                continue
            place = copy.path / path.relative_to(run.path)
            place.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, place)
        packed.append(copy.path)
    size = sum(path.stat().st_size for folder in packed for path in folder.rglob("*") if path.is_file())
    listen(FileSaved(target, f"{len(packed)} runs, {size / 1e6:.1f} MB"))
    if len(done) < len(cells):
        listen(Note(f"{len(cells) - len(done)} cells are not done, and not in it"))
    return packed
