"""Cells of tables of win rates, and the notes below such tables."""

from collections.abc import Iterable

from ptde_core.results.gather import Section
from ptde_core.results.score import Score
from ptde_core.results.unequal_settings import unequal_notes, unequal_settings
from ptde_core.results.wording import (
    NOT_TO_BE_TAKEN_FOR,
    RETURN_RETENTION,
    averaged_notes,
    kept_spread_text,
    mean_std_text,
    play_text,
    recipe_notes,
    recovery_notes,
    retention_notes,
    row_label,
    sight_notes,
    z_notes,
)
from ptde_core.scores.published import benchmark_for


def rate_cell(score: Score) -> str:
    """Mean ± std over seeds; with one seed, the win rate (or mean return) and its interval."""
    return over_seeds_text(score) or play_text(score.value, score.interval, score.measure)


def over_seeds_text(score: Score) -> str:
    """Mean ± std over training seeds; "" below two."""
    if score.over_seeds is None:
        return ""
    if score.measure == "win rate":
        return mean_std_text(score.over_seeds)
    return f"{score.over_seeds.mean:.2f} ± {score.over_seeds.std:.2f}"


def unlearned_notes(scores: Iterable[Score]) -> list[str]:
    """A note on trainings that ended before their first gradient step, which their win rates do not show."""
    found = [(one.name, one.map, seed.train_seed) for one in scores for seed in one.seeds if seed.updates == 0]
    told = [f"{name} on {where} (seed {seed})" for name, where, seed in dict.fromkeys(found)]
    return [f"Learned nothing, for no gradient step was due in so few episodes: {', '.join(told)}."] if told else []


def win_rate_notes(section: Section) -> list[str]:
    """How to read the win rates and PRRs of a section."""
    scores = section.scores
    one_seed = any(score.over_seeds is None for score in scores)
    more_seeds = any(score.over_seeds is not None for score in scores)
    wins = section.measure == "win rate"
    counts = {one.episodes for score in scores for one in score.seeds}
    episodes = f"a fixed list of {min(counts)} episodes" if len(counts) == 1 else "fixed lists of episodes"
    if wins:
        notes = [f"Win rate of greedy play over {episodes}."]
    else:
        notes = [f"This game cannot be won: mean return of greedy play over {episodes}."]
    if one_seed:
        kind = ("win rate", "Wilson") if wins else ("return", "Student's t")
        notes.append(
            f"In brackets after a {kind[0]}: 95 % {kind[1]} interval over the episodes of one trained policy; "
            "training again may differ more."
        )
    if more_seeds:
        notes.append("±: standard deviation over training seeds (the sample's, divided by n - 1).")
    if any(score.retention for score in scores) and not wins:
        notes.append(f"{RETURN_RETENTION} Beside it: {kept_spread_text(score.retention for score in scores)}.")
    if any(score.retention for score in scores) and wins:
        notes.append(
            "PRR = student's win rate / teacher's win rate on the same episodes"
            + (", teacher's z sampled" if any(score.retention and score.retention.has_z for score in scores) else "")
            + f"; {kept_spread_text(score.retention for score in scores)}."
        )
    notes.extend(z_notes({score.z for score in scores}))
    notes.extend(sight_notes(score.sight for score in scores))
    notes.extend(averaged_notes(score.name for score in scores))
    notes.extend(recipe_notes(one.distilled for score in scores for one in score.seeds))
    for score in scores:
        if score.retention:
            where = f"{row_label('', score.variant)} on {score.map}"
            notes.extend(retention_notes(score.retention, where))
            notes.extend(recovery_notes(score.name, (one.distilled for one in score.seeds), where))
    notes.extend(unlearned_notes(scores))
    notes.extend(unequal_notes(unequal_settings(scores)))
    benchmark = benchmark_for(section.backend)
    if benchmark and any(score.paper or score.paper_retention for score in scores):
        notes.append(f"{benchmark.label}: {benchmark.source}.")
    if section.backend in NOT_TO_BE_TAKEN_FOR:
        real = NOT_TO_BE_TAKEN_FOR[section.backend]
        notes.append(
            f"{section.backend} is ptde's own simulator: its numbers are not {real}'s and do not compare with them."
        )
    return notes
