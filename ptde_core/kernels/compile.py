"""How kernels are compiled: the decorators around numba's."""

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
    """A kernel that only other kernels call. Its name must be unique.

    Cached kernels are linked by the names of the kernels that they call. Of two with the same name and signature, a
    process that loads both from the cache could call the wrong one.
    """
    name = function.__module__, function.__qualname__
    assert name not in _named, f"two kernels are named {'.'.join(name)}"
    _named.add(name)
    return _jit(function, no_cpython_wrapper=True)


def entry(function: Callable[..., Any]) -> Any:
    """A kernel that Python calls. It releases the GIL, so that several threads can run it."""
    kernel = _jit(function)
    kernel._cache = KernelCache(function, DIGEST)  # what numba's own `cache=True` does
    return kernel


def code(function: Callable[..., Any]) -> Any:
    """A kernel for other kernels that is written in LLVM's intermediate representation."""
    return intrinsic(function)


def _jit(function: Callable[..., Any], **options: bool) -> Any:
    """Division by zero as in numpy. A product and a sum may become one instruction (fma); nothing else is reordered."""
    return cast(Any, numba.njit)(nogil=True, error_model="numpy", fastmath={"contract"}, **options)(function)
