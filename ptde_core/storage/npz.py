"""A file of numpy arrays (.npz), read as if anybody had written it: no array is larger than what lies in the file."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.untrusted import check_regular

MEMBERS = 100
AGAIN = "train it anew in another folder, with --out"


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays, by name.

    Raises:
        PtdeError: the file is missing, cut, or not as `numpy.savez` writes plain arrays.
    """
    size = check_regular(path, "part of the state of a training", missing=AGAIN)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS or sum(member.file_size for member in members) > size:
                raise ValueError("more than lies in the file")
            if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
                raise ValueError("compressed or encrypted parts")
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except Exception as error:  # zipfile and numpy raise what they like on a broken file
        problem = f"{path} is not a whole part of the state of a training ({quoted(error)})"
        raise PtdeError(problem, AGAIN) from None


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """One array, once its header says no more than there is.

    Raises:
        ValueError: it says more, or asks for Python objects.
    """
    with archive.open(member) as file:
        if npy.read_magic(file) != (1, 0):
            raise ValueError("another version of numpy's format")
        shape, _, dtype = npy.read_array_header_1_0(file)
        count = 1
        for length in shape:
            count *= int(length)
        if dtype.hasobject or dtype.subdtype or dtype.names or count * dtype.itemsize != member.file_size - file.tell():
            raise ValueError("an array of another size than it says")
    with archive.open(member) as file:
        found: NDArray[Any] = npy.read_array(file, allow_pickle=False)
        return found.view(np.uint8) != 0 if found.dtype == np.bool_ else found
