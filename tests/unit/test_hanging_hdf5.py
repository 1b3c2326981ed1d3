"""Files from which HDF5 itself would not return are refused before it reads what makes it hang."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from benchmarks.fuzz import write_a_replay, write_rows
from ptde_core.base.errors import PtdeError
from ptde_core.storage.episode_file import read_about, read_contents
from ptde_core.storage.replay_file import read_replay
from tests.unit.test_untrusted_files import _replaced

HEAP_TEXTS: dict[str, tuple[Callable[[Path], object], str, Callable[[Any], object], Callable[[Path], object]]] = {
    "an attribute": (write_rows, "map", lambda file: file.attrs.__setitem__("map", "3m"), read_about),
    "a list": (
        write_rows,
        "obs",
        lambda file: _replaced(file, "names/obs", data=list("abcd"), dtype=h5py.string_dtype()),
        lambda path: read_contents(path, with_rows=False),
    ),
    "rows": (
        write_rows,
        "obs",
        lambda file: _replaced(file, "rows/obs", data=list("abcdefghi"), dtype=h5py.string_dtype()),
        lambda path: read_contents(path, with_rows=True),
    ),
    "a replay's header": (
        write_a_replay,
        "header",
        lambda file: _replaced(file, "header", data=["{}"], dtype=h5py.string_dtype()),
        read_replay,
    ),
}


@pytest.mark.parametrize("name", HEAP_TEXTS)
def test_texts_in_a_heap_are_refused_unread(name: str, tmp_path: Path) -> None:
    """HDF5 does not return from reading a heap whose free space has no size."""
    write, named, put_in_heap, read = HEAP_TEXTS[name]
    write(tmp_path / "e.h5")
    read(tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "a") as file:
        put_in_heap(file)
    data = bytearray((tmp_path / "e.h5").read_bytes())
    heap = data.index(b"GCOL")
    first = slice(heap + 16, heap + 32)  # after the heap's head: number, 0 for free space, and size of an object
    assert data[first] != bytes(16)
    data[first] = bytes(16)
    (tmp_path / "e.h5").write_bytes(data)
    with pytest.raises(PtdeError, match=f"{named} is (no|of object)"):
        read(tmp_path / "e.h5")


@pytest.mark.parametrize("name", ["rows/obs", "rows/terminated"])
def test_a_piece_of_an_array_without_bytes_is_refused_unread(name: str, tmp_path: Path) -> None:
    """HDF5 does not return from unpacking one."""
    path = tmp_path / "e.h5"
    write_rows(path)
    with h5py.File(path) as file:
        piece, sizes = file[name].id.get_chunk_info(0), len(file[name].shape)
    data = bytearray(path.read_bytes())
    head = 8 + 8 * (sizes + 1)  # stored bytes, filters, where in the array; then the address
    at = data.index(piece.byte_offset.to_bytes(8, "little")) - head
    assert int.from_bytes(data[at : at + 4], "little") == piece.size
    data[at : at + 4] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(PtdeError, match=f"{name.rpartition('/')[2]} has a piece of no bytes"):
        read_contents(path, with_rows=True)


def test_pieces_of_other_sizes_than_their_array_has_are_refused_unread(tmp_path: Path) -> None:
    """HDF5 does not return from reading an array of one size that comes in pieces of two."""
    path = tmp_path / "e.h5"
    write_rows(path)
    with h5py.File(path) as file:
        sizes = file["episodes/last_state"].shape
    data = bytearray(path.read_bytes())
    wanted = b"".join(size.to_bytes(8, "little") for size in sizes)
    at = data.index(wanted) - 8  # version, how many sizes, flags, padding
    assert data[at : at + 2] == bytes([1, len(sizes)])
    data[at + 1] = 1
    path.write_bytes(data)
    with pytest.raises(PtdeError, match="last_state comes in pieces of 2 sizes, and has 1"):
        read_contents(path, with_rows=True)
