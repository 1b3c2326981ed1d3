"""What is kept of a sweep's runs for others: small files alone, from which every number and curve can be made again."""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ptde_core.base.errors import PtdeError, storage_error
from ptde_core.base.events import FileSaved, Listener, Note, silent
from ptde_core.base.untrusted import check_regular
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.staleness import stale
from ptde_core.runs.identity import same_training, why_not_this_training
from ptde_core.runs.one_training import log_of
from ptde_core.runs.stage_settings import read_run_config
from ptde_core.storage.cell_file import read_cell
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.curve_file import metrics_of, write_curve
from ptde_core.storage.run_folder import UNFINISHED, RunFolder, checkpoints_of, write_json
from ptde_core.storage.run_lock import refuse_linked_folders
from ptde_core.storage.sums import FILE_BYTES, NAME, check_names, read_sums, update_sums
from ptde_core.storage.whole_file import PARTIAL, check_output

LARGEST_CHECKPOINT = 2_500_000  # bytes; a larger one stays where it is (a teacher of QMIX_SGI on 5m_vs_6m has 2.0 MB)
MOST_NAMED = 10  # cells that are not kept, by name


@dataclass(frozen=True)
class _Copy:
    """A run and its copy to be.

    Args:
        run: where it lies.
        place: the folder of its copy.
        files: path inside the run -> the file that is copied as it is.
        left_out: path inside the run -> bytes of a checkpoint that is too large.
    """

    run: RunFolder
    place: Path
    files: Mapping[str, Path]
    left_out: Mapping[str, int]

    @property
    def unfinished(self) -> Path:
        """The folder that it is written into until it is whole; nothing of the user's has such a name."""
        return _unfinished(self.place)

    @property
    def names(self) -> list[str]:
        """The paths of all files of the copy, inside it."""
        copy = RunFolder(self.place)
        return [*self.files, copy.curve.name, *([copy.left_out.name] if self.left_out else [])]

    def write(self) -> None:
        """Write the whole copy beside its place; what a packing that was killed has left there is deleted."""
        if self.unfinished.exists():
            shutil.rmtree(self.unfinished)
        whole = RunFolder(self.unfinished / "new")
        whole.path.mkdir(parents=True)
        for inner, path in self.files.items():
            (whole.path / inner).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, whole.path / inner)
        write_curve(whole.curve, metrics_of(self.run))
        if self.left_out:
            write_json(whole.left_out, dict(self.left_out))

    def put_in_place(self) -> None:
        """Let it take the place of an earlier copy, which is back if that fails."""
        old = self.unfinished / "old"
        try:
            if self.place.exists():
                self.place.rename(old)
            (self.unfinished / "new").rename(self.place)
        except BaseException:
            if old.exists() and not self.place.exists():
                old.rename(self.place)
            raise


def pack(cells: Sequence[Cell], out: Path, target: Path, *, listen: Listener = silent) -> list[Path]:
    """Copy config, provenance, status, evaluation, curve and small checkpoints of every cell that is done.

    SHA256SUMS in the target gets the sums of all their files. All copies are written before the first takes its place;
    if that is cut short, the same call mends what it left.

    Args:
        cells: of the sweep.
        out: folder of their runs.
        target: where to; a run keeps its path below it. A copy that is there of an earlier time is replaced.
        listen: told what is left out.

    Returns:
        The folders that were written.

    Raises:
        PtdeError: no cell is done; a file of one is a link, a device, too large or broken; or as `check_target`.
        StorageError: a copy cannot be written.
    """
    check_target(cells, out, target)
    told = [(cell, why_not_kept(cell)) for cell in cells]
    done = [cell.run for cell, why in told if not why]
    if not done:
        raise PtdeError(f"no cell in {out} is done", f"the first: {told[0][1]}; see `ptde sweep status`")
    copies = [_copy_of(run, target / run.path.relative_to(out)) for run in done]
    inner = {one.place.relative_to(target).as_posix(): one.names for one in copies}
    check_names(target, [f"{folder}/{name}" for folder, names in inner.items() for name in names])
    for one in copies:
        for name, size in one.left_out.items():
            listen(Note(f"left out: {one.run.path / name}, {size / 1e6:.1f} MB"))
    packed = _write(copies, target)
    total = sum(path.stat().st_size for folder in packed for path in folder.rglob("*") if path.is_file())
    listen(FileSaved(target, f"{len(packed)} run{'s' if len(packed) > 1 else ''}, {total / 1e6:.1f} MB"))
    _tell([why for _, why in told if why], listen)
    return packed


def _write(copies: Sequence[_Copy], target: Path) -> list[Path]:
    """Write all copies, put them in place, and list their sums, whatever happens; the folders that were written."""
    begun: list[Path] = []
    try:
        for one in copies:
            one.write()
        for one in copies:
            begun.append(one.place)
            one.put_in_place()
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        for one in copies:
            shutil.rmtree(one.unfinished, ignore_errors=True)
            _remove_empty(one.place.parent, target)
        if begun:
            update_sums(target, begun)
    return begun


def _remove_empty(folder: Path, target: Path) -> None:
    """Remove folders that a copy which failed has left without anything in them."""
    with suppress(OSError):
        while folder != target:
            folder.rmdir()
            folder = folder.parent


def _tell(left: Sequence[str], listen: Listener) -> None:
    for why in left[:MOST_NAMED]:
        listen(Note(f"not kept: {why}"))
    if len(left) > MOST_NAMED:
        listen(Note(f"not kept: {len(left) - MOST_NAMED} more cells"))


def check_target(cells: Sequence[Cell], out: Path, target: Path) -> None:
    """Refuse a target that cannot take the copies; nothing is written.

    Raises:
        PtdeError: it is the runs' own folder or in it, holds a broken list of sums, or has something else than an
            earlier copy of the same training (a link to one, a file of the user's in it) where one of a cell would go.
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
        left = _unfinished(copy.path)
        if os.path.lexists(left) and (left.is_symlink() or not left.is_dir()):
            raise PtdeError(f"{left} is there, and is no unfinished copy", "move it away")


def _why_not_replaced(copy: RunFolder, cell: Cell) -> str:
    """Why what lies there is no earlier copy of the cell's training, maybe of another version's world; "" if it is."""
    if copy.path.is_symlink():
        return "is a link"
    if not copy.curve.is_file() or copy.metrics.exists():
        return "is no copy of a run"
    if other := _of_the_user(copy):
        return f"holds {other}, which is not of a copy and would be lost"
    made_from = read_run_config(copy).made_from
    why = same_training(made_from, cell.pipeline.training, made_from.world)
    return f"was {why}" if why else ""


def _of_the_user(copy: RunFolder) -> str:
    """The first file in an earlier copy, by its path inside it, that no packing puts there; "" if there is none."""
    own = {copy.config, copy.provenance, copy.status, copy.evaluation, copy.curve, copy.left_out}
    own |= set(checkpoints_of(copy.path))
    for path in sorted(copy.path.rglob("*")):
        of_ptde = path in own or (path.name.startswith(".") and path.name.endswith((".lock", PARTIAL)))
        if not of_ptde and (path.is_symlink() or not path.is_dir()):
            return path.relative_to(copy.path).as_posix()
    return ""


def why_not_kept(cell: Cell) -> str:
    """Why a cell is not one that is done with its training's settings, with all that is kept of it; "" if it is.

    A setting that is younger than the run had its default then.
    """
    try:
        record = read_cell(cell.run.cell)
        if record is None or record.state != "done":
            return f"{cell.name} is {'not begun' if record is None else record.state}"
        if why := why_not_this_training(cell.run, cell.pipeline.training):
            return f"{cell.name} was {why}"
        for path in (cell.run.provenance, cell.run.status):  # no stage makes them anew
            if not path.exists():
                return f"{cell.name} has no {path.name} any more; bring it back, or train it anew in another folder"
        why = stale(cell.run)
        return f"{cell.name} is stale: {why}" if why else ""
    except PtdeError as error:
        return f"{cell.name}: {error}"


def _copy_of(run: RunFolder, place: Path) -> _Copy:
    """What is to be copied of a run; every file is checked, for the run may come from anybody.

    Raises:
        PtdeError: a file is a link, a device or a pipe, too large, or not what its name says.
        StorageError: a folder in it is a link.
    """
    refuse_linked_folders(run)
    told = {run.config: "settings of a run", run.provenance: "provenance of a run", run.status: "status of a run"}
    told |= {run.evaluation: "evaluation", (run.metrics if run.metrics.exists() else run.curve): "log of metrics"}
    for path, meaning in told.items():
        _check_own(path, meaning, FILE_BYTES)
    log_of(run)
    files, left_out = [run.config, run.provenance, run.status, run.evaluation], {}
    for path in checkpoints_of(run.path):
        if (size := _check_own(path, "checkpoint")) > LARGEST_CHECKPOINT:
            left_out[path.relative_to(run.path).as_posix()] = size
            continue
        load_checkpoint(path, "teacher", "student")
        files.append(path)
    return _Copy(run, place, {path.relative_to(run.path).as_posix(): path for path in files}, left_out)


def _check_own(path: Path, meaning: str, largest: int | None = None) -> int:
    """The size in bytes of a file that lies in the run itself.

    Raises:
        PtdeError: it is a link, or as `check_regular`.
    """
    if path.is_symlink():
        raise PtdeError(f"{path} is a link, and only a run's own files are copied", "put there what it leads to")
    return check_regular(path, meaning, largest)


def _unfinished(place: Path) -> Path:
    return place.with_name(f"{UNFINISHED}{place.name}")
