"""The report in the layout of raw data that marl-eval reads (Gorsane et al. 2022).

Environment, task, algorithm, run and step are nested. Each list holds one value per evaluation: a test during training
is one value (its mean), the evaluation at the end is one per episode.
"""

import json
from pathlib import Path
from typing import Any

from ptde_core.stages.reports.collect import Report, Score, SeedScore
from ptde_core.stages.reports.wording import named, row_label
from ptde_core.storage.evaluation_file import read_evaluation
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.run_folder import RunFolder

METRICS = ("win_rate", "return")


def marl_eval(report: Report) -> str:
    """JSON; an environment is a backend with its version, a run is named by its training seed."""
    value: dict[str, dict[str, dict[str, Any]]] = {}
    for section in report.sections:
        tasks = value.setdefault(f"{section.backend} {section.version}", {})
        for score in section.scores:
            runs = {f"seed_{one.train_seed}": _run(score, one) for one in score.seeds}
            tasks.setdefault(score.map, {})[_algorithm(score)] = runs
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _algorithm(score: Score) -> str:
    """A name of its own for each row; marl-eval refuses commas in it."""
    name = row_label(named(score.name, score.sight), score.variant)
    return (f"{name} (z mean)" if score.z == "mean" else name).replace(", ", " + ")


def _run(score: Score, seed: SeedScore) -> dict[str, Any]:
    """Every test of the training, of policies that were tested in it; then the evaluation, alone and as absolute."""
    run = RunFolder(Path(seed.run))
    entries = read_evaluation(run.evaluation).entries
    episodes = next(one.episodes for one in entries if (one.checkpoint, one.z) == (seed.checkpoint, score.z))
    final = {"win_rate": [float(won) for won in episodes.won], "return": list(episodes.total_reward)}
    tests = [] if score.policy == "student" or score.z == "mean" else _tests(run)
    steps = [*tests, {"step_count": seed.env_steps, **final}]
    return {**{f"step_{k}": step for k, step in enumerate(steps)}, "absolute_metrics": final}


def _tests(run: RunFolder) -> list[dict[str, Any]]:
    rows = read_metrics(run.metrics) if run.metrics.exists() else []
    wanted = {name: f"test_{name}" for name in METRICS}
    return [
        {"step_count": int(row["env_steps"]), **{name: [row[key]] for name, key in wanted.items()}}
        for row in rows
        if all(key in row for key in wanted.values())
    ]
