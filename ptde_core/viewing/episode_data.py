"""Collected episodes: tables of what a file holds (`ptde data show`), and npz or Parquet (`ptde data export`)."""

import json
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, silent
from ptde_core.results.table import Table
from ptde_core.storage.episode_file import Array, Contents, read_contents
from ptde_core.storage.whole_file import replacing

DataFormat = Literal["npz", "parquet"]
FORMATS: tuple[DataFormat, ...] = ("npz", "parquet")
MEANINGS: Mapping[str, str] = {
    "rows/obs": "what each agent saw before it acted",
    "rows/state": "the global state then",
    "rows/available": "which actions each agent could take",
    "rows/last_action": "the action of the step before; -1 at an episode's first step",
    "rows/action": "what each agent did",
    "rows/reward": "the team's reward for it",
    "rows/terminated": "the world ended with this step: nothing follows",
    "rows/truncated": "the time limit cut the episode after this step",
    "rows/z_mean": "mean of the teacher's z",
    "rows/z_sigma": "its standard deviation",
    "episodes/start": "row of its first step",
    "episodes/length": "its steps",
    "episodes/seed": "decides the episode",
    "episodes/won": "whether it was won",
    "episodes/total_reward": "sum of its rewards",
    "episodes/last_obs": "what each agent saw after the last step",
    "episodes/last_available": "which actions each agent could have taken then",
    "episodes/last_state": "the global state then",
}


def data_tables(path: Path, *, features: bool = False) -> list[Table]:
    """What a file of episodes holds: where it comes from, its arrays, and with `features` the name of each number.

    Raises:
        PtdeError: as `storage.episode_file.read_contents`.
    """
    found = read_contents(path, with_rows=False)
    won, total, length = (found.episodes[name] for name in ("won", "total_reward", "length"))
    facts = {
        "episodes": f"{len(length):,}",
        "steps": f"{int(length.sum()):,}, of an episode {length.min()} to {length.max()}",
        "won": f"{int(won.sum()):,}/{len(won):,}",
        "mean return": f"{total.mean():.4g}",
        **{name: str(value) for name, value in sorted(found.about.items())},
    }
    arrays = [
        (f"{a.group}/{a.name}", " x ".join(f"{n:,}" for n in a.shape), a.dtype, _meaning(a)) for a in found.arrays
    ]
    tables = [
        Table(f"Episodes in {path}", ("fact", "value"), (tuple(facts.items()),), text_columns=2),
        Table("Arrays", ("array", "shape", "type", "meaning"), (tuple(arrays),), text_columns=4),
    ]
    return [*tables, *(name_tables(found.names) if features else [])]


def _meaning(array: Array) -> str:
    return MEANINGS.get(f"{array.group}/{array.name}", "not written by ptde")


def name_tables(names: Mapping[str, tuple[str, ...]]) -> list[Table]:
    """The name of each feature of an agent's observation and of the state, and of each action: a table each."""
    titles = {"obs": "Observation of an agent", "state": "State", "action": "Actions"}
    return [
        Table(title, ("name", "number"), (tuple((name, str(k)) for k, name in enumerate(names[kind])),), text_columns=1)
        for kind, title in titles.items()
        if kind in names
    ]


def export_data(path: Path, form: DataFormat, out: Path | None = None, *, listen: Listener = silent) -> Path:
    """Write a file of episodes in another format, with all that it holds; returns where.

    Args:
        path: of `ptde collect`.
        form: npz, one file with a compressed array for each of the file's; or parquet, a folder with steps.parquet, a
            row per step, and episodes.parquet, a row per episode.
        out: the file or folder; by default beside the episodes: episodes.npz, or episodes-parquet.
        listen: is told of the files.

    Raises:
        PtdeError: no such file, `out` exists, or pyarrow is not installed.
    """
    out = out or (path.with_suffix(".npz") if form == "npz" else path.with_name(f"{path.stem}-parquet"))
    if form == "npz" and out.suffix != ".npz":
        raise PtdeError(f"{out} is not the name of an npz file", "let it end in .npz, or change --to")
    if out.exists():
        raise PtdeError(f"{out} already exists", "delete it, or give another place with --out")
    if form == "parquet" and find_spec("pyarrow") is None:
        raise PtdeError(
            "Parquet needs pyarrow, which is not installed", "python -m pip install 'ptde[parquet]', or take --to npz"
        )
    found = read_contents(path, with_rows=True)
    if form == "npz":
        arrays = {f"rows_{name}": one for name, one in found.rows.items()}
        arrays |= {f"episodes_{name}": one for name, one in found.episodes.items()}
        arrays |= {f"names_{name}": np.array(texts) for name, texts in found.names.items()}
        with replacing(out, new=True) as file:
            np.savez_compressed(file, about=np.array(json.dumps(found.about)), **arrays)  # type: ignore[arg-type]  # numpy's stub
        listen(FileSaved(out, f"{len(arrays)} arrays"))
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        whole = Path(folder) / out.name
        whole.mkdir()
        for name, columns in (("steps", _step_columns(found)), ("episodes", found.episodes)):
            _write_parquet(whole / f"{name}.parquet", columns, found)
        whole.replace(out)
    listen(FileSaved(out, "steps.parquet and episodes.parquet"))
    return out


def _step_columns(found: Contents) -> dict[str, NDArray[Any]]:
    """The columns of the steps, after two more: the episode (its row in episodes.parquet), and the step in it."""
    length = found.episodes["length"]
    episode = np.repeat(np.arange(len(length)), length)
    return {"episode": episode, "step": np.arange(len(episode)) - found.episodes["start"][episode], **found.rows}


def _write_parquet(path: Path, columns: Mapping[str, NDArray[Any]], found: Contents) -> None:
    """One column for each array; an array with further axes becomes nested lists of fixed size."""
    import pyarrow as pa
    from pyarrow import parquet

    arrays = {}
    for name, values in columns.items():
        array = pa.array(values.reshape(-1))
        for size in reversed(values.shape[1:]):
            array = pa.FixedSizeListArray.from_arrays(array, size)
        arrays[name] = array
    about = {"ptde": json.dumps({**found.about, "names": {key: list(texts) for key, texts in found.names.items()}})}
    parquet.write_table(pa.table(arrays).replace_schema_metadata(about), path)
