"""What a cell of a table says where its number has fewer seeds or env steps than the paper's."""

from ptde_core.results.score import Score
from ptde_core.results.wording import steps_text
from ptde_core.runs.stage_settings import preset_of

PAPER_SEEDS = 3


def shortfall(score: Score) -> str:
    """Such as " (1 of 3 seeds, 20k of 2.00M steps)"; "" where the paper had no more, or its budget is not known."""
    parts = []
    seeds = len(score.seeds)
    if seeds < PAPER_SEEDS:
        parts.append(f"{seeds} of {PAPER_SEEDS} seeds")
    papers, ours = preset_of(score.map).get("paper_steps"), [one.env_steps for one in score.seeds]
    if papers is not None and min(ours) < papers:
        parts.append(f"{steps_text(ours)} of {steps_text([papers])} steps")
    return f" ({', '.join(parts)})" if parts else ""
