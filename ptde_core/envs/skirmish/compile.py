"""How kernels are compiled: a typed decorator for inner kernels, and one for entry points that are cached on disk.

Numba looks only at the file of a cached function to see whether its cache is stale, not at the files of the
kernels it calls. So the digest of all kernel files is a constant of each entry point: another digest, another key.
"""

import hashlib
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_FOLDER = Path(__file__).parent
KERNEL_FILES = (
    "compile.py",
    "fields.py",
    "tables.py",
    "chance.py",
    "orders.py",
    "acquisition.py",
    "movement.py",
    "paths.py",
    "weapons.py",
    "views.py",
    "battle.py",
)


def _digest() -> int:
    text = b"".join((_FOLDER / name).read_bytes() for name in KERNEL_FILES)
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "big")


DIGEST = _digest()


def kernel(function: F) -> F:
    """An inner kernel: compiled for other kernels only (no Python wrapper, which would take half of the compilation).

    Inner kernels are merged into their callers: a map's tables are dozens of words, and handing them over at every
    call would take longer than most kernels. Division by zero follows numpy, and nothing holds the interpreter.
    """
    return _jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


def entry(function: F) -> F:
    """A kernel that Python calls. It must read a closure variable set to `DIGEST`, so that its cache key follows it."""
    return _jit(function, cache=True)


def _jit(function: F, **options: bool) -> F:
    """Compile without numba's memory manager: no kernel can allocate, and none counts references to its arrays."""
    return cast(F, cast(Any, numba.njit)(nogil=True, error_model="numpy", _nrt=False, **options)(function))


def _marker(function: Callable[..., Any]) -> Path:
    folder = Path(cast(Any, function).stats.cache_path)
    python = f"{sys.version_info[0]}{sys.version_info[1]}"
    return folder / f"skirmish-{DIGEST:x}-numba{numba.__version__}-py{python}-{platform.machine()}.compiled"


def is_compiled(function: Callable[..., Any]) -> bool:
    """Whether an entry point has been compiled and cached for this version of the kernels (cheap: one file test)."""
    return _marker(function).exists()


def note_compiled(function: Callable[..., Any]) -> None:
    """Leave the mark that `is_compiled` looks for; without a writable cache folder every session compiles anew."""
    marker = _marker(function)
    if marker.parent.is_dir() and not marker.exists():
        marker.touch()
