"""How long `ptde report` takes over many run folders, the whole command; `python -m benchmarks.reports DIR` makes them.

The folders are as `ptde run` leaves them, but for checkpoints and episodes, which a report does not read: five maps,
four algorithms, 25 seeds, 320 invented episodes for each policy. Every 20th run is unfinished.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, seconds
from ptde_core.algorithms.naming import student_name, teacher_name
from ptde_core.base.seeding import episode_seeds
from ptde_core.stages.settings import DistillSettings, default_folder, train_teacher_settings
from ptde_core.storage.evaluation_file import (
    TRAINING_ONLY,
    Distilled,
    EvaluationEntry,
    Inference,
    Played,
    ZSource,
    add_entries,
)
from ptde_core.storage.provenance_file import add_sitting
from ptde_core.storage.run_folder import RunFolder, write_json
from ptde_core.storage.status import write_status

SECTION = "reports"
MAPS = ("3s_vs_5z", "5m_vs_6m", "3s5z_vs_3s6z", "6h_vs_8z", "3s5z")
ALGORITHMS = (("qmix", "agent-specific"), ("qmix", "unified"), ("qmix", "none"), ("vdn", "none"))
SEEDS = 25
EPISODES = 320
UNFINISHED = 20  # one of so many


def measure(quick: bool) -> Iterator[Figure]:
    """Seconds from typing the command to its end; with Python's start and imports."""
    runs = 50 if quick else len(MAPS) * len(ALGORITHMS) * SEEDS
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder), runs)
        for report_format in ("table", "json"):
            words = [sys.executable, "-m", "ptde_cli", "report", "runs", "--format", report_format, "--out", "report"]

            def report(words: list[str] = words, folder: str = folder) -> None:
                subprocess.run(words, check=True, cwd=folder, capture_output=True)

            yield Figure(SECTION, f"{runs} run folders, {report_format}", seconds(report, 1 if quick else 3), "s")


def make_runs(folder: Path, count: int) -> None:
    """Write the first `count` of the runs into folder/runs."""
    chance = np.random.default_rng(0)
    seeds = [int(seed) for seed in episode_seeds(0, "evaluate", 0, EPISODES)]
    chosen = list(product(MAPS, ALGORITHMS, range(1, SEEDS + 1)))[:count]
    for number, (map_name, (alg, info), seed) in enumerate(chosen, start=1):
        settings = train_teacher_settings({"map": map_name, "alg": alg, "global_info": info, "seed": seed})
        run = RunFolder(folder / default_folder(settings).path)
        write_json(run.config, settings.model_dump())
        add_sitting(run.provenance, "skirmish", "4", threads=1)
        steps = [10_000 * k for k in range(201)]
        rows = ({"env_steps": step, "test_win_rate": min(1, step / 1e6)} for step in steps)
        run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
        if number % UNFINISHED == 0:
            write_status(run, "interrupted", "stopped by the user", env_steps=1_000_000, seconds=3000.0)
            continue
        write_status(run, "finished", env_steps=2_000_000, seconds=6000.0)
        sources: tuple[ZSource, ...] = ("none",) if info == "none" else ("sampled", "mean", "student")
        add_entries(
            run.evaluation,
            [_entry(map_name, alg, info, seed, z, seeds, chance.random(EPISODES) < 0.8) for z in sources],
        )


def _entry(
    map_name: str, alg: str, info: str, seed: int, z: ZSource, seeds: list[int], won: np.ndarray
) -> EvaluationEntry:
    student = z == "student"
    quality = {"student_validation_loss": 0.02, "student_explained": 0.9, "student_same_action": 0.95}
    made = Distilled(settings=DistillSettings(seed=seed).model_dump(), quality=quality, steps=500_000, seconds=900.0)
    return EvaluationEntry(
        name=student_name(alg, info) if student else teacher_name(alg, info),
        policy="student" if student else "teacher",
        z=z,
        alg=alg,
        global_info=info,
        checkpoint="student.pt" if student else "teacher.pt",
        teacher_id=f"{map_name} {alg} {info} {seed}",
        policy_id=f"{map_name} {alg} {info} {seed} {student}",
        parameters={"trunk": 30_000, "head": 5_000, TRAINING_ONLY: 20_000},
        distilled=made if student else None,
        backend="skirmish",
        backend_version="4",
        map=map_name,
        train_seed=seed,
        env_steps=2_000_000,
        evaluation_seed=0,
        machine="invented",
        code="invented",
        episodes=Played(
            seed=seeds,
            won=won.tolist(),
            total_reward=(20.0 * won).tolist(),
            length=[60] * EPISODES,
        ),
        inference=Inference(seconds=0.9, calls=600, side_by_side=32, threads=1),
    )


if __name__ == "__main__":
    make_runs(Path(sys.argv[1]), len(MAPS) * len(ALGORITHMS) * SEEDS)
