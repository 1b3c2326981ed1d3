"""How much memory is free, and a setting of glibc by which freed memory stays with the process.

By default glibc returns every large array to the system when it is freed. The next one is then mapped page by page and
filled with zeros, which took a quarter of an update's time. Threads use one common heap, since glibc returns the memory
of their own heaps in any case (up to a twentieth of an update's time). Other C libraries are left as they are.
"""

import ctypes
import platform
import sys
from pathlib import Path

from ptde_core.base.errors import PtdeError

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
_NEVER = 2**31 - 1  # bytes that may be free at the end of the heap; the largest number that mallopt takes


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory, for the whole process; returns whether it does."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    wanted = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER, _M_ARENA_MAX: 1}
    return all(mallopt(parameter, value) for parameter, value in wanted.items())


def available_bytes() -> int:
    """Bytes that the process can still allocate before the machine or its container runs out of memory.

    Where it is not known (outside Linux) there is no limit.
    """
    machine = _number(Path("/proc/meminfo"), "MemAvailable:", 1024)
    group = Path("/sys/fs/cgroup")
    limit, used = _number(group / "memory.max"), _number(group / "memory.current")
    container = None
    if limit is not None and used is not None:
        cached = _number(group / "memory.stat", "inactive_file") or 0  # the cache of files, which is freed when needed
        container = max(0, limit - used + cached)
    return min((known for known in (machine, container) if known is not None), default=sys.maxsize)


def _number(path: Path, label: str = "", unit: int = 1) -> int | None:
    """The number behind a label in one of Linux's files; None where there is none."""
    try:
        words = path.read_text(encoding="ascii").split()
        return unit * int(words[words.index(label) + 1 if label else 0])
    except (OSError, ValueError, IndexError):
        return None


def check_room(needed: int, what: str, fix: str, room: int | None = None) -> None:
    """Refuse what does not fit into memory, before any of it is allocated.

    Args:
        needed: bytes.
        what: it is for, as the beginning of a sentence.
        fix: what takes less.
        room: bytes there are; by default `available_bytes`.

    Raises:
        PtdeError: with what is needed and what there is.
    """
    room = available_bytes() if room is None else room
    if needed > room:
        raise PtdeError(f"{what} can take {needed / 1e9:,.1f} GB, and {room / 1e9:,.1f} GB are free", fix)
