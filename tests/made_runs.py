"""Run folders with evaluations as tests want them, written by hand, and texts that are kept to compare with."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ptde_core.base.made_from import MadeFrom, World
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.results.gather import Report
from ptde_core.results.score import Score
from ptde_core.runs.stage_settings import DistillSettings
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
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import write_status

GOLDEN = Path(__file__).with_name("unit") / "golden"
RUNS = Path("runs")


def played(wins: int, episodes: int, evaluation_seed: int = 0) -> Played:
    """The first `wins` of the list are won, with return 20 and length 30; the others lost, return 10, length 60."""
    won = [k < wins for k in range(episodes)]
    return Played(
        seed=[int(one) for one in episode_seeds(evaluation_seed, "evaluate", 0, episodes)],
        won=won,
        total_reward=[20.0 if one else 10.0 for one in won],
        length=[30 if one else 60 for one in won],
    )


OTHER_NETWORKS: dict[ZSource, dict[str, int]] = {
    "none": {TRAINING_ONLY: 20_000},
    "sampled": {"information": 200_000, TRAINING_ONLY: 20_000},
    "mean": {"information": 200_000, TRAINING_ONLY: 20_000},
    "student": {"student": 8_000},
}


def distilled(collected: dict[str, Any] | None = None, **changes: Any) -> Distilled:
    """How a student was made; the paper's way but for the changes; of how its episodes were collected what is given."""
    quality = {"student_validation_loss": 0.02, "student_explained": 0.9, "student_same_action": 0.95}
    settings = DistillSettings(**changes).model_dump()
    return Distilled(settings=settings, collected=collected or {}, quality=quality, steps=500_000, seconds=100.0)


def entry(z: ZSource, wins: int, **changes: Any) -> EvaluationEntry:
    policy = "student" if z == "student" else "teacher"
    name = {"student": "QMIX_ASGKD", "none": "QMIX"}.get(z, "QMIX_SGI")
    facts: dict[str, Any] = {
        "name": name,
        "policy": policy,
        "z": z,
        "alg": "qmix",
        "global_info": "none" if z == "none" else "agent-specific",
        "checkpoint": f"{policy}.pt",
        "teacher_id": "abc",
        "policy_id": f"{policy} abc",
        "parameters": {"trunk": 30_000, "head": 5_000, **OTHER_NETWORKS[z]},
        "distilled": distilled() if policy == "student" else None,
        "backend": "skirmish",
        "backend_version": "1",
        "map": "3m",
        "train_seed": 1,
        "env_steps": 150_020,
        "evaluation_seed": 0,
        "machine": "2 cores, Some CPU, 8 GiB, Linux x86_64",
        "code": "0.1.0+1a2b3c4",
        "episodes": played(wins, 320, changes.get("evaluation_seed", 0)),
        "inference": Inference(seconds=0.9, calls=600, side_by_side=32, threads=1),
    }
    return EvaluationEntry(**{**facts, **changes})


def add_run(name: str, entries: Sequence[EvaluationEntry], **settings: Any) -> RunFolder:
    """A finished run in ./runs."""
    run = RunFolder(RUNS / name)
    first = entries[0] if entries else entry("sampled", 0)
    of_entry = {"map": first.map, "seed": first.train_seed, "alg": first.alg, "global_info": first.global_info}
    decided = {"steps": 150_000, **of_entry, **settings}
    made = MadeFrom(stage="train-teacher", world=first.made_from.world, settings=decided)
    write_config(run.config, {"checkpoint_seconds": 60.0, **decided}, made)
    write_status(run, "finished", env_steps=first.env_steps, seconds=300.0)
    if entries:
        add_entries(run.evaluation, [checkpointed(run, one, made) for one in entries])
    return run


def checkpointed(run: RunFolder, one: EvaluationEntry, of_run: MadeFrom) -> EvaluationEntry:
    """Write the checkpoint of an entry, with weights of its own; the entry with their identity."""
    networks = {"w": torch.tensor(list(f"{one.policy_id} {one.checkpoint}".encode()))}
    parents = {"teacher": one.teacher_id, "episodes": "e"}
    by_itself = MadeFrom(stage="distill", world=one.made_from.world, settings={}, parents=parents)
    content = {
        "networks": networks,
        "teacher_id": one.teacher_id,
        "settings": {
            "alg": one.alg,
            "global_info": one.global_info,
            "env": one.backend,
            "map": one.map,
            "seed": one.train_seed,
            "steps": 150_000,
        },
        "env": {
            "backend": one.backend,
            "version": one.backend_version,
            "map": one.map,
            "n_agents": 1,
            "n_actions": 1,
            "obs_size": 1,
            "state_size": 1,
            "episode_limit": 60,
            "obs_names": ["o"],
            "state_names": ["s"],
            "action_names": ["a"],
        },
        "counters": {"env_steps": one.env_steps, "episodes": 1, "updates": 1},
        "teacher_file": "teacher.pt",
        "kept": "last",
        **({"distill": one.distilled.settings, "collected": one.distilled.collected} if one.distilled else {}),
        "made_from": (by_itself if one.distilled else of_run).plain(),
    }
    save_checkpoint(run.path / one.checkpoint, one.policy, content)
    return one.model_copy(update={"policy_id": identity(networks)})


def pipeline(map_name: str, seed: int, sampled: int, mean: int, student: int, **changes: Any) -> list[EvaluationEntry]:
    """A teacher with z sampled and mean, and its student."""
    facts = {"map": map_name, "train_seed": seed, "teacher_id": f"{map_name} {seed}", **changes}
    return [entry("sampled", sampled, **facts), entry("mean", mean, **facts), entry("student", student, **facts)]


def world_1(map_name: str) -> World:
    """What is played on in these tests, whatever skirmish's version is by now."""
    return World(environment="skirmish", version="1", map=map_name)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENTS, "skirmish", replace(ENVIRONMENTS["skirmish"], now=world_1))  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)
    RUNS.mkdir()


def one_run() -> None:
    add_run("3m", pipeline("3m", 1, 312, 316, 300))


def many_runs() -> None:
    """Two maps of the paper and 3m; three seeds; a plain QMIX; a second backend; runs that do not count."""
    one_run()
    for seed, (sampled, mean, student) in enumerate([(310, 312, 280), (300, 310, 250), (290, 300, 265)], start=1):
        add_run(f"3s_vs_5z-{seed}", pipeline("3s_vs_5z", seed, sampled, mean, student, env_steps=2_000_100))
    for seed, wins in enumerate([40, 0, 96], start=1):
        add_run(f"qmix-{seed}", [entry("none", wins, map="3s_vs_5z", train_seed=seed, env_steps=2_000_100)])
    add_run("3s_vs_8z", pipeline("3s_vs_8z", 1, 0, 1, 0, env_steps=10_000_000))
    add_run("football", pipeline("academy_counterattack_easy", 1, 260, 270, 230, backend="football"))
    add_run("fresh", [])
    write_status(RunFolder(RUNS / "broken"), "failed", "OSError: disk full")
    write_status(RunFolder(RUNS / "stopped"), "interrupted", "stopped by the user")


def only_score(found: Report, **facts: str) -> Score:
    scores = [score for section in found.sections for score in section.scores]
    (score,) = [one for one in scores if all(getattr(one, key) == value for key, value in facts.items())]
    return score


def check_golden(name: str, text: str) -> None:
    """Compare with the kept text. A wanted change: run with PTDE_REWRITE_GOLDEN=1, and read the diff."""
    path = GOLDEN / name
    if os.environ.get("PTDE_REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert nine_digits(text) == nine_digits(path.read_text(encoding="utf-8"))


def nine_digits(text: str) -> str:
    """The last digits of a mean or a quantile are those of a library's version, not ours."""
    return re.sub(r"-?\d+\.\d+(?:e-?\d+)?", lambda found: f"{float(found[0]):.9g}", text)
