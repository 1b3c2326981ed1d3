"""`ptde run` on a small game within seconds, and what it did: for tests of what it makes anew."""

from typing import Any

from ptde_core.base.events import Event, Note, StageStarted
from ptde_core.pipeline.run import run as run_all
from ptde_core.runs.pipeline_settings import Pipeline
from ptde_core.runs.stage_settings import (
    CollectSettings,
    DistillSettings,
    EvaluateSettings,
)
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings

SHORT: dict[str, Any] = {
    "steps": 300,
    "batch_episodes": 8,
    "replay_episodes": 50,
    "test_every": 100,
    "test_episodes": 2,
}
SETTINGS = game_settings(**SHORT)
COLLECT, DISTILL, EVALUATE = CollectSettings(episodes=4), DistillSettings(steps=20), EvaluateSettings(episodes=8)
OTHER_WORLD = "made on game 1, here it is game 2"


def pipeline(folder: RunFolder, **changes: Any) -> tuple[list[EvaluationEntry], list[str], list[str]]:
    """`ptde run`; the entries, the stages that had work to do, and the notes."""
    stages: list[str] = []
    notes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, StageStarted):
            stages.append(event.stage)
        if isinstance(event, Note):
            notes.append(event.text)

    stage: dict[str, Any] = {"collecting": COLLECT, "distilling": (DISTILL,), "evaluating": EVALUATE}
    whole = Pipeline(changes.pop("settings", SETTINGS), **{**stage, **changes})
    entries = run_all(whole, folder, listen=listen)
    return entries, stages, notes


def snapshot(run: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.path.rglob("[!.]*") if path.is_file()}
