"""One row of a report: a policy over its training seeds, each seed's result, and a student's PRR."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ptde_core.results.performance import Measure
from ptde_core.scores.intervals import Interval, MeanStd
from ptde_core.scores.tally import Tally
from ptde_core.storage.evaluation_file import ZSource

Execution = Literal["centralized", "decentralized"]


@dataclass(frozen=True)
class SeedScore:
    """One policy of one training seed, evaluated.

    Args:
        updates: gradient steps of its training; None where they were not kept.
        train_seconds: wall time of its training over all sittings; None where it was not kept, as of a checkpoint from
            the middle of one.
        engine_restarts: engines that broke in training and were replaced; None where none can.
        digest: that of its entry in evaluation.json.
        distilled: of a student, how it was made (`evaluation_file.Distilled`): settings, reconstruction error, time.
        inference: time to choose actions (`evaluation_file.Inference`); None where it was not measured.
    """

    run: str
    checkpoint: str  # path inside the run folder
    train_seed: int
    tally: Tally | None  # None where nothing can be won
    episodes: int
    mean_return: float
    mean_length: float  # env steps
    env_steps: int  # of its training
    updates: int | None
    train_seconds: float | None
    engine_restarts: int | None
    evaluation_seed: int
    machine: str
    code: str
    digest: str
    distilled: Mapping[str, Any] | None
    inference: Mapping[str, Any] | None


@dataclass(frozen=True)
class Retention:
    """PRR of a student: pooled over the training seeds whose teacher was evaluated on the same episodes.

    Args:
        student_name, teacher_name: table names; the teacher's is "" where no teacher was found.
        measure: the measure of the ratio: win rate, or where nothing can be won, mean return ("return retention").
        teacher_sight: sight range of the teacher; "" where it equals the student's.
        has_z: whether the student predicts a z that the teacher samples, and not action values.
        student, teacher: wins of episodes; None where no teacher was found, or nothing can be won.
        student_return, teacher_return: the mean returns on the paired episodes; None where no teacher was found.
        ratio: None where the teacher never won (of returns: its mean return is not above 0) or was not found.
        interval: 95 %, over paired episodes; None where `ratio` is, and where it has no bounds.
        train_seeds: the seeds that are counted.
        of_seeds: the ratio of each of them alone; None where its teacher never won.
        over_seeds: mean and standard deviation of those; None below two.
        unpaired: the seeds whose teacher was not evaluated on the same episodes.
    """

    student_name: str
    teacher_name: str
    teacher_sight: str
    has_z: bool
    measure: Measure
    student: Tally | None
    teacher: Tally | None
    student_return: float | None
    teacher_return: float | None
    ratio: float | None
    interval: Interval | None
    train_seeds: tuple[int, ...]
    of_seeds: tuple[float | None, ...]
    over_seeds: MeanStd | None
    unpaired: tuple[int, ...]

    def of_seed(self, train_seed: int) -> float | None:
        """The ratio of one training seed alone; None where it is undefined or the seed is not counted."""
        return dict(zip(self.train_seeds, self.of_seeds, strict=True)).get(train_seed)


@dataclass(frozen=True)
class Score:
    """One map, algorithm and source of z, over training seeds.

    Args:
        name: as the paper's tables print it ("QMIX_SGI").
        sight: sight range, where teacher and student differ in it ("9"); "" elsewhere.
        variant: the settings that differ from other rows of that name ("steps=20000"); "" where there is no other.
        settings: of its training, without those in which its seeds may differ.
        parameters: of each of its networks, and those that only training needs (`policies/parameter_counts.py`).
        measure: win rate, or where nothing can be won, mean return. `interval`, `over_seeds`, `iqm` and `iqm_interval`
            are in this measure.
        tally: all seeds' episodes pooled; None where nothing can be won.
        value: win rate or mean return of all seeds' episodes pooled; `interval` is its 95 % interval.
        over_seeds, iqm_interval: None below two seeds.
        retention: of a student; None for a teacher.
        paper, paper_retention: the paper's figures for this map and name, None where it has none. They are of the
            benchmark named by `scores.published.benchmark_for`, which may not be this backend.
    """

    map: str
    name: str
    policy: str
    alg: str
    global_info: str
    z: ZSource
    sight: str
    execution: Execution
    variant: str
    settings: Mapping[str, Any]
    seeds: tuple[SeedScore, ...]
    parameters: Mapping[str, int]
    measure: Measure
    tally: Tally | None
    value: float
    interval: Interval | None
    over_seeds: MeanStd | None
    iqm: float
    iqm_interval: Interval | None
    retention: Retention | None
    paper: MeanStd | None
    paper_retention: float | None


def value_of(one: SeedScore) -> float:
    """A seed's win rate, or where nothing can be won, its mean return."""
    return one.tally.rate if one.tally else one.mean_return
