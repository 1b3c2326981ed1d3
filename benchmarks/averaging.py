"""What a teacher's averaged weights win beside its last: `python -m benchmarks.averaging --runs DIR --out FILE.csv`.

Each training keeps checkpoints on its way, and every checkpoint holds both kinds of weights. Both play the same greedy
episodes. One line of the file for each checkpoint; a training that is done is not repeated.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.rows import read_rows, write_rows
from ptde_core.algorithms.from_checkpoint import restore
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.events import Event
from ptde_core.base.seeding import episode_seeds
from ptde_core.experiments.calibration.processes import train_side_by_side
from ptde_core.policies.policy import Exploration
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import train_teacher_settings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.run_folder import RunFolder

ALGORITHMS = {
    "QMIX": ("qmix", "none"),
    "QMIX_SGI": ("qmix", "agent-specific"),
    "VDN": ("vdn", "none"),
    "QPLEX": ("qplex", "none"),
    "MAPPO": ("mappo", "none"),
}
STEPS = {"3m": train_teacher_settings({"map": "3m"}).steps, "2s3z": 250_000}
CHECKPOINTS = 20  # of which those in the second half of the training are measured
COLUMNS = ["map", "algorithm", "seed", "env_steps", "episodes", "won_by_average", "won_by_last"]
GOOD = 0.9  # a dip is a checkpoint below it, of a training that reached it before


def main() -> None:
    """Train, measure, write the file and show what it says."""
    parser = argparse.ArgumentParser("python -m benchmarks.averaging", description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="where the trainings lie; begun ones go on")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv")
    parser.add_argument("--map", action="append", choices=STEPS, help="repeatable; all by default")
    parser.add_argument("--algorithm", action="append", choices=ALGORITHMS, help="repeatable; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--decay", type=float, default=0.99)
    parser.add_argument("--episodes", type=int, default=160)
    options = parser.parse_args()
    rows = read_rows(options.out)
    for map_name in options.map or STEPS:
        names = options.algorithm or list(ALGORITHMS)
        trainings = {
            (name, seed): (_settings(name, map_name, seed, options.decay), _folder(options.runs, name, map_name, seed))
            for seed in range(1, options.seeds + 1)
            for name in names
        }
        train_side_by_side(list(trainings.values()), "train", map_name, listen=_tell)
        for (name, seed), (settings, run) in trainings.items():
            key = {"map": map_name, "algorithm": name, "seed": str(seed)}
            if not any(key.items() <= row.items() for row in rows):
                rows += [key | measured for measured in _measured(settings, run, options.episodes)]
                write_rows(options.out, COLUMNS, rows)
    Console(width=None if sys.stdout.isatty() else 120).print(_table(rows))


def _settings(name: str, map_name: str, seed: int, decay: float) -> TrainingSettings:
    alg, info = ALGORITHMS[name]
    every = STEPS[map_name] // CHECKPOINTS
    own = {"steps": STEPS[map_name], "average_weights": decay, "keep": f"every={every}"}
    return train_teacher_settings({"alg": alg, "global_info": info, "map": map_name, "seed": seed} | own)


def _folder(runs: Path, name: str, map_name: str, seed: int) -> RunFolder:
    return RunFolder(runs / map_name / name / f"seed{seed}")


def _measured(settings: TrainingSettings, run: RunFolder, episodes: int) -> Iterator[dict[str, str]]:
    """Episodes won by both kinds of weights of each checkpoint in the second half."""
    every = settings.steps // CHECKPOINTS
    for steps in range(settings.steps // 2 + every, settings.steps + 1, every):
        content = load_checkpoint(run.checkpoint("teacher", str(steps)), "teacher")
        last = {**content, "networks": content["last_networks"]}
        won = [_won(weights, episodes) for weights in (content, last)]
        yield dict(zip(COLUMNS[3:], map(str, (steps, episodes, *won)), strict=True))


def _won(content: Mapping[str, Any], episodes: int) -> int:
    trained = restore(content)
    env = trained.environment(32)
    seeds = episode_seeds(1, "averaging", 0, episodes)
    won = sum(episode.won for episode in play(env, trained.policy, seeds, Exploration()))
    env.close()
    return won


def _table(rows: list[dict[str, str]]) -> Table:
    """Per map and algorithm: mean win rate of both, checkpoints below GOOD after one that was not, both at the end."""
    table = Table(title="Averaged weights beside the last")
    for column in ("map", "algorithm", "trainings", "checkpoints", "mean win rate", "worst", "dips", "at the end"):
        table.add_column(column, justify="left" if column in {"map", "algorithm"} else "right")
    for key in dict.fromkeys((row["map"], row["algorithm"]) for row in rows):
        own = [row for row in rows if (row["map"], row["algorithm"]) == key]
        seeds = dict.fromkeys(row["seed"] for row in own)
        cells = []
        for kind in ("won_by_average", "won_by_last"):
            rates = [[int(row[kind]) / int(row["episodes"]) for row in own if row["seed"] == seed] for seed in seeds]
            every = [rate for one in rates for rate in one]
            dips = sum(rate < GOOD <= max(one[:k], default=0) for one in rates for k, rate in enumerate(one))
            end = sum(one[-1] for one in rates) / len(seeds)
            cells.append((f"{sum(every) / len(every):.3f}", f"{min(every):.3f}", str(dips), f"{end:.3f}"))
        beside = [" / ".join(pair) for pair in zip(*cells, strict=True)]
        table.add_row(*key, str(len(seeds)), str(len(own)), *beside)
    table.caption = f"averaged / last; dips: checkpoints below {GOOD} after one that was not"
    return table


def _tell(event: Event) -> None:
    if text := getattr(event, "text", ""):
        print(text, flush=True)


if __name__ == "__main__":
    main()
