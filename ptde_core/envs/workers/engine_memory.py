"""How much memory an engine holds, with all that it has started: games leak, and are replaced between episodes."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

GIGABYTE = 1e9


def group_gigabytes(group: int) -> float:
    """Resident memory of a process group, in gigabytes; memory that its processes share counts once for each."""
    return sum(size for owner, size in _processes() if owner == group) / GIGABYTE


def _processes() -> Iterator[tuple[int, int]]:
    """Process group and resident bytes of every process."""
    if not Path("/proc/self/stat").exists():  # macOS
        table = subprocess.run(["ps", "-A", "-o", "pgid=,rss="], capture_output=True, text=True, check=True).stdout
        for line in table.splitlines():
            group, kilobytes = line.split()
            yield int(group), int(kilobytes) * 1024
        return
    page = os.sysconf("SC_PAGE_SIZE")
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            # "pid (name) state parent group ...", where the name may hold anything; memory is the 24th.
            words = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        yield int(words[2]), int(words[21]) * page
