"""Memory that the process has freed is kept for what it asks for next.

By default glibc gives every large array back to the system when it is freed, and gets it anew, page by page and filled
with zeros, a millisecond later: measured, a quarter of an update's time. Threads share one heap, for those of their own
are given back whatever was asked: measured, up to a twentieth. Other C libraries are left as they are.
"""

import ctypes
import platform

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
