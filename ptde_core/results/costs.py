"""The tables of a report on what its policies cost: time, steps, the student's error, sizes of networks."""

from collections.abc import Iterable

import numpy as np

from ptde_core.results.gather import Section
from ptde_core.results.score import Score
from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.results.wording import Z_TEXT, backend_title, duration, listed, named, row_label, steps_text
from ptde_core.scores.published import benchmark_for
from ptde_core.storage.evaluation_file import TRAINING_ONLY, Inference


def costs_table(section: Section) -> Table:
    """What each policy took to train and to play: steps, wall time, speed, the student's error, time per step."""
    groups = []
    for map_name in maps_in_order(section):
        rows: list[Row] = []
        for score in (one for one in section.scores if one.map == map_name):
            seconds = [one.train_seconds for one in score.seeds if one.train_seconds]
            fits = [one.distilled for one in score.seeds if one.distilled]
            fit_seconds = [fit["seconds"] for fit in fits if fit["seconds"] is not None]
            acting, restarts = inferences(score), restarts_of(score)
            row = (
                row_label(named(score.name, score.sight), score.variant),
                Z_TEXT[score.z],
                steps_text([one.env_steps for one in score.seeds]),
                duration(float(np.mean(seconds))) if seconds else "",
                "" if (speed := training_speed(score)) is None else f"{speed:,.0f}",
                ", ".join(f"{step:,}" for step in dict.fromkeys(fit["steps"] for fit in fits)),
                duration(float(np.mean(fit_seconds))) if fit_seconds else "",
                _mean_of(reconstruction_errors(score), "{:.3g}"),
                _mean_of(explained_shares(score), "{:.3f}"),
                _mean_of([one.ms_per_call for one in acting], "{:.2f}"),
                listed(one.side_by_side for one in acting),
                "" if restarts is None else str(restarts),
            )
            rows.append((map_name if not rows else "", *(cell or NOTHING for cell in row)))
        groups.append(tuple(rows))
    columns = (
        "Map", "Algorithm", "z", "Env steps", "Training", "Env steps/s", "Fit steps", "Fit", "Error of z'", "Explained",
        "ms per step", "Side by side", "Engine restarts",
    )  # fmt: skip
    return Table(
        title=f"What they cost: {backend_title(section.backend, section.version)}",
        columns=columns,
        groups=tuple(groups),
        text_columns=3,
        notes=(
            "Means over training seeds, engine restarts their sum. Training: wall time of the teacher's, over all "
            "sittings; a student is fitted after it (Fit).",
            "Error of z': the student's reconstruction error on held-out episodes, as its distillation measures it "
            "(mean squared, in units of z); Explained: 1 - that error / the variance of z.",
            "ms per step: wall time of the policy's networks alone for one step of as many episodes as are played "
            "side by side.",
            *machine_notes(section),
        ),
    ).without_empty_columns()


def inferences(score: Score) -> list[Inference]:
    """The measured times to choose actions, of each seed that has one."""
    return [Inference.model_validate(one.inference) for one in score.seeds if one.inference]


def restarts_of(score: Score) -> int | None:
    """Engines that broke and were replaced in all its trainings; None for environments without engines."""
    known = [one.engine_restarts for one in score.seeds if one.engine_restarts is not None]
    return sum(known) if known else None


def reconstruction_errors(score: Score) -> list[float]:
    """The held-out error of each seed's student; empty for a teacher."""
    qualities = [one.distilled["quality"] for one in score.seeds if one.distilled]
    return [quality["student_validation_loss"] for quality in qualities if "student_validation_loss" in quality]


def explained_shares(score: Score) -> list[float]:
    """The share of z's variance that each seed's student explains on held-out episodes; empty for a teacher."""
    qualities = [one.distilled["quality"] for one in score.seeds if one.distilled]
    return [quality["student_explained"] for quality in qualities if "student_explained" in quality]


def training_speed(score: Score) -> float | None:
    """Env steps per second of wall time over all its trainings; None where no time was kept."""
    timed = [(one.env_steps, one.train_seconds) for one in score.seeds if one.train_seconds]
    return sum(steps for steps, _ in timed) / sum(seconds for _, seconds in timed) if timed else None


def sizes_table(section: Section) -> Table:
    """Parameters of the networks: a row per map and policy; a teacher is one, wherever its z comes from."""
    scores = [score for score in section.scores if score.z != "mean"]
    networks = in_order(network for score in scores for network in score.parameters)
    groups = []
    for map_name in maps_in_order(section):
        rows: list[Row] = []
        for score in (one for one in scores if one.map == map_name):
            counts = (score.parameters.get(network) for network in networks)
            label = row_label(named(score.name, score.sight), score.variant)
            numbers = (*counts, acting_parameters(score), score.parameters.get(TRAINING_ONLY))
            rows.append((map_name if not rows else "", label, *(f"{n:,}" if n else NOTHING for n in numbers)))
        groups.append(tuple(rows))
    return Table(
        title=f"Parameters of the networks: {backend_title(section.backend, section.version)}",
        columns=("Map", "Algorithm", *networks, "all that act", TRAINING_ONLY),
        groups=tuple(groups),
        text_columns=2,
        notes=(f"{TRAINING_ONLY}: mixer, critic and the like; they stay behind when the policy plays.",),
    ).without_empty_columns()


def in_order(names: Iterable[str]) -> list[str]:
    """The networks that act, in the order in which they are applied; others after these."""
    order = ("trunk", "information", "student", "head")
    known = dict.fromkeys(name for name in names if name != TRAINING_ONLY)
    return sorted(known, key=lambda name: order.index(name) if name in order else len(order))


def acting_parameters(score: Score) -> int:
    """All parameters of the networks that act."""
    return sum(count for network, count in score.parameters.items() if network != TRAINING_ONLY)


def maps_in_order(section: Section) -> list[str]:
    """Maps that are not in the paper, by name, then those of the paper in its order."""
    benchmark = benchmark_for(section.backend)
    of_paper = list(benchmark.win_rates) if benchmark else []
    maps = sorted({score.map for score in section.scores})
    return sorted(maps, key=lambda name: of_paper.index(name) if name in of_paper else -1)


def machine_notes(section: Section) -> list[str]:
    """The machines that a section's policies were evaluated on."""
    return [f"Machine: {'; '.join(sorted({one.machine for score in section.scores for one in score.seeds}))}."]


def _mean_of(values: Iterable[float | None], form: str) -> str:
    """Mean of those that are known; "" where none is."""
    known = [value for value in values if value is not None]
    return form.format(np.mean(known)) if known else ""
