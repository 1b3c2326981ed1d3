"""The paper's research questions RQ1 to RQ5, answered from a report by the intervals of its numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ptde_core.algorithms.table_names import student_name, teacher_name
from ptde_core.results.differences import Difference, by_verdict, difference, difference_tables, differences
from ptde_core.results.gather import Report
from ptde_core.results.score import Retention, Score
from ptde_core.results.shortfall import fewer_steps
from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.results.wording import backend_name, listed, percent, retention_text, row_label
from ptde_core.scores.returns import mean_interval

MOST = 0.5  # a student that keeps more than this share of its teacher's win rate has kept most of it (RQ3)
Kept = Literal["most", "not most", "open", "one seed", "nothing to keep"]
KEPT_WORDS: dict[Kept, str] = {
    "most": "keeps more than half on {}",
    "not most": "keeps less than half on {}",
    "open": "is open on {}, whose seeds do not decide it",
    "one seed": "has one training alone on {}",
    "nothing to keep": "has nothing to keep on {}, where its teacher won nothing",
}
UNANSWERED = "Not answered: "
QUESTIONS = (
    "Does unified global information in the decision process make play better?",
    "Does agent-specific global information help more than unified?",
    "After distillation, does play without the state keep most of the win rate?",
    "Does it hold in different environments?",
    "Does it hold with different algorithms?",
)


@dataclass(frozen=True)
class Answer:
    """One research question, its answer from the runs, and the tables behind the answer."""

    number: int
    question: str
    words: str
    tables: tuple[Table, ...]


def answers(report: Report) -> list[Answer]:
    """The answers to all five questions; one without runs says so."""
    scores = [(section.backend, section.version, score) for section in report.sections for score in section.scores]
    places = [(backend, score) for backend, _, score in scores if score.measure == "win rate" and score.z != "mean"]
    unified = differences(places, "qmix", "unified", "none")
    specific = differences(places, "qmix", "agent-specific", "unified")
    others = [alg for alg in sorted({score.alg for _, score in places}) if alg != "qmix"]
    elsewhere = [one for alg in others for one in differences(places, alg, "agent-specific", "unified")]
    found = [
        Answer(1, QUESTIONS[0], _compared(unified, "QMIX_UGI", "QMIX"), difference_tables("RQ1", unified)),
        Answer(2, QUESTIONS[1], _compared(specific, "QMIX_SGI", "QMIX_UGI"), difference_tables("RQ2", specific)),
        _kept(places),
        Answer(4, QUESTIONS[3], _environments(places), ()),
        Answer(5, QUESTIONS[4], _algorithms(elsewhere), difference_tables("RQ5", elsewhere)),
    ]
    shorter = listed(f"{score.name} on {score.map} ({text})" for _, score in places if (text := fewer_steps(score)))
    if not shorter:
        return found
    told = f" Trained for fewer steps than in the paper: {shorter}."
    return [one if one.words.startswith(UNANSWERED) else replace(one, words=one.words + told) for one in found]


def _compared(found: Sequence[Difference], first: str, second: str) -> str:
    """Sentences on one pair of algorithms over maps."""
    if not found:
        return f"{UNANSWERED}no map has both {first} and {second}."
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
    return f"{lead} {first} beside {second}: {by_verdict(found)}.{_like_the_paper(found)}"


def _like_the_paper(found: Iterable[Difference]) -> str:
    """On which maps of clear differences the paper has the same order, the other one, or none: its rates are equal."""
    clear = [one for one in found if one.paper is not None and one.verdict in {"higher", "lower"}]
    orders = {"the same order": 1, "the other order": -1, "equal win rates": 0}
    maps = {order: listed(one.map for one in clear if _order_of_paper(one) == sign) for order, sign in orders.items()}
    told = "; ".join(f"{order} on {where}" for order, where in maps.items() if where)
    return f" The paper has {told}." if told else ""


def _order_of_paper(one: Difference) -> int:
    """1 where the paper's difference has this one's sign, -1 where it has the other, 0 where its rates are equal."""
    if not one.paper:
        return 0
    return 1 if (one.difference > 0) == (one.paper > 0) else -1


def _kept(places: Sequence[tuple[str, Score]]) -> Answer:
    """RQ3, of every kind of student: how much it keeps, and whether it plays better than what needs no teacher."""
    students = [
        (backend, score)
        for backend, score in places
        if score.retention and score.retention.train_seeds and score.retention.has_z
        if score.global_info == "agent-specific"
    ]
    if not students:
        words = f"{UNANSWERED}no {student_name('qmix', 'agent-specific')} was evaluated beside its teacher."
        return Answer(3, QUESTIONS[2], words, ())
    rows: list[Row] = []
    sentences: list[str] = []
    for name in dict.fromkeys(row_label(score.name, score.variant) for _, score in students):
        parts: dict[Kept, list[str]] = {}
        for backend, score in students:
            if row_label(score.name, score.variant) != name:
                continue
            kept = score.retention
            assert kept is not None
            verdict, seeds = _verdict_on(kept), len(kept.train_seeds)
            much = "" if kept.ratio is None else f" ({retention_text(kept)})"
            parts.setdefault(verdict, []).append(f"{score.map}{much}")
            each = ", ".join(NOTHING if one is None else percent(one) for one in kept.of_seeds) if seeds > 1 else ""
            paper = NOTHING if score.paper_retention is None else percent(score.paper_retention)
            told = (name, retention_text(kept), each, verdict, str(seeds), paper)
            rows.append((backend_name(backend), score.map, *told))
        sentences.append(f"{name} " + "; ".join(KEPT_WORDS[one].format(listed(parts[one])) for one in parts) + ".")
    beside = [
        difference(backend, score, plain)
        for backend, score in students
        for where, plain in places
        if (where, plain.map, plain.alg, plain.variant) == (backend, score.map, score.alg, "")
        and (plain.policy, plain.global_info) == ("teacher", "none")
    ]
    if beside:
        sentences.append(f"Beside the algorithm without global information: {_told_by_name(beside)}.")
    columns = ("Environment", "Map", "Student", "PRR", "Of each seed", "Kept", "Seeds", "Paper's PRR")
    note = (
        f"PRR: of one seed its 95 % interval over paired episodes; of several, the ratio of their episodes together, ± "
        f"the standard deviation of the seeds' own. Most is more than {100 * MOST:.0f} %, not most is less: two seeds "
        "or more, and the 95 % interval of their mean (Student's t) on one side."
    )
    table = Table("RQ3: PRR by recipe", columns, (tuple(rows),), text_columns=3, notes=(note,))
    tables = (table.without_empty_columns(), *difference_tables("RQ3: students beside the algorithm alone", beside))
    return Answer(3, QUESTIONS[2], " ".join(sentences), tables)


def _verdict_on(kept: Retention) -> Kept:
    """Whether a student keeps most of its teacher's win rate, by its training seeds."""
    if kept.ratio is None:
        return "nothing to keep"
    if len(kept.train_seeds) < 2:
        return "one seed"
    interval = mean_interval(np.array([one for one in kept.of_seeds if one is not None]))
    if interval is None:
        return "open"
    return "most" if interval.low > MOST else "not most" if interval.high < MOST else "open"


def _told_by_name(found: Sequence[Difference]) -> str:
    pairs = dict.fromkeys((one.first, one.second) for one in found)
    told = (
        f"{pair[0]} beside {pair[1]}: {by_verdict([one for one in found if (one.first, one.second) == pair])}"
        for pair in pairs
    )
    return "; ".join(told)


def _environments(places: Sequence[tuple[str, Score]]) -> str:
    """RQ4: RQ2 again, by environment."""
    by_place = {
        backend: differences([one for one in places if one[0] == backend], "qmix", "agent-specific", "unified")
        for backend in dict.fromkeys(backend for backend, _ in places)
    }
    by_place = {backend: found for backend, found in by_place.items() if found}
    first, second = (teacher_name("qmix", info) for info in ("agent-specific", "unified"))
    if not by_place:
        return f"{UNANSWERED}no environment has both {first} and {second}."
    sentences = [
        f"On {backend_name(backend)}, {first} beside {second}: {by_verdict(found)}."
        for backend, found in by_place.items()
    ]
    if len(by_place) < 2:
        return f"{UNANSWERED}there are runs of one environment only. {sentences[0]}"
    return " ".join(sentences)


def _algorithms(found: Sequence[Difference]) -> str:
    """RQ5: RQ2 again, with other algorithms than QMIX."""
    if not found:
        return f"{UNANSWERED}no other algorithm than QMIX was run with both kinds of information."
    names = dict.fromkeys((one.first, one.second) for one in found)
    return " ".join(_compared([one for one in found if (one.first, one.second) == pair], *pair) for pair in names)
