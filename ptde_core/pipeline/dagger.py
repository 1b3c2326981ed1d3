"""DAgger (Ross et al., 2011): the student plays, and its teacher labels what the student saw with its z.

A student that errs comes to states that its teacher never visits, so that the teacher's own episodes hold none of them.
"""

from pathlib import Path

from ptde_core.algorithms.from_checkpoint import Trained
from ptde_core.base.device import device_of
from ptde_core.base.events import Listener
from ptde_core.base.made_from import MadeFrom
from ptde_core.base.seeding import episode_seeds
from ptde_core.pipeline.collect import SIDE_BY_SIDE, label, origin
from ptde_core.pipeline.play_episodes import environments_for, play_episodes
from ptde_core.policies.policy import DevicePolicy, Exploration
from ptde_core.policies.student import Student
from ptde_core.policies.teacher import Teacher
from ptde_core.runs.stage_settings import DistillSettings
from ptde_core.storage.checkpoint import identity
from ptde_core.storage.episode_file import read_about, write_episodes
from ptde_core.storage.run_folder import RunFolder


def episodes_file(out: Path, number: int) -> Path:
    """Where the episodes of round `number` (from 1) lie: beside the student that they are for."""
    return out.with_name(f"{out.stem}.dagger-{number}.h5")


def play_round(
    student: Student, trained: Trained, settings: DistillSettings, number: int, path: Path, listen: Listener
) -> str:
    """Let the student play greedily and the teacher label, into an episode file like the teacher's own.

    The episodes are a function of the student's weights and of the seed: played again, they are the same.

    Args:
        student: as far as it has been fitted.
        trained: its teacher.
        settings: how many episodes, and the seed.
        number: of the round, from 1.
        path: the file; one of another student, left by an earlier fit, is replaced.
        listen: is told of engines that broke.

    Returns:
        The player: identity of the student's weights.
    """
    player = identity(student.network.state_dict())
    teacher = trained.policy
    assert isinstance(teacher, Teacher)
    count = settings.dagger_episodes
    seeds = episode_seeds(settings.seed, "dagger", (number - 1) * count, count)
    run = RunFolder.of(path)
    player_on_device = DevicePolicy(student, device_of(settings))
    with environments_for(trained, run, min(SIDE_BY_SIDE, count)) as env:
        episodes = list(play_episodes(env, player_on_device, seeds, Exploration(), run, listen))
    means, sigmas = zip(*(label(teacher, episode) for episode in episodes), strict=True)
    about = origin(trained) | {"player": player, "dagger_round": number}
    parents = {"teacher": trained.teacher_id, "player": player}
    made_from = MadeFrom(stage="distill", world=trained.spec.world, settings=settings.model_dump(), parents=parents)
    write_episodes(path, episodes, means, sigmas, about, trained.spec.names, made_from, with_state=False)
    return player


def played_by(player: str, path: Path) -> bool:
    """Whether the file is there and was played by that student."""
    return path.exists() and read_about(path).get("player") == player
