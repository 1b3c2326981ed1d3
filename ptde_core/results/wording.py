"""Texts of a report: names of backends and rows, numbers with their intervals, notes below a table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ptde_core.algorithms.table_names import AVERAGED
from ptde_core.results.performance import Measure
from ptde_core.results.score import Retention
from ptde_core.results.table import NOTHING
from ptde_core.runs.recipes import recipes
from ptde_core.scores.intervals import Interval, MeanStd
from ptde_core.storage.evaluation_file import ZSource
from ptde_core.storage.run_folder import PAPER

# The benchmark that a backend must not be confused with.
NOT_TO_BE_TAKEN_FOR = {"skirmish": "SMAC"}
Z_TEXT: Mapping[ZSource, str] = {
    "none": NOTHING,
    "sampled": "sampled",
    "mean": "mean",
    "exact": "exact",
    "student": "student",
}


NEXT_TO_NOTHING = 0.05  # explained share of z's variance below which a student has recovered next to nothing


def backend_title(backend: str, version: str) -> str:
    """How a table's title names a backend: "skirmish (not SMAC), version 1"."""
    return f"{backend_name(backend)}, version {version}"


def backend_name(backend: str) -> str:
    """A backend's name, and the benchmark that it must not be confused with: "skirmish (not SMAC)"."""
    mistaken = NOT_TO_BE_TAKEN_FOR.get(backend)
    return f"{backend} (not {mistaken})" if mistaken else backend


def named(name: str, sight: str) -> str:
    """A policy's name, with its sight range where teacher and student differ in it: "CTDS, sight 9"."""
    return f"{name}, sight {sight}" if sight else name


def row_label(name: str, variant: str) -> str:
    """A row's name, with the settings that tell it from others of that name: "QMIX_SGI (td_lambda=0.6)"."""
    return f"{name} ({variant})" if variant else name


def retention_text(kept: Retention) -> str:
    """A PRR for people: of one training its interval, "96.2 % [93.7, 98.1]"; of several their std, "95.0 ± 2.1 %"."""
    if kept.ratio is None:
        return NOTHING
    if kept.over_seeds is not None:
        return f"{100 * kept.ratio:.1f} ± {percent(kept.over_seeds.std)}"
    return f"{percent(kept.ratio)} {percent_interval(kept.interval)}" if kept.interval else percent(kept.ratio)


def kept_spread_text(found: Iterable[Retention | None]) -> str:
    """What stands beside these PRRs: "in brackets its 95 % bootstrap interval over paired episodes of one training"."""
    kept = [one for one in found if one is not None]
    alone = all(len(one.train_seeds) < 2 for one in kept if not one.over_seeds)
    interval = "in brackets its 95 % bootstrap interval over paired episodes" + (" of one training" if alone else "")
    std = "of several, the ratio over all their episodes ± the standard deviation of the seeds' own"
    several = any(one.over_seeds for one in kept)
    return "; ".join([*([interval] if any(not one.over_seeds for one in kept) else []), *([std] if several else [])])


def retention_title(measure: Measure) -> str:
    """The name of the retention in this measure."""
    return "PRR" if measure == "win rate" else "Return retention"


def play_text(value: float, interval: Interval | None, measure: Measure) -> str:
    """A win rate or a mean return with its interval: "0.975 [0.951, 0.987]", "12.34 [11.80, 12.88]"."""
    if measure == "win rate":
        return f"{value:.3f} {interval_text(interval)}" if interval else f"{value:.3f}"
    return f"{value:.2f} [{interval.low:.2f}, {interval.high:.2f}]" if interval else f"{value:.2f}"


def play_notes(measure: Measure) -> str:
    """The note that explains the intervals in a table of evaluated policies."""
    if measure == "win rate":
        return (
            "In brackets: 95 % intervals over episodes, Wilson's for win rates, bootstrap over paired episodes for the "
            "PRR."
        )
    return (
        "This game cannot be won: returns tell how well it is played. In brackets: 95 % intervals over episodes, "
        f"Student's t for returns, bootstrap over paired episodes for the return retention. {RETURN_RETENTION}"
    )


RETURN_RETENTION = (
    "Return retention = student's mean return / teacher's on the same episodes; undefined where the teacher's is not "
    "above 0. It depends on where the reward's zero lies: a constant added to every reward would change it."
)


def mean_std_text(value: MeanStd) -> str:
    """As the paper prints it: "0.940 ± 0.031"."""
    return f"{value.mean:.3f} ± {value.std:.3f}"


def interval_text(interval: Interval) -> str:
    """Both ends of a win rate's interval: "[0.951, 0.987]"."""
    return f"[{interval.low:.3f}, {interval.high:.3f}]"


def percent(ratio: float) -> str:
    """A ratio as a percentage: "96.2 %"."""
    return f"{100 * ratio:.1f} %"


def percent_interval(interval: Interval) -> str:
    """Both ends of a ratio's interval in percent: "[93.7, 98.1]"."""
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def fraction(value: float | None) -> str:
    """A number for machines, with all its digits: reading it gives the same float; "" where it is undefined."""
    return "" if value is None else repr(float(value)).removesuffix(".0")


def steps_text(counts: Sequence[int]) -> str:
    """Env steps for people: "480", "150k", "2.00M", "150k to 152k"."""
    low, high = (
        f"{n / 1e6:.2f}M" if n >= 1_000_000 else f"{n / 1000:.0f}k" if n >= 1000 else str(n)
        for n in (min(counts), max(counts))
    )
    return low if low == high else f"{low} to {high}"


def listed(values: Iterable[object]) -> str:
    """Distinct values in their order, joined by commas."""
    return ", ".join(map(str, dict.fromkeys(values)))


def z_notes(sources: set[ZSource]) -> list[str]:
    """The note that explains the z column, for the sources in use."""
    meaning = {
        "sampled": "sampled = drawn from the teacher's Gaussian, as the paper plays its teachers",
        "mean": "mean = the Gaussian's mean",
        "student": "student = predicted from the agent's local input alone",
    }
    used = [meaning[source] for source in Z_TEXT if source in sources and source in meaning]
    return [f"z, where the global information comes from: {'; '.join(used)}."] if used else []


def sight_notes(sights: Iterable[str]) -> list[str]:
    """The note that explains a sight in a name, where there is one."""
    meaning = "Sight: how far the agents see, in cells; all = everything, own = what the environment gives them."
    return [meaning] if any(sights) else []


def averaged_notes(names: Iterable[str]) -> list[str]:
    """The note that explains a mark in a name: "QMIX_SGI (averaged)"."""
    meaning = "Averaged: the teacher's weights are a running average over its last gradient steps (average_weights)."
    return [meaning] if any(AVERAGED in name for name in names) else []


def recipe_notes(made: Iterable[Mapping[str, Any] | None]) -> list[str]:
    """A note on each recipe but the paper's; `made` is `evaluation_file.Distilled`, None of what was not distilled."""
    used = dict.fromkeys(one["settings"].get("recipe", PAPER) for one in made if one)
    return [f"Recipe {name}: {recipes()[name].meaning}." for name in used if name != PAPER and name in recipes()]


def retention_notes(kept: Retention, where: str) -> list[str]:
    """Notes on a PRR that is missing, for all or some seeds."""
    notes = []
    title = retention_title(kept.measure)
    what = title if title == "PRR" else title.lower()  # within a sentence
    if kept.unpaired:
        seeds, how = listed(kept.unpaired), " with z sampled" if kept.has_z else ""
        notes.append(
            f"No {what} for {kept.student_name}{where}, training seed {seeds}: "
            f"its teacher was not evaluated{how} on the same episodes."
        )
    undefined = [seed for seed, one in zip(kept.train_seeds, kept.of_seeds, strict=True) if one is None]
    if undefined and kept.ratio is not None:
        notes.append(
            f"The {what} of {kept.student_name}{where} is over all seeds' episodes; of training seed "
            f"{listed(undefined)} alone there is none, for its teacher earned nothing to keep."
        )
    if kept.teacher and kept.ratio is None:
        notes.append(
            f"No {what} for {kept.student_name}{where}: its teacher won none of {kept.teacher.episodes} episodes."
        )
    elif kept.student and kept.teacher and not kept.student.wins:
        notes.append(
            f"{kept.student_name}{where} won none of {kept.student.episodes} episodes, its teacher "
            f"{kept.teacher.wins}: the interval of its PRR says what so few wins leave open, not what it kept."
        )
    if kept.measure == "return" and kept.teacher_return is not None and kept.interval is None:
        mean = f"its teacher's mean return is {kept.teacher_return:.2f}"
        notes.append(
            f"No {what} for {kept.student_name}{where}: {mean}, not above 0."
            if kept.ratio is None
            else f"No interval of the {what} of {kept.student_name}{where}: {mean}, too near 0."
        )
    return notes


def recovery_notes(name: str, made: Iterable[Mapping[str, Any] | None], where: str) -> list[str]:
    """A note on a student that was fitted to z and recovers next to nothing of it, which its PRR does not show.

    Args:
        name: of the student.
        made: `evaluation_file.Distilled` as mappings, one per training seed; None for what was not distilled.
        where: " on 3m", or "".
    """
    # For a student that was fitted to action values, the error of z' says nothing about play.
    fitted = [one["quality"] for one in made if one and one["settings"].get("loss", "z") == "z"]
    explained = [quality["student_explained"] for quality in fitted if "student_explained" in quality]
    if not explained or (share := sum(explained) / len(explained)) >= NEXT_TO_NOTHING:
        return []
    return [
        f"{name}{where} recovers next to nothing of z (explained: {percent(share)} of its variance on held-out "
        "episodes), so it keeps what needs no z: either its agents' own views do not tell what its teacher was told, "
        "or the fit was too short."
    ]


def duration(seconds: float) -> str:
    """Wall time in a table: "45 s", "12.3 min", "5.2 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
