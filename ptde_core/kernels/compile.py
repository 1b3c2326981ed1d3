"""How kernels are compiled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba
from numba.extending import intrinsic
from numpy.typing import NDArray

from ptde_core.kernels.kernel_cache import KernelCache, digest_of

Array = NDArray[Any]

DIGEST = digest_of(Path(__file__).parent)


_named: set[tuple[str, str]] = set()


def inner(function: Callable[..., Any]) -> Any:
    """A kernel for other kernels; no two may have one name.

    Kernels from the cache are linked by the names of what they call, numbered within the process that compiled them. Of
    two kernels with one name and one signature, a process that finds both may call the wrong one.
    """
    name = function.__module__, function.__qualname__
    assert name not in _named, f"two kernels are named {'.'.join(name)}"
    _named.add(name)
    return _jit(function, no_cpython_wrapper=True)


def entry(function: Callable[..., Any]) -> Any:
    """A kernel that Python calls; it releases the interpreter, so that each thread works on a part."""
    kernel = _jit(function)
    kernel._cache = KernelCache(function, DIGEST)  # what numba's own `cache=True` does
    return kernel


def code(function: Callable[..., Any]) -> Any:
    """A kernel for other kernels whose code is written instruction by instruction."""
    return intrinsic(function)


def _jit(function: Callable[..., Any], **options: bool) -> Any:
    """Division by zero follows numpy; a product and a sum may be one instruction, and nothing else is reordered."""
    return cast(Any, numba.njit)(nogil=True, error_model="numpy", fastmath={"contract"}, **options)(function)
