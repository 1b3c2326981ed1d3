"""The stage: let a teacher and its student play, and measure what information mattered."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde_core.algorithms.from_checkpoint import Trained, restore
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note, Progress, StageFinished, StageStarted, silent
from ptde_core.base.seeding import episode_seeds
from ptde_core.kernels.compile_time import telling_of_compiling
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.pipeline.play_episodes import environments_for, play_episodes, tell_of_preparation
from ptde_core.pipeline.policy_names import name_of
from ptde_core.pipeline.recorded_replay import Candidate, candidates_of, partners_of, scene_of, sight_of
from ptde_core.policies.attribution import mean_of_z
from ptde_core.policies.student import Student
from ptde_core.results.wording import backend_name
from ptde_core.runs.identity import check_world_of
from ptde_core.runs.stage_settings import InspectSettings
from ptde_core.storage.replay_file import UnitLook
from ptde_core.storage.run_folder import RunFolder
from ptde_core.viewing.information.measure import Dependence, Played, Recovery, depends_on, recovers

STAGE = "inspect"
SIDE_BY_SIDE = 16
THE_TEACHER, THE_STUDENT = "the teacher", "the student"  # who plays


@dataclass(frozen=True)
class StudentRecovery:
    """How well one student recovers z, by who played: "the teacher", "the student"."""

    name: str
    by_player: dict[str, Recovery]


@dataclass(frozen=True)
class Inspected:
    """What was found of one teacher.

    Args:
        title: "QMIX_SGI on 3m: skirmish (not SMAC)".
        agents: the kind of each agent; "" where it has none.
        episodes: played by each policy.
        rows: env steps of the teacher's.
        dependence: of its z.
        recovered: of each student in the run; empty without one.
    """

    title: str
    agents: tuple[str, ...]
    episodes: int
    rows: int
    dependence: Dependence
    recovered: tuple[StudentRecovery, ...] = ()


def inspect(targets: Sequence[Path], settings: InspectSettings, *, listen: Listener = silent) -> list[Inspected]:
    """Measure what the z of teachers depends on, and what their students recover of it.

    Args:
        targets: run folders or teachers' checkpoints.
        settings: how many episodes, and which.
        listen: told of progress.

    Raises:
        PtdeError: no teacher there, one whose agents are told nothing of the state, or whose world has changed since.
    """
    teachers = [_teacher(target) for target in targets]
    return [_inspect(teacher, settings, listen) for teacher in teachers]


def _teacher(target: Path) -> Candidate:
    """The teacher of a run folder or file, playing with z's mean where it can.

    Raises:
        PtdeError: as `inspect`.
    """
    path = RunFolder(target).teacher if target.is_dir() else target
    candidate = candidates_of(path)[-1]
    check_world_of(candidate.content, path)
    if candidate.role != "teacher":
        run = RunFolder.of(path)
        its_teacher = run.path / str(candidate.content.get("teacher_file", run.teacher.name))
        raise PtdeError(f"{path} is a student", f"give its teacher: {its_teacher}")
    if not INFORMATION[candidate.content["settings"]["global_info"]].centralized:
        name = str(candidate.content["settings"]["alg"]).upper()
        raise PtdeError(
            f"{path} has no z: the agents of {name} without global information are told nothing of the state",
            "give a teacher trained with --global-info agent-specific",
        )
    return candidate


def _inspect(candidate: Candidate, settings: InspectSettings, listen: Listener) -> Inspected:
    listen = telling_of_compiling(listen)
    teacher = restore(candidate.content)
    students: list[tuple[str, Trained, Student]] = []
    for content in partners_of(candidate):
        trained = restore(content)
        if isinstance(trained.policy, Student):
            students.append((name_of(content, trained), trained, trained.policy))
    title = f"{candidate.name_of(teacher)} on {teacher.spec.map}: {backend_name(teacher.spec.backend)}"
    listen(StageStarted(STAGE, title, settings.episodes * (1 + len(students)), "episodes"))
    began, done = time.monotonic(), 0

    def play_as(trained: Trained) -> tuple[list[Played], tuple[UnitLook, ...]]:
        nonlocal done
        episodes: list[Episode] = []
        tell_of_preparation(trained, listen)
        run, how = RunFolder.of(candidate.path), candidate.how(keep_noise=False)
        seeds = episode_seeds(settings.seed, "evaluate", 0, settings.episodes)
        with environments_for(trained, run, min(SIDE_BY_SIDE, settings.episodes)) as env:
            for episode in play_episodes(env, trained.policy, seeds, how, run, listen):
                episodes.append(episode)
                done += 1
                listen(Progress(STAGE, done))
        looks, _, units = scene_of(trained, episodes)
        return [Played(*pair) for pair in zip(episodes, units, strict=True)], looks

    played, looks = play_as(teacher)
    assert not isinstance(teacher.policy, Student), "a student is no teacher"
    mean_of = mean_of_z(teacher.policy)
    dependence = depends_on(
        mean_of,
        played,
        teacher.spec.state_names,
        sight_of(teacher, "teacher"),
        settings.directions,
        settings.seed,
    )
    recovered = []
    for name, trained, student in students:
        by_player = {THE_TEACHER: played, THE_STUDENT: play_as(trained)[0]}
        found = {who: recovers(mean_of, student, of, looks) for who, of in by_player.items()}
        recovered.append(StudentRecovery(name, found))
    if not students:
        listen(Note(f"no student of {candidate.path} beside it: nothing to say of what one recovers"))
    listen(StageFinished(STAGE, time.monotonic() - began))
    kinds = [look.name if look.max_health else "" for look in looks[: teacher.spec.n_agents]]
    return Inspected(
        title=title,
        agents=tuple(kinds or [""] * teacher.spec.n_agents),
        episodes=settings.episodes,
        rows=sum(one.episode.length for one in played),
        dependence=dependence,
        recovered=tuple(recovered),
    )
