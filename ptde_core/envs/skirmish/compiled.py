"""How kernels are compiled: a typed decorator for inner kernels, and one for entry points that are cached on disk."""

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from ptde_core.kernels.kernel_cache import KernelCache, digest_of

F = TypeVar("F", bound=Callable[..., Any])

DIGEST = digest_of(Path(__file__).parent)


def kernel(function: F) -> F:
    """An inner kernel: compiled for other kernels only (no Python wrapper, which would take half of the compilation).

    Inner kernels are merged into their callers: a map's tables are dozens of words, and handing them over at every
    call would take longer than most kernels. Division by zero follows numpy, and nothing holds the interpreter.
    """
    return _jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


def entry(function: F) -> F:
    """A kernel that Python calls; if it is of another folder, its code depends on that one too."""
    compiled, folder = _jit(function), Path(cast(Any, function).__code__.co_filename).parent
    digest = DIGEST if folder == Path(__file__).parent else DIGEST + digest_of(folder)
    cast(Any, compiled)._cache = KernelCache(function, digest)  # what numba's own `cache=True` does
    return compiled


def _jit(function: F, **options: bool) -> F:
    """Compile without numba's memory manager: no kernel can allocate, and none counts references to its arrays."""
    return cast(F, cast(Any, numba.njit)(nogil=True, error_model="numpy", _nrt=False, **options)(function))


def _marker(function: Callable[..., Any]) -> Path:
    folder = Path(cast(Any, function).stats.cache_path)
    python = f"{sys.version_info[0]}{sys.version_info[1]}"
    return folder / f"skirmish-{DIGEST[:12]}-numba{numba.__version__}-py{python}-{platform.machine()}.compiled"


def is_compiled(function: Callable[..., Any]) -> bool:
    """Whether an entry point has been compiled and cached for this version of the kernels (cheap: one file test)."""
    return _marker(function).exists()


def note_compiled(function: Callable[..., Any]) -> None:
    """Leave the mark that `is_compiled` looks for; without a writable cache folder every session compiles anew."""
    marker = _marker(function)
    if marker.parent.is_dir() and not marker.exists():
        marker.touch()
