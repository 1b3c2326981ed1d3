"""Measure policies by greedy play over one fixed list of episodes; every episode goes to evaluation.json."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ptde_core.algorithms.naming import student_name, teacher_marks, teacher_name
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, Note, Progress, StageFinished, StageStarted, silent
from ptde_core.base.provenance import code, machine
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.catalogue import ENVIRONMENTS, sight_in_words
from ptde_core.nets.settings import INFORMATION
from ptde_core.policies.catalogue import sights_of
from ptde_core.policies.coach import CoachedTeacher
from ptde_core.policies.play import Exploration, TimedPolicy, play
from ptde_core.policies.restore import Trained, restore
from ptde_core.policies.sizes import parameter_counts
from ptde_core.stages.settings import DistillSettings, EvaluateSettings
from ptde_core.storage.checkpoint import identity, load_checkpoint
from ptde_core.storage.evaluation_file import (
    Distilled,
    EvaluationEntry,
    Inference,
    Messages,
    Played,
    ZSource,
    add_entries,
    is_current,
    read_evaluation,
)
from ptde_core.storage.run_folder import RunFolder

STAGE = "evaluate"
SIDE_BY_SIDE = 32


@dataclass(frozen=True)
class _Candidate:
    """One policy with one source of z."""

    path: Path
    content: dict[str, Any]
    z: ZSource


def evaluate(
    checkpoints: list[Path], settings: EvaluateSettings, *, listen: Listener = silent
) -> list[EvaluationEntry]:
    """Play the same episodes with every policy and add the results to the evaluation.json of each one's folder.

    A student brings its teacher along if that lies beside it; a teacher is measured with z sampled, the paper's way,
    and with the mean of z.

    Raises:
        PtdeError: a path that is no teacher's or student's checkpoint, or whose environment has changed; a threshold
            for a policy that sends no messages.
    """
    candidates = [c for path in _with_teachers(checkpoints) for c in _candidates(path)]
    without_coach = [c.path for c in candidates if c.content["settings"]["global_info"] != "coach"]
    if settings.message_threshold > 0 and without_coach:
        threshold = f"message_threshold = {settings.message_threshold:g}"
        raise PtdeError(f"{without_coach[0]} has no coach, so {threshold} means nothing", "leave it out")
    total = settings.episodes * len(candidates)
    listen(StageStarted(STAGE, f"{settings.episodes} greedy episodes for each of {len(candidates)}", total, "episodes"))
    began, done = time.monotonic(), 0
    seeds = episode_seeds(settings.seed, "evaluate", 0, settings.episodes)
    entries: dict[RunFolder, list[EvaluationEntry]] = {}
    for candidate in candidates:
        trained = restore(candidate.content)
        coached = trained.policy if isinstance(trained.policy, CoachedTeacher) else None
        if coached is not None:
            coached.threshold = settings.message_threshold
        if preparation := ENVIRONMENTS[trained.spec.backend].preparation():
            listen(Note(preparation))
        env = trained.environment(min(SIDE_BY_SIDE, settings.episodes))
        played: list[Episode] = []
        sent = offered = 0
        how = Exploration(z="sampled" if candidate.z == "sampled" else "mean")
        timed = TimedPolicy(trained.policy)
        for episode in play(env, timed, seeds, how):
            played.append(_outcome(episode))
            if coached is not None:
                sent, offered = (
                    total + more for total, more in zip((sent, offered), coached.messages(episode), strict=True)
                )
            done += 1
            listen(Progress(STAGE, done, {"test_win_rate": float(np.mean([e.won for e in played]))}))
        env.close()
        inference = Inference(
            seconds=timed.seconds, calls=timed.calls, side_by_side=env.n_envs, threads=torch.get_num_threads()
        )
        entry = _entry(candidate, trained, played, settings).model_copy(update={"inference": inference})
        if coached is not None:
            messages = Messages(threshold=settings.message_threshold, sent=sent, offered=offered)
            entry = entry.model_copy(update={"messages": messages})
        entries.setdefault(RunFolder.of(candidate.path), []).append(entry)
    for run, found in entries.items():
        add_entries(run.evaluation, found)
        listen(FileSaved(run.evaluation, "every episode's outcome"))
    listen(StageFinished(STAGE, time.monotonic() - began))
    return [entry for found in entries.values() for entry in found]


def evaluated(checkpoints: list[Path], settings: EvaluateSettings) -> list[EvaluationEntry]:
    """The entries of those checkpoints of one run, in their order, that have been evaluated just so already."""
    run = RunFolder.of(checkpoints[0])
    held = read_evaluation(run.evaluation).entries if is_current(run.evaluation) else []
    found = []
    for path in checkpoints:
        name, policy_id = _place(path), identity(load_checkpoint(path, "teacher", "student")["networks"])
        found += [
            entry
            for entry in held
            if (entry.checkpoint, entry.policy_id, entry.evaluation_seed) == (name, policy_id, settings.seed)
            and len(entry.episodes.seed) == settings.episodes
            and (entry.messages.threshold if entry.messages else 0.0) == settings.message_threshold
        ]
    return found


def name_of(content: Mapping[str, Any], trained: Trained) -> str:
    """Table name of the policy in a checkpoint, with marks where it is not the paper's."""
    alg, info = str(trained.settings["alg"]), str(trained.settings["global_info"])
    marks = teacher_marks(trained.settings, trained.policy.trunk.hidden_size)
    if content["kind"] == "teacher":
        return teacher_name(alg, info, marks)
    distilled = _distilled_with(content)
    return student_name(alg, info, [*marks, *(distilled.departures if distilled else ())])


def _distilled_with(content: Mapping[str, Any]) -> DistillSettings | None:
    """The settings of a student's distillation; one that it does not have is younger than it, and was not used.

    None for a teacher, and for a student that was trained together with its teacher.
    """
    return DistillSettings.model_validate(content["distill"]) if "distill" in content else None


def _place(path: Path) -> str:
    """A checkpoint's path inside its run."""
    return path.relative_to(RunFolder.of(path).path).as_posix()


def _with_teachers(paths: list[Path]) -> list[Path]:
    """The given checkpoints, each student preceded by its teacher where that lies in its run; none twice."""
    ordered: dict[Path, None] = {}
    for path in paths:
        content = load_checkpoint(path, "teacher", "student")
        beside = RunFolder.of(path).path / str(content.get("teacher_file", path.name))
        if beside.is_file() and load_checkpoint(beside, "teacher", "student")["teacher_id"] == content["teacher_id"]:
            ordered[beside] = None
        ordered[path] = None
    return list(ordered)


def _candidates(path: Path) -> list[_Candidate]:
    content = load_checkpoint(path, "teacher", "student")
    kind = INFORMATION[content["settings"]["global_info"]]
    sources: tuple[ZSource, ...] = ("none",)
    if content["kind"] == "student" and kind.distillable:
        sources = ("student",)
    elif kind.centralized:
        sources = ("sampled", "mean") if kind.sampled else ("exact",)
    return [_Candidate(path, content, z) for z in sources]


def _outcome(episode: Episode) -> Episode:
    """The episode without its views: hundreds of them would fill the memory for nothing."""
    empty: dict[str, Any] = {name: getattr(episode, name)[:0] for name in ("obs", "state", "available", "actions")}
    return Episode(seed=episode.seed, reward=episode.reward, terminated=episode.terminated, won=episode.won, **empty)


def _entry(
    candidate: _Candidate, trained: Trained, played: list[Episode], settings: EvaluateSettings
) -> EvaluationEntry:
    content = candidate.content
    return EvaluationEntry(
        name=name_of(content, trained),
        policy=content["kind"],
        z=candidate.z,
        alg=str(trained.settings["alg"]),
        global_info=str(trained.settings["global_info"]),
        sight=_sight(trained, student=content["kind"] == "student"),
        checkpoint=_place(candidate.path),
        teacher_id=trained.teacher_id,
        policy_id=identity(content["networks"]),
        parameters=parameter_counts(content),
        distilled=_distilled(content),
        backend=trained.spec.backend,
        backend_version=trained.spec.version,
        map=trained.spec.map,
        train_seed=int(trained.settings["seed"]),
        env_steps=trained.env_steps,
        evaluation_seed=settings.seed,
        machine=machine(),
        code=code(),
        episodes=Played(
            seed=[e.seed for e in played],
            won=[e.won for e in played],
            total_reward=[e.total_reward for e in played],
            length=[e.length for e in played],
        ),
    )


def _distilled(content: Mapping[str, Any]) -> Distilled | None:
    settings = _distilled_with(content)
    if settings is None:
        return None
    # Before there was early stopping every fit took all its steps, and its time was not kept.
    fitted = content.get("fitted", {"steps": settings.steps, "seconds": None})
    return Distilled(
        settings=settings.model_dump(),
        quality=content["quality"],
        steps=fitted["steps"],
        seconds=fitted["seconds"],
    )


def _sight(trained: Trained, *, student: bool) -> str:
    sights = sights_of(trained.settings)
    return "" if sights is None else sight_in_words(trained.spec.backend, sights.own if student else sights.wide)
