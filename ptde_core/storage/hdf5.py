"""HDF5 files that may come from anybody: plain arrays inside the file, of the expected shape and type.

In HDF5 an array's bytes can lie in another file (external links, external storage, virtual datasets), and its declared
size can be far larger than the file. An array is read only after it was checked to lie in this file, and to fit. HDF5
never returns from some files. So texts are of fixed length, since those of any length lie in a heap, whose free space
can be said to have no size; and an array's packed pieces must have bytes, and as many sizes as the array.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.machine_memory import available_bytes
from ptde_core.base.untrusted import check_regular

FILTERS = frozenset({h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_LZF, h5py.h5z.FILTER_FLETCHER32})
CHUNK_BYTES = 256 * 1024**2  # most bytes of one chunk of an array, which is unpacked whole
MOST = 1e18  # largest number of an array: its square is finite in 32 bits
SHRINKS = 2000  # the largest compression ratio of our filters
SMALL = 1024**2  # bytes of an array that fits into any machine: the free memory, three files of Linux, is not asked for
NUMBERS = "biuf"  # kinds of numpy types: boolean, integers, floats


@dataclass(frozen=True)
class Column:
    """The expected type and shape of an array.

    Args:
        dtype: the exact type of its numbers.
        shape: its sizes; None for any size.
        finite: whether NaN, infinite numbers and those beyond `MOST` are refused.
    """

    dtype: DTypeLike
    shape: tuple[int | None, ...]
    finite: bool = True


@contextmanager
def opened(path: Path, broken: PtdeError, meaning: str, missing: str) -> Iterator[Any]:
    """The file's root group. Any error of the file inside the block becomes one sentence.

    Args:
        path: the file.
        broken: the error for a file that is not one of ours.
        meaning: what it should be, in words.
        missing: what to do if there is none.

    Raises:
        PtdeError: in one sentence.
    """
    check_regular(path, meaning, missing=missing)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except PtdeError:
        raise
    except MemoryError:
        raise PtdeError(f"{path} does not fit into this machine's memory", broken.fix) from None
    except Exception as error:  # h5py raises many kinds of errors on a broken file
        raise PtdeError(f"{broken.problem} ({quoted(error)})", broken.fix) from None


def group(parent: Any, name: str) -> Any:
    """A group inside the file.

    Raises:
        ValueError: there is none, or it is a link to somewhere else.
    """
    found = _inside(parent, name)
    if not isinstance(found, h5py.Group):
        raise ValueError(f"{name} is no group")
    return found


def array(parent: Any, name: str, column: Column) -> NDArray[Any]:
    """A whole array inside the file.

    Raises:
        ValueError: it is not what `column` says, not in this file, or too large.
    """
    found = _dataset(parent, name)
    kind, shape = found.dtype, found.shape
    if kind.kind not in NUMBERS or kind != np.dtype(column.dtype):
        raise ValueError(f"{name} is of {quoted(kind)}, not of {np.dtype(column.dtype)}")
    fits = len(shape) == len(column.shape) and all(
        wanted in (None, there) for wanted, there in zip(column.shape, shape, strict=True)
    )
    if not fits:
        wanted = " x ".join("any" if size is None else str(size) for size in column.shape)
        raise ValueError(f"{name} is {quoted(shape)}, not {wanted}")
    _check_storage(name, found)
    values: NDArray[Any] = found[()]
    if values.dtype == np.bool_:
        values = values.view(np.uint8) != 0  # the file may hold other bytes than 0 and 1
    numbers = column.finite and values.size and np.issubdtype(values.dtype, np.floating)
    if numbers and not (values.min() >= -MOST and values.max() <= MOST):  # of NaN, both are false
        raise ValueError(f"{name} holds numbers that are not finite, or beyond {MOST:g}")
    return values


def rows_of(parent: Any, name: str) -> int:
    """The declared number of rows of an array; nothing else about it is checked.

    Raises:
        ValueError: there is no such array.
    """
    found = _dataset(parent, name)
    if not found.shape:
        raise ValueError(f"{name} has no rows")
    return int(found.shape[0])


def names_of(parent: Any) -> list[str]:
    """The names of the members of a group."""
    return [str(name) for name in parent]


def facts_of(parent: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type and stored bytes of an array inside the file, without reading it.

    Raises:
        ValueError: there is no such array, or it is a link to somewhere else.
    """
    found = _dataset(parent, name)
    return tuple(map(int, found.shape)), found.dtype, int(found.id.get_storage_size())


def declared_bytes(parent: Any, levels: int = 4) -> int:
    """How much memory all arrays of a group and of the groups in it take, each as often as it is named there.

    Raises:
        ValueError: a member is a link to somewhere else, or groups lie deeper than `levels`.
    """
    if not levels:
        raise ValueError("groups in groups in groups")
    total = 0
    for name in parent:
        found = _inside(parent, name)
        is_group = isinstance(found, h5py.Group)
        total += declared_bytes(found, levels - 1) if is_group else math.prod(found.shape) * found.dtype.itemsize
    return total


def texts(parent: Any, name: str, most: int, longest: int) -> tuple[str, ...]:
    """A list of strings inside the file, as `write_texts` writes it.

    Raises:
        ValueError: it is none, not in this file, or has too many or too long ones.
    """
    found = _dataset(parent, name)
    if len(found.shape) != 1 or found.shape[0] > most or found.dtype.kind != "S":
        raise ValueError(f"{name} is no list of texts of ours")
    _check_storage(name, found)
    values = tuple(value.decode() for value in found[:])
    if any(len(text) > longest for text in values):
        raise ValueError(f"{name} holds a text of more than {longest} characters")
    return values


def write_attribute(parent: Any, name: str, value: Any) -> None:
    """Write an attribute: a number, or a text, in fixed length. Read by `whole_number`, `text`, `plain` and `truth`."""
    if not isinstance(value, str):
        parent.attrs[name] = value
        return
    data = value.encode()
    parent.attrs.create(name, np.bytes_(data), dtype=h5py.string_dtype(length=max(1, len(data))))


def write_texts(parent: Any, name: str, values: Sequence[str]) -> None:
    """Write a list of strings, each in the length of the longest. Read by `texts`."""
    data = [value.encode() for value in values]
    parent.create_dataset(name, data=data, dtype=h5py.string_dtype(length=max(1, *map(len, data))))


def has(parent: Any, name: str) -> bool:
    """Whether the group has a member of that name."""
    return name in parent  # where it is a link to somewhere else, h5py does not follow it to answer


def whole_number(parent: Any, name: str, below: int = 2**64) -> int:
    """An attribute that is a whole number from 0.

    Raises:
        ValueError: it is none.
    """
    value = _attribute(parent, name)
    if not isinstance(value, np.integer | int) or isinstance(value, bool) or not 0 <= int(value) < below:
        raise ValueError(f"{name} is no number of ours")
    return int(value)


def text(parent: Any, name: str, longest: int) -> str:
    """An attribute that is a text.

    Raises:
        ValueError: it is none, or too long.
    """
    value = _attribute(parent, name)
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError(f"{name} is no text of ours")
    return value


def plain(parent: Any, name: str, longest: int) -> bool | int | float | str:
    """An attribute that is a number, a boolean or a text.

    Raises:
        ValueError: it is none, or too long.
    """
    value = _attribute(parent, name)
    found = value.item() if isinstance(value, np.generic) else value
    if not isinstance(found, bool | int | float | str) or (isinstance(found, str) and len(found) > longest):
        raise ValueError(f"{name} is no number or text of ours")
    return found


def truth(parent: Any, name: str) -> bool:
    """An attribute that is true or false.

    Raises:
        ValueError: it is none.
    """
    value = _attribute(parent, name)
    if not isinstance(value, np.bool_ | bool):
        raise ValueError(f"{name} is neither true nor false")
    return bool(value)


def _attribute(parent: Any, name: str) -> Any:
    """An attribute that is a single value; lists, references and the like are refused unread."""
    attributes = parent.attrs
    if name not in attributes:
        raise ValueError(f"no {name}")
    facts = attributes.get_id(name)
    if facts.shape != () or facts.dtype.kind not in NUMBERS + "S":
        raise ValueError(f"{name} is not one value of fixed size")
    value = attributes[name]
    return value.decode() if isinstance(value, bytes) else value


def _dataset(parent: Any, name: str) -> Any:
    found = _inside(parent, name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{name} is no array")
    return found


def _inside(parent: Any, name: str) -> Any:
    link = parent.get(name, getlink=True)
    if link is None:
        raise ValueError(f"no {name}")
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{name} is a link")
    return parent[name]


def _has_an_empty_piece(found: Any) -> bool:
    sizes: list[int] = []
    found.id.chunk_iter(lambda piece: sizes.append(piece.size))
    return 0 in sizes


def _check_storage(name: str, found: Any) -> None:
    """Refuse an array whose bytes are not in this file, or are more than the file can hold."""
    plan = found.id.get_create_plist()
    if found.is_virtual or plan.get_external_count():
        raise ValueError(f"{name} lies in another file")
    if any(plan.get_filter(k)[0] not in FILTERS for k in range(plan.get_nfilters())):
        raise ValueError(f"{name} is packed in a way that ptde does not use")
    each, stored, chunks = found.dtype.itemsize, found.id.get_storage_size(), found.chunks
    size = math.prod(found.shape) * each
    if size > SHRINKS * max(1, stored):
        raise ValueError(f"{name} is {size:,} bytes, and there are {stored:,} in the file")
    if chunks and (len(chunks) != len(found.shape) or 0 in chunks):
        raise ValueError(f"{name} comes in pieces of {len(chunks)} sizes, and has {len(found.shape)}")
    if chunks and math.prod(chunks) * each > CHUNK_BYTES:
        raise ValueError(f"{name} comes in pieces of more than {CHUNK_BYTES:,} bytes")
    if chunks and _has_an_empty_piece(found):
        raise ValueError(f"{name} has a piece of no bytes")
    if size > SMALL and size > available_bytes():
        raise ValueError(f"{name} is {size:,} bytes, more than this machine has room for")
