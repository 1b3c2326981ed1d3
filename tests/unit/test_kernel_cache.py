"""A compiled kernel on disk is found again by what it was made of, and by nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest

from ptde_core.kernels.compile import inner
from ptde_core.kernels.kernel_cache import KernelCache, digest_of


def double(x: Any) -> Any:
    return x + x


def compiled(digest: str) -> Any:
    """A new process's view of the kernel, as far as the cache goes."""
    kernel = numba.njit(double)
    kernel._cache = KernelCache(double, digest)
    return kernel


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def test_it_is_found_under_the_same_digest_and_types_only() -> None:
    assert compiled("one")(2) == 4
    again, other_digest, other_type = compiled("one"), compiled("two"), compiled("one")
    assert (again(3), other_digest(3), other_type(1.5)) == (6, 6, 3.0)
    assert sum(again.stats.cache_hits.values()) == 1
    assert sum(other_digest.stats.cache_hits.values()) == 0
    assert sum(other_type.stats.cache_hits.values()) == 0


def test_two_that_compile_at_once_do_not_take_each_others_place() -> None:
    one, other = compiled("one"), compiled("one")  # neither knows of the other's file
    assert one(2) == 4
    assert other(1.5) == 3.0
    third = compiled("one")
    assert (third(2), third(1.5)) == (4, 3.0)
    assert sum(third.stats.cache_hits.values()) == 2


def test_one_that_is_killed_leaves_nothing_to_be_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as killed:
        killed.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            compiled("one")(2)
    assert not list(folder.rglob("*.nbc"))
    assert compiled("one")(2) == 4


def test_the_digest_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    before = digest_of(tmp_path)
    (tmp_path / "b.py").write_text("y = 1\n")
    assert digest_of(tmp_path) != before


def test_two_kernels_of_one_name_are_refused() -> None:
    """Those that one function makes again and again, such as tiles of several sizes, need a name each."""

    def made(k: int) -> Callable[[int], int]:
        return lambda x: x + k

    inner(made(1))
    with pytest.raises(AssertionError, match=r"two kernels are named .*made.<locals>.<lambda>"):
        inner(made(2))
