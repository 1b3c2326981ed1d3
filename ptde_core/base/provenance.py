"""Where a number comes from: this code's version and commit, the packages, and the machine."""

import json
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from ptde_core.base.version import __version__

PACKAGES = ("torch", "numpy", "numba", "h5py")


@cache
def code() -> str:
    """Ptde's version, with its git commit where that is known ("0.1.0+1a2b3c4, changed").

    It is known in a checkout, and where pip installed from a git address and noted it (`direct_url.json`, PEP 610).
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        commit = installed_commit()
        return f"{__version__}+{commit[:7]}" if commit else __version__

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    commit = git("rev-parse", "--short", "HEAD")
    changed = ", changed" if git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{__version__}+{commit}{changed}" if commit else __version__


def installed_commit() -> str | None:
    """The commit that pip has installed from, if it was a git address."""
    try:
        origin = json.loads(distribution("ptde").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return None
    commit = origin.get("vcs_info", {}).get("commit_id")
    return commit if isinstance(commit, str) else None


@cache
def packages() -> dict[str, str]:
    """Versions of Python and of the packages that can change a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def machine() -> str:
    """One line about this machine: cores, processor, memory, system."""
    count = f"{cores()} core{'s' if cores() > 1 else ''}"
    return f"{count}, {_processor()}, {memory_gib():.0f} GiB, {platform.system()} {platform.machine()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "processor unknown"


def memory_gib() -> float:
    """Memory of this machine in GiB; NaN where it is not known."""
    if not hasattr(os, "sysconf"):
        return float("nan")
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
