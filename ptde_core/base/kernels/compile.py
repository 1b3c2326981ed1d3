"""How kernels are compiled, and when a compiled kernel on disk is stale: as soon as any file of kernels has changed."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba
from numba.core.caching import FunctionCache
from numba.extending import intrinsic
from numpy.typing import NDArray

Array = NDArray[Any]

DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()


def inner(function: Callable[..., Any]) -> Any:
    """A kernel for other kernels."""
    return _jit(function, no_cpython_wrapper=True)


def entry(function: Callable[..., Any]) -> Any:
    """A kernel that Python calls; it releases the interpreter, so that each thread works on a part."""
    kernel = _jit(function)
    kernel._cache = _Cache(function)  # type: ignore[no-untyped-call]  # what numba's own `cache=True` does
    return kernel


def code(function: Callable[..., Any]) -> Any:
    """A kernel for other kernels whose code is written instruction by instruction."""
    return intrinsic(function)


def _jit(function: Callable[..., Any], **options: bool) -> Any:
    """Division by zero follows numpy; a product and a sum may be one instruction, and nothing else is reordered."""
    return cast(Any, numba.njit)(nogil=True, error_model="numpy", fastmath={"contract"}, **options)(function)


class _Cache(FunctionCache):
    """Numba looks at the file of a cached kernel alone; this one at the files of all that it may be made of."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return *super()._index_key(sig, codegen), DIGEST  # type: ignore[no-untyped-call]  # numba's
