"""Engines that broke: counted, reported, and given up where another try would fail in the same way."""

import re
from typing import NamedTuple

from ptde_core.base.errors import EngineError

ADDRESS = re.compile(r"0x[0-9a-f]+")  # of an object in memory: it differs from process to process


class Mishap(NamedTuple):
    """Why an engine broke, in a line; for an error in its own code the whole traceback too.

    `passing`: the next try may succeed, as after a lost connection. `outgrown`: it works, but takes too much memory.
    """

    why: str
    trace: str = ""
    passing: bool = True
    outgrown: bool = False


class Breakdowns:
    """Breakdowns of the engines of one pool.

    Args:
        n_envs: rows E.
        most: how often an engine may break before an episode of its row comes to an end.
    """

    def __init__(self, n_envs: int, most: int) -> None:
        self.broken = 0  # engines that broke and were replaced
        self.outgrown = 0  # engines that were replaced because of their memory
        self.unreported: list[str] = []  # sentences that have not been reported yet
        self._most = most
        self._in_a_row = [0] * n_envs  # of each row, since its last whole episode
        self._seen: dict[str, set[tuple[int, int]]] = {}  # traceback -> (seed, step) where it was raised

    def episode_ended(self, row: int) -> None:
        """An episode of a row has ended: earlier breakdowns of the row no longer count."""
        self._in_a_row[row] = 0

    def add(self, row: int, mishap: Mishap, seed: int, step: int) -> None:
        """Count an engine that is about to be replaced.

        Args:
            row: its row.
            mishap: why.
            seed: of the episode that it began or played.
            step: the one that it played, from 1; 0 where it was started or began an episode.

        Raises:
            EngineError: it broke too often, or its own code raised the same error at the same place as before.
        """
        if mishap.outgrown:
            self.outgrown += 1
            self.unreported.append(f"an engine was replaced: {mishap.why}")
            return
        self.broken += 1
        self._in_a_row[row] += 1
        if self._comes_back(mishap, seed, step):
            raise EngineError(
                f"the environment's own code raises an error, each time at the same place ({mishap.why})",
                "mend it, and the same command goes on",
                mishap.trace,
            )
        if self._in_a_row[row] >= self._most:
            raise EngineError(
                f"engine {row} of {len(self._in_a_row)} broke {self._in_a_row[row]} times in a row ({mishap.why})",
                "see `ptde doctor` and docs/explanation/engines.md",
                mishap.trace,
            )
        self.unreported.append(f"an engine broke and was started anew ({self.broken} in all): {mishap.why}")

    def _comes_back(self, mishap: Mishap, seed: int, step: int) -> bool:
        """Whether the same error of an engine's own code was raised before: at a first step, or here in this episode.

        Another try would then fail in the same way.
        """
        if not mishap.trace or mishap.passing:
            return False
        before = self._seen.setdefault(ADDRESS.sub("", mishap.trace), set())
        again = (seed, step) in before or any(max(step, other) <= 1 for _, other in before)
        before.add((seed, step))
        return again
