"""One long training, watched from outside: its memory once the replay is full, its open handles, what it leaves."""

import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.soak.pipeline import ROOT
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.run_folder import RunFolder

REPLAY = 100  # episodes: full within the first minutes
EVERY = 5.0  # seconds between two looks
PART = 0.25  # of the looks that are taken together, at the beginning and at the end


@dataclass(frozen=True)
class Watched:
    """What was seen.

    Args:
        looks: how often its memory was looked at once the replay was full.
        megabytes_first: resident memory in the first quarter of these, the median.
        megabytes_last: in the last.
        handles_first: open handles, the most of the first quarter.
        handles_last: of the last.
        left: processes and temporary files that it left.
    """

    looks: int
    megabytes_first: float
    megabytes_last: float
    handles_first: int
    handles_last: int
    left: list[str]

    @property
    def growth(self) -> float:
        """Of its memory, as a fraction."""
        return self.megabytes_last / self.megabytes_first - 1.0


def watch_training(map_name: str, minutes: float, folder: Path) -> Watched:
    """Train on a map of skirmish until the time is up (Linux: it reads /proc)."""
    run, temporary = RunFolder(folder / "watched"), folder / "tmp"
    temporary.mkdir()
    words = ("--map", map_name, "--steps", "1000000000", "--out", str(run.path), "--quiet")
    sizes = ("--set", f"replay_episodes={REPLAY}", "--set", "batch_episodes=32", "--set", "checkpoint_seconds=30")
    process = subprocess.Popen(
        [sys.executable, "-m", "ptde_cli", "train-teacher", *words, *sizes],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
        start_new_session=True,
    )
    seen: list[tuple[float, int]] = []
    until = time.monotonic() + 60.0 * minutes
    while time.monotonic() < until and process.poll() is None:
        time.sleep(EVERY)
        if run.metrics.exists() and (rows := read_metrics(run.metrics)) and rows[-1]["episodes"] >= 2 * REPLAY:
            seen.append((_megabytes(process.pid), len(list(Path(f"/proc/{process.pid}/fd").iterdir()))))
    process.send_signal(signal.SIGINT)
    process.wait()
    part = max(1, int(PART * len(seen)))
    if len(seen) < 2:
        raise SystemExit(f"the replay of {map_name} was not full within {minutes:g} minutes: give more")
    return Watched(
        looks=len(seen),
        megabytes_first=statistics.median(one for one, _ in seen[:part]),
        megabytes_last=statistics.median(one for one, _ in seen[-part:]),
        handles_first=max(count for _, count in seen[:part]),
        handles_last=max(count for _, count in seen[-part:]),
        left=[*_of_session(process.pid), *(path.name for path in temporary.iterdir())],
    )


def _megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _of_session(session: int) -> list[str]:
    """Processes of a session that are still there."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(words[3]) == session and words[0] != "Z":
                found.append(f"process {place.name}")
    return found
