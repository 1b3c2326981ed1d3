"""The simulator of another commit beside this one's: at the same time, a core each, and the cores swapped every turn.

    python -m benchmarks.beside SOURCE [MAP ...]

SOURCE is a clone at the other commit. On a machine whose speed changes while it measures, figures that are taken one
after the other say little; these change together. Each map's ratio is the median over pairs of turns. For Linux.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import geometric_mean, median

MAPS = ("3m", "3s_vs_5z", "3s5z_vs_3s6z", "25m", "corridor", "27m_vs_30m")
HERE = Path(__file__).parent.parent
WORK = """
import os, sys
from benchmarks.simulator import steps_per_second
for line in sys.stdin:
    name, seconds, core = line.split()
    os.sched_setaffinity(0, {int(core)})
    print(steps_per_second(name, 64, float(seconds)), flush=True)
"""


class Player:
    """A process that plays random battles with the simulator of one source folder."""

    def __init__(self, source: Path) -> None:
        pipe = subprocess.PIPE
        environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", WORK]
        self._process = subprocess.Popen(command, cwd=source, env=environment, stdin=pipe, stdout=pipe, text=True)

    def begin(self, name: str, seconds: float, core: int) -> None:
        """Have it play 64 battles of a map for so many seconds of processor time."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name} {seconds} {core}\n")
        self._process.stdin.flush()

    def speed(self) -> float:
        """Env steps per second of processor time, once it has played."""
        assert self._process.stdout is not None
        return float(self._process.stdout.readline())

    def end(self) -> None:
        """End its process."""
        self._process.communicate()


def ratios(players: tuple[Player, Player], name: str, pairs: int, seconds: float) -> tuple[list[float], float]:
    """How many times the first player's speed the second one's is, of each pair of turns; and its best speed."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    assert len(cores) == len(players), "it takes two cores"
    found, best = list[float](), 0.0
    for pair in range(pairs + 1):
        of_turns = []
        for order in (cores, cores[::-1]):
            for player, core in zip(players, order, strict=True):
                player.begin(name, seconds, core)
            one, other = (player.speed() for player in players)
            of_turns.append(other / one)
            best = max(best, other)
        if pair:  # the first compiles
            found.append(geometric_mean(of_turns))
    return found, best


def main() -> None:
    """Print a line for each map."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="folder of a clone at the other commit")
    parser.add_argument("maps", nargs="*", default=MAPS)
    parser.add_argument("--pairs", type=int, default=10, help="pairs of turns")
    parser.add_argument("--seconds", type=float, default=0.4, help="of processor time for each turn")
    given = parser.parse_args()
    players = Player(given.source.resolve()), Player(HERE)
    print(f"{'map':<16}{'env steps/s':>12}{'times':>8}  (smallest, largest)")
    for name in given.maps:
        found, best = ratios(players, name, given.pairs, given.seconds)
        print(f"{name:<16}{best:>12,.0f}{median(found):>8.2f}  ({min(found):.2f}, {max(found):.2f})", flush=True)
    for player in players:
        player.end()


if __name__ == "__main__":
    main()
