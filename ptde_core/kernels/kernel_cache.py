"""The cache of compiled kernels on disk: one file for each, named by a digest of all source files of the kernels.

Numba's own cache is not safe here. It compares a kernel's own source file only, not those of the kernels that it
calls. And it keeps an index of numbered files: processes that compile at the same time, or one that is killed while
it writes, can leave a number that stands for another kernel's code.
"""

# Numba's classes have no types, hence the `type: ignore` below.

import hashlib
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile


def digest_of(folder: Path) -> str:
    """A digest of all Python files of the folder."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()


class KernelCache(FunctionCache):
    """The compiled forms of one kernel.

    Args:
        function: the kernel, in Python.
        digest: of all files that its code may depend on.
    """

    def __init__(self, function: Any, digest: str) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]  # numba's
        self._digest = digest
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, digest)  # type: ignore[no-untyped-call]  # numba's

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return *super()._index_key(sig, codegen), numba.__version__, self._digest  # type: ignore[no-untyped-call]  # numba's


class _Files(IndexDataCacheFile):
    """One file for each key, written whole or not at all."""

    def save(self, key: tuple[Any, ...], data: Any) -> None:
        self._save_data(self._name(key), data)  # type: ignore[no-untyped-call]  # numba's

    def load(self, key: tuple[Any, ...]) -> Any:
        try:
            return self._load_data(self._name(key))  # type: ignore[no-untyped-call]  # numba's
        except FileNotFoundError:
            return None

    def _name(self, key: tuple[Any, ...]) -> str:
        kernel = self._index_name.removesuffix(".nbi")
        return f"{kernel}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"
