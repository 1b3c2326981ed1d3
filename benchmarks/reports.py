"""How long `ptde report` takes over many run folders, the whole command; `python -m benchmarks.reports DIR` makes them.

The folders are as `ptde run` leaves them, but for episodes, which a report does not read: five maps, four algorithms,
25 seeds, 320 invented episodes for each policy, checkpoints of some 200 kB. Every 20th run is unfinished.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch

from benchmarks.figures import Figure, seconds
from ptde_core.algorithms.table_names import student_name, teacher_name
from ptde_core.base.made_from import MadeFrom
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import world_now
from ptde_core.runs.identity import training_made_from
from ptde_core.runs.stage_settings import DistillSettings, default_folder, train_teacher_settings
from ptde_core.storage.checkpoint import identity, save_checkpoint
from ptde_core.storage.config_file import write_config
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
from ptde_core.storage.run_folder import RunFolder
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
        world = world_now("skirmish", map_name)
        assert world is not None
        made = training_made_from(settings, world)
        write_config(run.config, settings.model_dump(), made)
        add_sitting(run.provenance, made, threads=1)
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
            [_entry(run, made, z, seeds, chance.random(EPISODES) < 0.8) for z in sources],
        )


def _entry(run: RunFolder, made_from: MadeFrom, z: ZSource, seeds: list[int], won: np.ndarray) -> EvaluationEntry:
    student = z == "student"
    world = made_from.world
    alg, info, seed = (made_from.settings[key] for key in ("alg", "global_info", "seed"))
    teacher_id = f"{world.map} {alg} {info} {seed}"
    networks = {"w": torch.full((50_000,), float(seed + student))}
    by_itself = MadeFrom(stage="distill", world=world, settings={}, parents={"teacher": teacher_id})
    content = {
        "networks": networks,
        "teacher_id": teacher_id,
        "teacher_file": "teacher.pt",
        "settings": made_from.settings,
        "kept": "last",
        "made_from": (by_itself if student else made_from).plain(),
    }
    save_checkpoint(run.student if student else run.teacher, "student" if student else "teacher", content)
    quality = {"student_validation_loss": 0.02, "student_explained": 0.9, "student_same_action": 0.95}
    made = Distilled(settings=DistillSettings(seed=seed).model_dump(), quality=quality, steps=500_000, seconds=900.0)
    return EvaluationEntry(
        name=student_name(alg, info) if student else teacher_name(alg, info),
        policy="student" if student else "teacher",
        z=z,
        alg=alg,
        global_info=info,
        checkpoint="student.pt" if student else "teacher.pt",
        teacher_id=teacher_id,
        policy_id=identity(networks),
        parameters={"trunk": 30_000, "head": 5_000, TRAINING_ONLY: 20_000},
        distilled=made if student else None,
        backend="skirmish",
        backend_version=world.version,
        map=world.map,
        map_digest=world.map_digest,
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
