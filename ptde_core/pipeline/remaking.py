"""What `ptde run` puts aside and makes anew: results whose map, simulator, settings or parents have changed since.

Nothing is deleted. What is put aside lies in a folder of the run, `stale-<digest of what it was made from>`.
"""

from collections.abc import Sequence
from pathlib import Path

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note
from ptde_core.base.made_from import World
from ptde_core.envs.backends import world_of_code
from ptde_core.pipeline.dagger import episodes_file
from ptde_core.pipeline.distill import episodes_digest
from ptde_core.runs.identity import MAY_GROW, made_from_of, same_collecting, same_training, why_other_world
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, read_run_config
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.episode_file import read_origin
from ptde_core.storage.run_folder import RunFolder, first_free, student_of
from ptde_core.storage.run_lock import locked
from ptde_core.storage.status import read_state

BROKEN = "broken"  # stands for the digest of what cannot be read


def put_aside_another_world(settings: TrainingSettings, run: RunFolder, listen: Listener) -> None:
    """Put aside all of a run whose map, game or simulator has become another since it was trained.

    A run that is being trained is left alone. config.json goes last: a move that is cut short goes on the next time.

    Raises:
        PtdeError: its config.json is broken, or the user's own game makes no environment.
        StorageError: a folder in it is a link.
    """
    if not run.config.exists():
        return
    held = read_run_config(run)
    if same_training(held.made_from, settings, held.made_from.world, MAY_GROW):  # another training: it is refused
        return
    if run.status.exists() and read_state(run) == "running":
        return
    why = why_other_world(held.made_from.world, settings.map)
    if (now := world_of_code(settings.env, settings.map)) is not None:
        why = held.made_from.world.changed(now)
    if not why:
        return
    with locked(run, "run"):
        _put_aside(run.made_in_training(), run, held.made_from.digest, f"{run.path} was {why}", listen)


def put_aside_other_episodes(
    teacher: Path, settings: CollectSettings, world: World, run: RunFolder, listen: Listener
) -> None:
    """Put aside a run's episodes that were collected otherwise, or by another teacher, or that cannot be read.

    Args:
        teacher: whose episodes they should be.
        settings: with which they should have been collected.
        world: of that teacher.
        run: where both lie.
        listen: is told.

    Raises:
        PtdeError: the teacher cannot be read.
    """
    if not run.episodes.exists():
        return
    teacher_id = str(load_checkpoint(teacher, "teacher")["teacher_id"])
    try:
        held = read_origin(run.episodes)
    except PtdeError as error:  # cut short, or written by a ptde of another schema
        _put_aside([run.episodes], run, BROKEN, error.problem, listen)
        return
    if why := same_collecting(held, settings, world, teacher_id):
        _put_aside([run.episodes], run, held.digest, f"{run.episodes} was {why}", listen)


def put_aside_other_students(
    teacher: Path, recipes: Sequence[DistillSettings], run: RunFolder, listen: Listener
) -> None:
    """Put aside students of another teacher or of other episodes than those of the run.

    One that was distilled from these with other settings stays: the distillation refuses it.

    Raises:
        PtdeError: a student cannot be read.
    """
    teacher_id = str(load_checkpoint(teacher, "teacher")["teacher_id"])
    digest = episodes_digest(run.episodes)
    for settings in recipes:
        path = student_of(teacher, settings.recipe)
        if not path.exists():
            continue
        content = load_checkpoint(path, "student")
        held = made_from_of(content, path)
        parents = {"teacher": teacher_id, "episodes": digest}
        if why := held.changed(held.model_copy(update={"stage": "distill", "parents": parents})):
            rounds = [episodes_file(path, k + 1) for k in range(settings.dagger_rounds)]
            beside = [path.with_name(f"{path.name}.resume"), *rounds]
            files = [*(one for one in beside if one.exists()), path]
            _put_aside(files, run, held.digest, f"{path} was {why}", listen)


def _put_aside(paths: Sequence[Path], run: RunFolder, digest: str, why: str, listen: Listener) -> None:
    """Move these into a folder of their own in the run, under the names that they have in it; the last one last."""
    last = paths[-1].relative_to(run.path)
    folder = first_free(run.stale(digest), lambda one: (one / last).exists())  # put aside before, and made again since
    for path in paths:
        aside = folder / path.relative_to(run.path)
        aside.parent.mkdir(parents=True, exist_ok=True)
        path.rename(aside)
    listen(Note(f"{why}; what there was lies in {folder}, and it is made anew"))
