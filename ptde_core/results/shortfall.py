"""What a cell of a table says where its number has other seeds or fewer env steps than the paper's."""

from ptde_core.results.score import Score
from ptde_core.results.wording import steps_text
from ptde_core.runs.stage_settings import preset_of

PAPER_SEEDS = 3


def shortfall(score: Score, seeds: int) -> str:
    """Such as " (1 of 3 seeds, 20k of 2.00M steps)", " (5 seeds)"; "" where the paper's are as many, or not known."""
    parts = []
    if seeds < PAPER_SEEDS:
        parts.append(f"{seeds} of {PAPER_SEEDS} seeds")
    elif seeds > PAPER_SEEDS:
        parts.append(f"{seeds} seeds")
    if fewer := fewer_steps(score):
        parts.append(fewer)
    return f" ({', '.join(parts)})" if parts else ""


def fewer_steps(score: Score) -> str:
    """Such as "20k of 2.00M steps"; "" where it had as many as the paper's, or those are not known."""
    papers, ours = preset_of(score.map).get("paper_steps"), [one.env_steps for one in score.seeds]
    return f"{steps_text(ours)} of {steps_text([papers])} steps" if papers is not None and min(ours) < papers else ""
