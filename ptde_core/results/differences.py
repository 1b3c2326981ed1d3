"""Two algorithms on one map: the difference of their win rates over training seeds, its verdict, and tables of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ptde_core.base.seeding import generator
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.results.score import Score
from ptde_core.results.table import NOTHING, Table
from ptde_core.results.unequal_settings import UnequalSetting, unequal_notes, unequal_settings
from ptde_core.results.wording import backend_name, listed, row_label
from ptde_core.scores.comparisons import difference_interval, seeds_difference_interval
from ptde_core.scores.intervals import Interval
from ptde_core.scores.published import published_win_rate

Verdict = Literal["higher", "lower", "not told apart", "one seed"]
WORDS: dict[Verdict, str] = {
    "higher": "higher on {}",
    "lower": "lower on {}",
    "not told apart": "not told apart on {}",
    "one seed": "open on {}, where a side has one training alone",
}
INTERVALS = (
    "Intervals of differences of means over training seeds (Welch's t; where a side has one seed, over the episodes of "
    "these trainings alone)."
)


@dataclass(frozen=True)
class Difference:
    """Two algorithms on one map, win rate of the first minus that of the second.

    Args:
        backend, map: environment and map.
        first, second: names in tables, with the settings that tell them from others of that name.
        difference: of the means over training seeds.
        interval: 95 %, over training seeds, within -1 to 1; where a side has one seed, over episodes alone.
        seeds: training seeds of each.
        paper: the paper's difference; None where it has none.
        unequal: the settings besides their information in which the two differ.
    """

    backend: str
    map: str
    first: str
    second: str
    difference: float
    interval: Interval
    seeds: tuple[int, int]
    paper: float | None
    unequal: tuple[UnequalSetting, ...]

    @property
    def verdict(self) -> Verdict:
        """What the interval says about the two algorithms."""
        if min(self.seeds) < 2:
            return "one seed"
        if self.interval.low > 0:
            return "higher"
        return "lower" if self.interval.high < 0 else "not told apart"


def differences(places: Sequence[tuple[str, Score]], alg: str, info: str, other: str) -> list[Difference]:
    """One kind of global information against another, wherever an algorithm was evaluated with both."""
    assert info in INFORMATION
    assert other in INFORMATION
    found = []
    for backend, score in places:
        if (score.policy, score.alg, score.global_info) != ("teacher", alg, info):
            continue
        for where, against in places:
            same = (where, against.map, against.alg, against.global_info, against.variant)
            if against.policy == "teacher" and same == (backend, score.map, alg, other, score.variant):
                found.append(difference(backend, score, against))
    return found


def difference(backend: str, ours: Score, theirs: Score) -> Difference:
    """The difference of two scores on one map; both are win rates."""
    tallies = [[one.tally for one in score.seeds if one.tally] for score in (ours, theirs)]
    interval = seeds_difference_interval(tallies[0], tallies[1])
    if interval is None:
        won = [np.concatenate([np.arange(one.episodes) < one.wins for one in each]) for each in tallies]
        chance = generator(0, " ".join(["questions", backend, ours.map, ours.name, theirs.name, ours.variant]))
        interval = difference_interval(won[0], won[1], chance, paired=False)
    means = [float(np.mean([one.rate for one in each])) for each in tallies]
    papers = [published_win_rate(backend, ours.map, score.name) for score in (ours, theirs)]
    return Difference(
        backend=backend,
        map=ours.map,
        first=row_label(ours.name, ours.variant),
        second=row_label(theirs.name, theirs.variant),
        difference=means[0] - means[1],
        interval=Interval(max(interval.low, -1.0), min(interval.high, 1.0)),  # no two win rates differ by more
        seeds=(len(ours.seeds), len(theirs.seeds)),
        paper=None if papers[0] is None or papers[1] is None else papers[0].mean - papers[1].mean,
        unequal=tuple(unequal_settings([ours, theirs])),
    )


def by_verdict(found: Sequence[Difference]) -> str:
    """On which maps the first is higher, lower, not told apart: "higher on 3s_vs_5z; not told apart on 3m"."""
    parts = []
    for verdict, words in WORDS.items():
        if maps := [one.map for one in found if one.verdict == verdict]:
            parts.append(words.format(listed(maps)))
    told = "; ".join(parts) + _of_these_trainings([one for one in found if one.verdict == "one seed"])
    unequal = [one.map for one in found if one.unequal]
    return f"{told}; on {listed(unequal)} other settings differ too" if unequal else told


def _of_these_trainings(found: Sequence[Difference]) -> str:
    """Where a side has one seed: what the episodes of these trainings tell, and no more."""
    more = [one.map for one in found if one.interval.low > 0]
    less = [one.map for one in found if one.interval.high < 0]
    told = [f"{word} on {listed(maps)}" for word, maps in (("more", more), ("less", less)) if maps]
    return f" (these trainings alone: it won {' and '.join(told)})" if told else ""


def difference_tables(title: str, found: Sequence[Difference]) -> tuple[Table, ...]:
    """A row per difference with its verdict; no table of none."""
    if not found:
        return ()
    note = f"{INTERVALS} A verdict takes two seeds a side and an interval without 0."
    unequal = unequal_notes(setting for one in found for setting in one.unequal)
    return (difference_table(title, found, "Verdict", [one.verdict for one in found], (note, *unequal)),)


def difference_table(
    title: str, found: Sequence[Difference], head: str, said: Sequence[str], notes: tuple[str, ...]
) -> Table:
    """A row per difference, with what is said of each below `head`."""
    rows = tuple(
        (
            backend_name(one.backend),
            one.map,
            f"{one.first} - {one.second}",
            f"{one.difference:+.3f} [{one.interval.low:+.3f}, {one.interval.high:+.3f}]",
            words,
            " and ".join(map(str, one.seeds)),
            NOTHING if one.paper is None else f"{one.paper:+.3f}",
        )
        for one, words in zip(found, said, strict=True)
    )
    columns = ("Environment", "Map", "Compared", "Win rate, 95 % interval", head, "Seeds", "Paper")
    return Table(title, columns, (rows,), text_columns=3, notes=notes)
