"""The report in the layout of raw data that marl-eval reads (Gorsane et al. 2022).

Environment, task, algorithm, run and step are nested; each list holds one value per episode of the evaluation.
"""

import json
from pathlib import Path
from typing import Any

from ptde_core.base.printable import printable
from ptde_core.stages.reports.collect import Report
from ptde_core.stages.reports.score import Score, SeedScore
from ptde_core.stages.reports.wording import named, row_label
from ptde_core.storage.evaluation_file import read_evaluation
from ptde_core.storage.run_folder import RunFolder


def marl_eval(report: Report) -> str:
    """JSON; an environment is a backend with its version, a run is named by its training seed."""
    value: dict[str, dict[str, dict[str, Any]]] = {}
    for section in report.sections:
        tasks = value.setdefault(f"{section.backend} {section.version}", {})
        for score in section.scores:
            runs = {f"seed_{one.train_seed}": _run(score, one) for one in score.seeds}
            tasks.setdefault(score.map, {})[_algorithm(score)] = runs
    return printable(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False), lines=True) + "\n"


def _algorithm(score: Score) -> str:
    """A name of its own for each row; marl-eval refuses commas in it."""
    name = row_label(named(score.name, score.sight), score.variant)
    return (f"{name} (z mean)" if score.z == "mean" else name).replace(", ", " + ")


def _run(score: Score, seed: SeedScore) -> dict[str, Any]:
    """The evaluation as the only step, and as absolute metrics.

    marl-eval wants as many steps of every algorithm; a student has no tests in training, so nobody's are here.
    """
    entries = read_evaluation(RunFolder(Path(seed.run)).evaluation).entries
    episodes = next(one.episodes for one in entries if (one.checkpoint, one.digest) == (seed.checkpoint, seed.digest))
    won = {"win_rate": [float(won) for won in episodes.won]} if score.measure == "win rate" else {}
    final = {**won, "return": list(episodes.total_reward)}
    return {"step_0": {"step_count": seed.env_steps, **final}, "absolute_metrics": final}
