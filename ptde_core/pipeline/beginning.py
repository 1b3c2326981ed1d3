"""Before a training: whether it may begin in a run folder, go on there, or is done; and what it puts aside there."""

import traceback
from collections.abc import Sequence
from pathlib import Path

from ptde_core.algorithms.building import build_learner
from ptde_core.algorithms.catalogue import ALGORITHMS, algorithm_named, is_own
from ptde_core.algorithms.stacked_learner import check_same_updates
from ptde_core.algorithms.training_settings import TrainingSettings, parse_keep
from ptde_core.base.errors import PtdeError, UserCodeError, quoted
from ptde_core.base.events import Listener, Note
from ptde_core.base.made_from import World
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.envs.interface import EnvSpec
from ptde_core.runs.identity import MAY_GROW, made_from_of, same_training, why_other_world
from ptde_core.runs.stage_settings import read_run_config
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.config_file import Config
from ptde_core.storage.evaluation_file import move_entries
from ptde_core.storage.run_folder import RunFolder, first_free
from ptde_core.storage.status import read_state


def is_due(settings: TrainingSettings, run: RunFolder, resume: bool) -> bool:
    """Whether this training has steps to do in that folder; False if it has already finished there.

    A training that has finished goes on if it is to have more steps than it had, or to write its teacher once more if
    that is gone.

    Raises:
        PtdeError: the folder cannot take this training.
    """
    if not run.config.exists():
        _check_unused(run, resume)
        return True
    config = read_run_config(run)
    if not resume:
        raise PtdeError(f"{run.path} already holds a run", "add --resume to go on with it, or --out for another folder")
    held = config.settings
    for key, value in settings.model_dump().items():
        was = held.get(key, type(settings).model_fields[key].default)  # a setting that is younger than the run
        if was != value and key != "steps":
            raise PtdeError(
                f"{run.path} was trained with {key} = {was!r}, not {value!r}",
                "resume it with its own settings, or choose another folder with --out",
            )
    if why := why_other_world(config.made_from.world, settings.map):
        raise PtdeError(f"{run.path} is stale: it was {why}", STALE)
    if settings.steps < held["steps"]:
        raise PtdeError(
            f"{run.path} is a training of {held['steps']} env steps, and {settings.steps} are fewer",
            "give as many or more, or choose another folder with --out",
        )
    if not (run.status.exists() and read_state(run) == "finished"):
        if run.teacher.exists() and not run.state.exists():
            raise PtdeError(
                f"{run.path} holds a teacher.pt, but neither a status that says finished nor a state to go on from",
                "move it away, or choose another folder with --out",
            )
        return True
    return _goes_on(settings, run, config)


def _goes_on(settings: TrainingSettings, run: RunFolder, config: Config) -> bool:
    """Whether a finished training has steps to do: it is to have more, or its teacher is gone.

    Raises:
        PtdeError: what lies there is not of this training, or what it needs to go on is gone.
    """
    held = config.settings
    if run.teacher.exists():
        made = made_from_of(load_checkpoint(run.teacher, "teacher"), run.teacher)
        if why := same_training(made, settings, config.made_from.world, MAY_GROW):
            raise PtdeError(f"{run.teacher} is not of the training in {run.path}: it was {why}", UNUSED)
    if settings.steps == held["steps"] and run.teacher.exists():
        return False
    if settings.steps == held["steps"] and not run.state.exists():
        raise PtdeError(
            f"{run.path} has finished, but its {run.teacher.name} is gone, and so is what it could be written from",
            "bring the file back, or train anew in another folder with --out",
        )
    if not run.state.exists():
        raise PtdeError(
            f"{run.path} has finished its {held['steps']} env steps, and what it needs to go on was not kept",
            f"train {settings.steps} anew in another folder, with --out",
        )
    return True


STALE = "put that back, choose another folder with --out, or type `ptde run`, which puts it aside and makes it anew"
UNUSED = "move it away, or choose another folder with --out"


def _check_unused(run: RunFolder, resume: bool) -> None:
    """A folder without config.json may be begun in if no training lies there; with `resume`, a state may.

    Raises:
        PtdeError: it holds what a training has left, which would be overwritten.
    """
    goes_on = resume and run.state.exists()
    left = [run.teacher, run.student, *sorted(run.path.glob("teacher-*.pt"))]
    left += [] if goes_on else [run.state, run.metrics]
    for path in left:
        if path.exists():
            raise PtdeError(f"{run.path} holds {path.name}, but no config.json to say which training it is of", UNUSED)


def check_origin(trainings: Sequence[tuple[TrainingSettings, RunFolder]], world: World) -> None:
    """Refuse to go on with what was made from something else than these trainings, in that world.

    Raises:
        PtdeError: a config.json or a state to resume from says so, with what is another.
    """
    for settings, run in trainings:
        _check_origin(settings, run, world)


def _check_origin(settings: TrainingSettings, run: RunFolder, world: World) -> None:
    if run.config.exists():
        held = read_run_config(run).made_from
        if why := same_training(held, settings, world, MAY_GROW):
            raise PtdeError(f"{run.path} is stale: it was {why}", STALE)
    if not run.state.exists():
        return
    held = made_from_of(load_checkpoint(run.state, "training"), run.state)
    if why := same_training(held, settings, world, MAY_GROW):
        raise PtdeError(f"{run.state} is the state of another training: it was {why}", UNUSED)
    if settings.steps < held.settings["steps"]:
        raise PtdeError(
            f"{run.state} is of a training of {held.settings['steps']} env steps, and {settings.steps} are fewer",
            "give as many or more, or choose another folder with --out",
        )


def check_together(settings: TrainingSettings, runs: Sequence[RunFolder]) -> None:
    """Refuse what cannot be trained stacked: several seeds at once, or on a GPU.

    Raises:
        PtdeError: with the way around.
    """
    several = "is trained neither several seeds at once nor on a GPU"
    if not algorithm_named(settings.alg).stackable:
        others = ", ".join(sorted(name for name, algorithm in ALGORITHMS.items() if algorithm.stackable))
        raise PtdeError(f"{settings.alg} {several}", f"that is for {others}; give one --seed and no --device")
    if ENVIRONMENTS[settings.env].engines:
        raise PtdeError(f"{settings.env}, whose games are processes, {several}", "give one --seed and no --device")
    states = [load_checkpoint(run.state, "training") for run in runs if run.state.exists()]
    updates = [state["learner"].get("updates") for state in states]
    if all(isinstance(one, int) for one in updates):  # else it is refused where it is read
        check_same_updates(updates)


def check_alone(settings: TrainingSettings) -> None:
    """Refuse a best checkpoint without tests.

    Raises:
        PtdeError: with the way around.
    """
    if parse_keep(settings.keep)[0] and not settings.test_episodes:
        raise PtdeError("the best checkpoint is chosen by tests, and test_episodes = 0 leaves them out", "keep tests")


def check_own_algorithm(settings: TrainingSettings, spec: EnvSpec) -> None:
    """Build the networks and the learner of an algorithm of the user's own once, before its run folder is begun.

    Raises:
        PtdeError: its settings are of a class that lacks what is read.
        UserCodeError: its code raised something else.
    """
    if not is_own(settings.alg):
        return
    try:
        build_learner(settings, spec, settings.seed)
    except PtdeError:
        raise
    except Exception as error:  # whatever the user's code raises
        problem = f"the algorithm {settings.alg!r} cannot be built: {type(error).__name__}: {quoted(error)}"
        raise UserCodeError(problem, "mend it, and type the same again", traceback.format_exc()) from error


def put_aside(settings: TrainingSettings, run: RunFolder, listen: Listener) -> None:
    """Move the teacher of a shorter training, and all that was made from it, to a folder of its own in the run.

    Checkpoints on the way are the longer training's too: they stay, with what was made from them and their evaluations.
    The teacher goes last: a move that is cut short goes on the next time. Nothing that is there is replaced: the folder
    has a number behind its name then.
    """
    if not run.teacher.exists():
        return
    steps = int(load_checkpoint(run.teacher, "teacher")["settings"]["steps"])
    if steps >= settings.steps:
        return
    paths = run.made_from_teacher()
    names = {path.name for path in (*paths, run.teacher)} - {run.evaluation.name}
    folder = first_free(run.shorter(steps), lambda one: any((one / name).exists() for name in names))
    folder.mkdir(exist_ok=True)
    moved = {run.teacher.name, *(path.name for path in paths), *(path.name for path in folder.iterdir())}
    for path in paths:
        if path == run.evaluation:
            move_entries(path, folder / path.name, lambda checkpoint: Path(checkpoint).parts[0] in moved)
        else:
            path.rename(folder / path.name)
    run.teacher.rename(folder / run.teacher.name)
    listen(Note(f"the teacher of {steps} env steps, and what was made from it, is in {folder}"))
