"""The paper's research questions RQ1 to RQ5, answered from a report by the intervals of its numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ptde_core.algorithms.table_names import student_name, teacher_name
from ptde_core.base.seeding import generator
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.results.gather import Report
from ptde_core.results.score import Score
from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.results.unequal_settings import UnequalSetting, unequal_notes, unequal_settings
from ptde_core.results.wording import backend_name, listed, retention_text, row_label
from ptde_core.scores.comparisons import difference_interval, seeds_difference_interval
from ptde_core.scores.intervals import Interval
from ptde_core.scores.published import published_win_rate

MOST = 0.5  # a student that keeps more than this share of its teacher's win rate has kept most of it (RQ3)
QUESTIONS = (
    "Does unified global information in the decision process make play better?",
    "Does agent-specific global information help more than unified?",
    "After distillation, does play without the state keep most of the win rate?",
    "Does it hold in different environments?",
    "Does it hold with different algorithms?",
)
Verdict = Literal["higher", "lower", "not told apart", "one seed"]
WORDS: dict[Verdict, str] = {
    "higher": "higher on {}",
    "lower": "lower on {}",
    "not told apart": "not told apart on {}",
    "one seed": "on {} a side has one seed, which says nothing of training again",
}


@dataclass(frozen=True)
class Difference:
    """Two algorithms on one map, win rate of the first minus that of the second.

    Args:
        backend, map: environment and map.
        first, second: names in tables, with the settings that tell them from others of that name.
        difference: of the means over training seeds.
        interval: 95 %, over training seeds; of two single seeds over episodes alone.
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


@dataclass(frozen=True)
class Answer:
    """One research question, its answer from the runs, and the table behind the answer."""

    number: int
    question: str
    words: str
    table: Table | None


def answers(report: Report) -> list[Answer]:
    """The answers to all five questions; one without runs says so."""
    scores = [(section.backend, section.version, score) for section in report.sections for score in section.scores]
    places = [(backend, score) for backend, _, score in scores if score.measure == "win rate" and score.z != "mean"]
    unified = _differences(places, "qmix", "unified", "none")
    specific = _differences(places, "qmix", "agent-specific", "unified")
    others = [alg for alg in sorted({score.alg for _, score in places}) if alg != "qmix"]
    elsewhere = [one for alg in others for one in _differences(places, alg, "agent-specific", "unified")]
    return [
        Answer(1, QUESTIONS[0], _compared(unified, "QMIX_UGI", "QMIX"), _table(1, unified)),
        Answer(2, QUESTIONS[1], _compared(specific, "QMIX_SGI", "QMIX_UGI"), _table(2, specific)),
        _kept(places),
        Answer(4, QUESTIONS[3], _environments(places), None),
        Answer(5, QUESTIONS[4], _algorithms(elsewhere), _table(5, elsewhere)),
    ]


def _differences(places: Sequence[tuple[str, Score]], alg: str, info: str, other: str) -> list[Difference]:
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
                found.append(_difference(backend, score, against))
    return found


def _difference(backend: str, ours: Score, theirs: Score) -> Difference:
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
        interval=interval,
        seeds=(len(ours.seeds), len(theirs.seeds)),
        paper=None if papers[0] is None or papers[1] is None else papers[0].mean - papers[1].mean,
        unequal=tuple(unequal_settings([ours, theirs])),
    )


def _compared(found: Sequence[Difference], first: str, second: str) -> str:
    """Sentences on one pair of algorithms over maps."""
    if not found:
        return f"Not answered: no map has both {first} and {second}."
    verdicts = {one.verdict for one in found}
    clear = verdicts & {"higher", "lower"}
    if not clear:
        lead = "Open: the runs tell the two apart on no map."
    elif verdicts == {"higher"}:
        lead = "Yes, on every map that was run."
    elif clear == {"higher"}:
        lead = "Yes, wherever the runs tell the two apart."
    elif clear == {"lower"}:
        lead = "No: wherever the runs tell the two apart, it is worse."
    else:
        lead = "It depends on the map."
    return f"{lead} {first} beside {second}: {_by_verdict(found)}.{_like_the_paper(found)}"


def _by_verdict(found: Sequence[Difference]) -> str:
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


def _like_the_paper(found: Iterable[Difference]) -> str:
    """How many of the clear differences have the paper's sign."""
    clear = [one for one in found if one.paper is not None and one.verdict in {"higher", "lower"}]
    if not clear:
        return ""
    same = sum((one.difference > 0) == (one.paper is not None and one.paper > 0) for one in clear)
    return f" The paper has the same order on {same} of these {len(clear)} maps."


def _kept(places: Sequence[tuple[str, Score]]) -> Answer:
    """RQ3, of every kind of student."""
    students = [
        (backend, score)
        for backend, score in places
        if score.retention is not None and score.retention.has_z and score.global_info == "agent-specific"
    ]
    rows: list[Row] = []
    parts: dict[str, dict[str, list[str]]] = {}
    for backend, score in students:
        kept = score.retention
        assert kept is not None
        name, verdict = row_label(score.name, score.variant), NOTHING
        if kept.interval is not None:
            low, high = kept.interval
            verdict = "most" if low > MOST else "not most" if high < MOST else "open"
        alone = " (one seed)" if len(score.seeds) == 1 else ""
        parts.setdefault(name, {}).setdefault(verdict, []).append(score.map + alone)
        paper = NOTHING if score.paper_retention is None else f"{100 * score.paper_retention:.1f} %"
        seeds = str(len(score.seeds))
        rows.append((backend_name(backend), score.map, name, retention_text(kept), verdict, seeds, paper))
    if not rows:
        words = f"Not answered: no {student_name('qmix', 'agent-specific')} was evaluated beside its teacher."
        return Answer(3, QUESTIONS[2], words, None)
    said = {
        "most": "keeps most on {}",
        "not most": "does not on {}",
        "open": "is open on {}",
        NOTHING: "has nothing to keep on {}, where its teacher won nothing",
    }
    sentences = [
        f"{name} "
        + ", ".join(text.format(listed(found[verdict])) for verdict, text in said.items() if verdict in found)
        for name, found in parts.items()
    ]
    columns = ("Environment", "Map", "Student", "PRR, 95 % interval", "Kept", "Seeds", "Paper's PRR")
    note = f"Most: the whole interval of the PRR lies above {100 * MOST:.0f} %."
    table = Table("RQ3: PRR by recipe", columns, (tuple(rows),), text_columns=3, notes=(note,))
    return Answer(3, QUESTIONS[2], ". ".join(sentences) + ".", table)


def _environments(places: Sequence[tuple[str, Score]]) -> str:
    """RQ4: RQ2 again, by environment."""
    by_place = {
        backend: _differences([one for one in places if one[0] == backend], "qmix", "agent-specific", "unified")
        for backend in dict.fromkeys(backend for backend, _ in places)
    }
    by_place = {backend: found for backend, found in by_place.items() if found}
    first, second = (teacher_name("qmix", info) for info in ("agent-specific", "unified"))
    if not by_place:
        return f"Not answered: no environment has both {first} and {second}."
    sentences = [
        f"On {backend_name(backend)}, {first} beside {second}: {_by_verdict(found)}."
        for backend, found in by_place.items()
    ]
    if len(by_place) < 2:
        return f"Not answered: there are runs of one environment only. {sentences[0]}"
    return " ".join(sentences)


def _algorithms(found: Sequence[Difference]) -> str:
    """RQ5: RQ2 again, with other algorithms than QMIX."""
    if not found:
        return "Not answered: no other algorithm than QMIX was run with both kinds of information."
    names = dict.fromkeys((one.first, one.second) for one in found)
    return " ".join(_compared([one for one in found if (one.first, one.second) == pair], *pair) for pair in names)


def _table(number: int, found: Sequence[Difference]) -> Table | None:
    if not found:
        return None
    rows = tuple(
        (
            backend_name(one.backend),
            one.map,
            f"{one.first} - {one.second}",
            f"{one.difference:+.3f} [{one.interval.low:+.3f}, {one.interval.high:+.3f}]",
            one.verdict,
            " and ".join(map(str, one.seeds)),
            NOTHING if one.paper is None else f"{one.paper:+.3f}",
        )
        for one in found
    )
    columns = ("Environment", "Map", "Compared", "Win rate, 95 % interval", "Verdict", "Seeds", "Paper")
    note = (
        "Intervals of differences of means over training seeds (Welch's t; where a side has one seed, over the "
        "episodes of these trainings alone). A verdict takes two seeds a side and an interval without 0."
    )
    unequal = unequal_notes(setting for one in found for setting in one.unequal)
    return Table(f"RQ{number}", columns, (rows,), text_columns=3, notes=(note, *unequal))
