"""How much memory there is, and that what the process has freed is kept for what it asks for next.

By default glibc gives every large array back to the system when it is freed, and gets it anew, page by page and filled
with zeros, a millisecond later: measured, a quarter of an update's time. Threads share one heap, for those of their own
are given back whatever was asked: measured, up to a twentieth. Other C libraries are left as they are.
"""

import ctypes
import platform
import sys
from pathlib import Path

from ptde_core.base.errors import PtdeError

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
_NEVER = 2**31 - 1  # bytes free at the end of the heap before they are given back; the largest that mallopt takes


def keep_freed_memory() -> bool:
    """Ask the C library for it, for the whole process; whether it has agreed."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    wanted = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER, _M_ARENA_MAX: 1}
    return all(mallopt(parameter, value) for parameter, value in wanted.items())


def available_bytes() -> int:
    """Memory that the process can still have, without the machine's or its container's running out.

    What cannot be known (no Linux) counts as no limit.
    """
    machine = _number(Path("/proc/meminfo"), "MemAvailable:", 1024)
    group = Path("/sys/fs/cgroup")
    limit, used = _number(group / "memory.max"), _number(group / "memory.current")
    container = None
    if limit is not None and used is not None:
        container = max(0, limit - used + (_number(group / "memory.stat", "inactive_file") or 0))  # that is given up
    return min((known for known in (machine, container) if known is not None), default=sys.maxsize)


def _number(path: Path, label: str = "", unit: int = 1) -> int | None:
    """The number behind a label in one of the kernel's files; None where there is none."""
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
