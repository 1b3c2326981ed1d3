"""What is kept of a sweep's runs for others: small files alone, from which every number and curve can be made again."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, Note, silent
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.staleness import stale
from ptde_core.runs.identity import same_training, why_not_this_training
from ptde_core.runs.stage_settings import read_run_config
from ptde_core.storage.cell_file import read_cell
from ptde_core.storage.curve_file import metrics_of, write_curve
from ptde_core.storage.run_folder import RunFolder, checkpoints_of, write_json
from ptde_core.storage.sums import NAME, read_sums, update_sums
from ptde_core.storage.whole_file import check_output

LARGEST_CHECKPOINT = 2_500_000  # bytes; a larger one stays where it is (a teacher of QMIX_SGI on 5m_vs_6m has 2.0 MB)
UNFINISHED = ".unfinished"  # the name of a copy as long as it is not whole


def pack(cells: Sequence[Cell], out: Path, target: Path, *, listen: Listener = silent) -> list[Path]:
    """Copy config, provenance, status, evaluation, curve and small checkpoints of every cell that is done.

    SHA256SUMS in the target gets the sums of all their files.

    Args:
        cells: of the sweep.
        out: folder of their runs.
        target: where to; a run keeps its path below it. A copy that is there of an earlier time is replaced.
        listen: told what is left out.

    Returns:
        The folders that were written.

    Raises:
        PtdeError: no cell is done; or as `check_target`.
    """
    check_target(cells, out, target)
    done = [cell for cell in cells if not why_not_kept(cell)]
    if not done:
        raise PtdeError(f"no cell in {out} is done", f"the first: {why_not_kept(cells[0])}; see `ptde sweep status`")
    packed = [_copy(cell.run, RunFolder(target / cell.run.path.relative_to(out)), listen) for cell in done]
    update_sums(target, packed)
    size = sum(path.stat().st_size for folder in packed for path in folder.rglob("*") if path.is_file())
    listen(FileSaved(target, f"{len(packed)} run{'s' if len(packed) > 1 else ''}, {size / 1e6:.1f} MB"))
    if len(done) < len(cells):
        listen(Note(f"{len(cells) - len(done)} cells are not done, and not in it"))
    return packed


def check_target(cells: Sequence[Cell], out: Path, target: Path) -> None:
    """Refuse a target that cannot take the copies; nothing is written.

    Raises:
        PtdeError: it is the runs' own folder or in it, holds a broken list of sums, or has something else than an
            earlier copy of the same training where one of a cell would go.
        StorageError: it cannot be written.
    """
    if target.resolve() == out.resolve():
        raise PtdeError(f"{target} is the folder of the runs themselves", "give another one")
    if out.resolve() in target.resolve().parents:
        raise PtdeError(
            f"{target} is in {out}, the folder of the runs, where a copy counts as a run", "give another one"
        )
    check_output(target / NAME)
    read_sums(target)
    for cell in cells:
        copy = RunFolder(target / cell.run.path.relative_to(out))
        if os.path.lexists(copy.path) and (why := _why_not_replaced(copy, cell)):
            raise PtdeError(f"{copy.path} is there, and {why}", "give another folder, or move it away")


def _why_not_replaced(copy: RunFolder, cell: Cell) -> str:
    """Why what lies there is no earlier copy of the cell's training, maybe of another version's world; "" if it is."""
    if not copy.curve.is_file() or copy.metrics.exists():
        return "is no copy of a run"
    made_from = read_run_config(copy).made_from
    why = same_training(made_from, cell.pipeline.training, made_from.world)
    return f"was {why}" if why else ""


def why_not_kept(cell: Cell) -> str:
    """Why a cell is not one that is done with its training's settings; "" if it is.

    A setting that is younger than the run had its default then.
    """
    try:
        record = read_cell(cell.run.cell)
        if record is None or record.state != "done":
            return f"{cell.name} is {'not begun' if record is None else record.state}"
        if why := why_not_this_training(cell.run, cell.pipeline.training):
            return f"{cell.name} was {why}"
        return stale(cell.run)
    except PtdeError as error:
        return str(error)


def _copy(run: RunFolder, copy: RunFolder, listen: Listener) -> Path:
    """The small files of a run; they take the place of an earlier copy once all of them are there."""
    whole, copy = copy, RunFolder(copy.path.with_name(copy.path.name + UNFINISHED))
    shutil.rmtree(copy.path, ignore_errors=True)
    copy.path.mkdir(parents=True)
    for path in (run.config, run.provenance, run.status, run.evaluation):
        shutil.copyfile(path, copy.path / path.name)
    write_curve(copy.curve, metrics_of(run))
    left_out = {}
    for path in checkpoints_of(run.path):
        inner, size = path.relative_to(run.path), path.stat().st_size
        if size > LARGEST_CHECKPOINT:
            left_out[inner.as_posix()] = size
            listen(Note(f"left out: {path}, {size / 1e6:.1f} MB"))
            continue
        (copy.path / inner).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copy.path / inner)
    if left_out:
        write_json(copy.left_out, left_out)
    shutil.rmtree(whole.path, ignore_errors=True)
    copy.path.rename(whole.path)
    return whole.path
