"""How kernels are compiled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba
from numba.extending import intrinsic
from numpy.typing import NDArray

from ptde_core.base.kernel_cache import KernelCache, digest_of

Array = NDArray[Any]

DIGEST = digest_of(Path(__file__).parent)


def inner(function: Callable[..., Any]) -> Any:
    """A kernel for other kernels."""
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
