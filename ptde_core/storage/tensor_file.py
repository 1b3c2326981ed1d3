"""Reading files of torch.save that may come from anybody: plain values and tensors, nothing else.

`torch.load(weights_only=True)` runs no code of the file, but a file can declare tensors that are larger than itself, or
that reach beyond their memory. So before torch reads it, the zip's index must show that all members lie in the file and
are not compressed, and the pickle, disassembled, may only use the opcodes and names that our own files use. Torch then
reads the tensors from a memory map of the file, and each is compared with the size of its member.
"""

import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.untrusted import DEPTH, TEXT, WHOLE, check_regular, check_text

MEMBERS = 100_000  # most files in the zip: one for each tensor, and a few more
PICKLE_BYTES = 16 * 1024**2  # most bytes of everything but the tensors
VALUES = 1_000_000  # most values of all kinds
SHARED = 8  # tensors may add up to so many times the file, since some share memory
OPCODES = frozenset(
    {
        *(
            "APPEND",
            "APPENDS",
            "BINFLOAT",
            "BINGET",
            "BININT",
            "BININT1",
            "BININT2",
            "BINPERSID",
            "BINPUT",
            "BINUNICODE",
        ),
        *("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "GLOBAL", "LONG1", "LONG_BINGET", "LONG_BINPUT", "MARK"),
        *("NEWFALSE", "NEWTRUE", "NONE", "PROTO", "REDUCE", "SETITEM", "SETITEMS", "STOP"),
        *("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    }
)
"""The opcodes and names in a pickle of plain values and tensors."""
DTYPES: Mapping[str, torch.dtype] = {
    "torch BoolStorage": torch.bool,
    "torch ByteStorage": torch.uint8,
    "torch DoubleStorage": torch.float64,
    "torch FloatStorage": torch.float32,
    "torch IntStorage": torch.int32,
    "torch LongStorage": torch.int64,
}
NAMES = frozenset({"collections OrderedDict", "torch._utils _rebuild_tensor_v2", *DTYPES})


def read_tensor_file(path: Path, meaning: str, missing: str, broken: str) -> Any:
    """The value in the file; every tensor is on the CPU and has its own memory.

    Args:
        path: the file.
        meaning: what it should be, in words.
        missing: what to do if there is none.
        broken: what to do if it is not whole.

    Raises:
        PtdeError: there is none, or it is not what `torch.save` writes for plain values and tensors.
    """
    size = check_regular(path, meaning, missing=missing)
    try:
        _check_zip(path, size)
        with path.open("rb") as file:
            found = torch.load(_for_torch(path, file.fileno()), map_location="cpu", weights_only=True, mmap=True)
            return _Taken(size).value(found, DEPTH)
    except MemoryError:
        raise PtdeError(
            f"{path} does not fit into this machine's memory", f"give a {meaning} written by ptde"
        ) from None
    except Exception as error:  # torch, zipfile and pickletools raise many kinds of errors on a broken file
        problem = f"{path} is not a readable checkpoint ({quoted(_first_line(error))})"
        raise PtdeError(problem, broken) from None


def _for_torch(path: Path, number: int) -> str:
    """A path that torch can open: it takes only names in UTF-8, and a file system that takes others has this way in."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return f"/proc/self/fd/{number}"
    return str(path)


def _check_zip(path: Path, size: int) -> None:
    """Refuse a zip whose members do not lie in the file, and a pickle of more than values and tensors.

    Raises:
        ValueError, zipfile.BadZipFile: why.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MEMBERS:
            raise ValueError(f"more than {MEMBERS:,} parts")
        if len({member.filename for member in members}) != len(members):
            raise ValueError("two parts of one name")
        if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
            raise ValueError("compressed or encrypted parts")
        if sum(member.file_size for member in members) > size:
            raise ValueError("parts that are larger than the file")
        pickled = [member for member in members if member.filename.endswith("data.pkl")]
        if len(pickled) != 1 or pickled[0].filename.count("/") != 1 or pickled[0].file_size > PICKLE_BYTES:
            raise ValueError("not one list of contents")
        _check_pickle(archive.read(pickled[0]))


def _check_pickle(data: bytes) -> None:
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in OPCODES:
            raise ValueError(f"{opcode.name} among its contents")
        if opcode.name == "GLOBAL" and argument not in NAMES:
            raise ValueError(f"{argument} among its contents")
        if opcode.name == "LONG_BINPUT" and int(argument or 0) > len(data):
            raise ValueError("a place beyond its contents")


class _Taken:
    """Copies a loaded value and checks it on the way.

    Args:
        size: bytes of the file.
    """

    def __init__(self, size: int) -> None:
        self._left, self._values = SHARED * size, VALUES

    def value(self, value: Any, depth: int) -> Any:
        """The value as plain dicts, lists, tuples, numbers, texts and tensors.

        Raises:
            ValueError: why it is not taken.
        """
        self._values -= 1
        if self._values < 0 or depth < 0:
            raise ValueError("too many values" if depth >= 0 else f"nested more than {DEPTH} deep")
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, dict):
            if not all(type(key) is int or (isinstance(key, str) and len(key) <= TEXT) for key in value):
                raise ValueError("a name that is none")
            return {key: self.value(one, depth - 1) for key, one in value.items()}
        if isinstance(value, list | tuple):
            taken = [self.value(one, depth - 1) for one in value]
            return tuple(taken) if isinstance(value, tuple) else taken
        if isinstance(value, str):
            check_text(value)
        if type(value) is int and abs(value) >= WHOLE:
            raise ValueError("a number that is too large")
        if value is None or isinstance(value, str | int | float):
            return value
        raise ValueError(f"a {type(value).__name__} among its contents")

    def _tensor(self, tensor: Tensor) -> Tensor:
        if type(tensor) is not Tensor or tensor.dtype not in DTYPES.values() or tensor.requires_grad:
            raise ValueError("a tensor that is not plain")
        self._left -= tensor.numel() * tensor.element_size()
        if self._left < 0:
            raise ValueError("tensors that are larger than the file")
        return tensor.clone()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
