"""Measure policies by greedy play over one fixed list of episodes; every episode goes to evaluation.json."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ptde_core.algorithms.building import sights_of
from ptde_core.algorithms.from_checkpoint import Trained, restore, spec_from_plain
from ptde_core.base.batch import Episode
from ptde_core.base.device import device_of
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, Progress, StageFinished, StageStarted, silent
from ptde_core.base.provenance import code, machine
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import sight_in_words
from ptde_core.kernels.compile_time import telling_of_compiling
from ptde_core.pipeline.collect import how_it_goes
from ptde_core.pipeline.play_episodes import environments_for, play_episodes, tell_of_preparation
from ptde_core.pipeline.policy_names import distilled_with, name_of
from ptde_core.pipeline.recorded_replay import Candidate, candidates_of, record
from ptde_core.policies.coach import CoachedTeacher
from ptde_core.policies.parameter_counts import parameter_counts
from ptde_core.policies.policy import DevicePolicy, TimedPolicy
from ptde_core.runs.identity import check_world_of
from ptde_core.runs.stage_settings import EvaluateSettings
from ptde_core.storage.checkpoint import identity, load_checkpoint
from ptde_core.storage.evaluation_file import (
    Distilled,
    EvaluationEntry,
    Inference,
    Messages,
    Played,
    add_entries,
    evaluation_made_from,
    is_current,
    read_evaluation,
)
from ptde_core.storage.replay_file import count_episodes, read_header, write_replay
from ptde_core.storage.run_folder import RunFolder, checkpoints_of
from ptde_core.storage.run_lock import adding_to, refuse_linked_folders
from ptde_core.storage.whole_file import check_output

STAGE = "evaluate"
SIDE_BY_SIDE = 32


def evaluate(
    checkpoints: list[Path], settings: EvaluateSettings, *, listen: Listener = silent
) -> list[EvaluationEntry]:
    """Play the same episodes with every policy and add the results to the evaluation.json of each one's run.

    A run folder stands for its teacher and students. What is there stays: an evaluation of other episodes stands beside
    it. A student brings its teacher along if that lies beside it; a teacher is measured with z sampled, the paper's
    way, and with the mean of z.

    Raises:
        StorageError: an evaluation cannot be written; as far as it can be known, before anything is played.
        PtdeError: a path that is no teacher's or student's checkpoint, or whose environment has changed; a threshold
            for a policy that sends no messages; a device that is not there.
    """
    return _play([c for path in _with_teachers(checkpoints) for c in candidates_of(path)], settings, listen)


def evaluate_what_is_due(
    checkpoints: list[Path], settings: EvaluateSettings, *, listen: Listener = silent
) -> list[EvaluationEntry]:
    """The entries of just these checkpoints, in their order; those that are not there yet are played now.

    Raises:
        PtdeError: as `evaluate`.
    """
    candidates = [candidate for path in checkpoints for candidate in candidates_of(path)]
    due = [candidate for candidate in candidates if evaluated(candidate, settings) is None]
    if due:
        _play(due, settings, listen)
    return [entry for candidate in candidates if (entry := evaluated(candidate, settings))]


def _play(candidates: list[Candidate], settings: EvaluateSettings, listen: Listener) -> list[EvaluationEntry]:
    """Evaluate these, no others."""
    listen = telling_of_compiling(listen)
    device = device_of(settings)
    for candidate in candidates:
        check_world_of(candidate.content, candidate.path)
    without_coach = [c.path for c in candidates if c.content["settings"]["global_info"] != "coach"]
    if settings.message_threshold > 0 and without_coach:
        threshold = f"message_threshold = {settings.message_threshold:g}"
        raise PtdeError(f"{without_coach[0]} has no coach, so {threshold} means nothing", "leave it out")
    _check_places(candidates)
    total = settings.episodes * len(candidates)
    listen(StageStarted(STAGE, f"{settings.episodes} greedy episodes for each of {len(candidates)}", total, "episodes"))
    began, done = time.monotonic(), 0
    seeds = episode_seeds(settings.seed, "evaluate", 0, settings.episodes)
    entries: dict[RunFolder, list[EvaluationEntry]] = {}
    for candidate in candidates:
        trained = restore(candidate.content, device)
        coached = trained.policy if isinstance(trained.policy, CoachedTeacher) else None
        if coached is not None:
            coached.threshold = settings.message_threshold
        tell_of_preparation(trained, listen)
        run = RunFolder.of(candidate.path)
        played: list[Episode] = []
        sent = offered = 0
        kept: list[Episode] = []
        timed = TimedPolicy(DevicePolicy(trained.policy, device))
        how = candidate.how(keep_noise=settings.keep_replays > 0)
        with environments_for(trained, run, min(SIDE_BY_SIDE, settings.episodes)) as env:
            for episode in play_episodes(env, timed, seeds, how, run, listen):
                if len(kept) < settings.keep_replays:
                    kept.append(episode)
                played.append(_outcome(episode))
                if coached is not None:
                    now_sent, now_offered = coached.messages(episode)
                    sent, offered = sent + now_sent, offered + now_offered
                done += 1
                listen(Progress(STAGE, done, how_it_goes("test", played, env.spec)))
        inference = Inference(
            seconds=timed.seconds,
            calls=timed.calls,
            side_by_side=env.n_envs,
            threads=torch.get_num_threads(),
            device=settings.device,
        )
        measured = {"inference": inference, "can_be_won": env.spec.can_be_won}
        entry = _entry(candidate, trained, played, settings).model_copy(update=measured)
        if coached is not None:
            messages = Messages(threshold=settings.message_threshold, sent=sent, offered=offered)
            entry = entry.model_copy(update={"messages": messages})
        add_entries(run.evaluation, [entry])  # now: an engine that fails later takes nothing with it
        entries.setdefault(run, []).append(entry)
        if len(kept) > _kept(run, entry):
            trained.policy.cpu()  # makes room on the device; the replay is made on the CPU
            replay = _replay(run, entry)
            write_replay(replay, record(candidate, restore(candidate.content), kept, settings.seed))
            listen(FileSaved(replay, f"{len(kept)} episodes of {entry.name} to look at"))
    for run in entries:
        listen(FileSaved(run.evaluation, "every episode's outcome"))
    listen(StageFinished(STAGE, time.monotonic() - began))
    return [entry for found in entries.values() for entry in found]


def _check_places(candidates: list[Candidate]) -> None:
    """Refuse evaluations that could not be written, before anything is played."""
    for candidate in candidates:
        run = RunFolder.of(candidate.path)
        evaluation = run.evaluation
        refuse_linked_folders(run)
        check_output(evaluation)
        with adding_to(evaluation):  # that it can be locked
            if is_current(evaluation):
                read_evaluation(evaluation)


def evaluated(candidate: Candidate, settings: EvaluateSettings) -> EvaluationEntry | None:
    """The entry of a policy that has been evaluated just so already; None if it has not.

    Raises:
        PtdeError: the world of its checkpoint has changed since, or evaluation.json is broken.
    """
    check_world_of(candidate.content, candidate.path)
    run = RunFolder.of(candidate.path)
    held = read_evaluation(run.evaluation).entries if is_current(run.evaluation) else []
    wanted = evaluation_made_from(
        spec_from_plain(candidate.content["env"]).world,
        {"policy": identity(candidate.content["networks"]), "teacher": str(candidate.content["teacher_id"])},
        episodes=settings.episodes,
        seed=settings.seed,
        z=candidate.z,
        message_threshold=settings.message_threshold,
        device=settings.device,
    )
    for entry in held:
        if (entry.checkpoint, entry.digest) == (candidate.place, wanted.digest):
            enough = _kept(run, entry) >= min(settings.keep_replays, settings.episodes)
            return entry if enough else None
    return None


def _kept(run: RunFolder, entry: EvaluationEntry) -> int:
    """How many episodes of just this evaluation lie in a replay; of one that cannot be read, none: it is made anew."""
    path = _replay(run, entry)
    if not path.exists():
        return 0
    try:
        header, episodes = read_header(path), count_episodes(path)
    except PtdeError:
        return 0
    its_own = (header.policy_id, header.evaluation_seed) == (entry.policy_id, entry.evaluation_seed)
    return episodes if its_own else 0


def _replay(run: RunFolder, entry: EvaluationEntry) -> Path:
    """Where the episodes of this evaluation that are kept lie."""
    return run.replay(entry.checkpoint, entry.z, entry.evaluation_seed, entry.threshold)


def _with_teachers(paths: list[Path]) -> list[Path]:
    """The given checkpoints, each student preceded by its teacher where that lies in its run; none twice."""
    ordered: dict[Path, None] = {}
    for path in (inner for one in paths for inner in checkpoints_of(one)):
        content = load_checkpoint(path, "teacher", "student")
        beside = RunFolder.of(path).path / str(content.get("teacher_file", path.name))
        if beside.is_file() and load_checkpoint(beside, "teacher", "student")["teacher_id"] == content["teacher_id"]:
            ordered[beside] = None
        ordered[path] = None
    return list(ordered)


def _outcome(episode: Episode) -> Episode:
    """The episode without its views: hundreds of them would fill the memory for nothing."""
    empty: dict[str, Any] = {name: getattr(episode, name)[:0] for name in ("obs", "state", "available", "actions")}
    return Episode(seed=episode.seed, reward=episode.reward, terminated=episode.terminated, won=episode.won, **empty)


def _entry(
    candidate: Candidate, trained: Trained, played: list[Episode], settings: EvaluateSettings
) -> EvaluationEntry:
    content = candidate.content
    return EvaluationEntry(
        name=name_of(content, trained),
        policy=content["kind"],
        z=candidate.z,
        alg=trained.settings.alg,
        global_info=trained.settings.global_info,
        sight=_sight(trained, student=content["kind"] == "student"),
        checkpoint=candidate.place,
        teacher_id=trained.teacher_id,
        policy_id=identity(content["networks"]),
        parameters=parameter_counts(content),
        distilled=_distilled(content),
        backend=trained.spec.backend,
        backend_version=trained.spec.version,
        map=trained.spec.map,
        map_digest=trained.spec.map_digest,
        train_seed=trained.settings.seed,
        env_steps=trained.env_steps,
        updates=content["counters"]["updates"],
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
    settings = distilled_with(content)
    if settings is None:
        return None
    # Before there was early stopping every fit took all its steps, and its time was not kept.
    fitted = content.get("fitted", {"steps": settings.steps, "seconds": None})
    return Distilled(
        settings=settings.model_dump(),
        collected=content.get("collected", {}),  # before it was kept, it was not known
        quality=content["quality"],
        steps=fitted["steps"],
        seconds=fitted["seconds"],
    )


def _sight(trained: Trained, *, student: bool) -> str:
    sights = sights_of(trained.settings)
    return "" if sights is None else sight_in_words(trained.spec.backend, sights.own if student else sights.wide)
