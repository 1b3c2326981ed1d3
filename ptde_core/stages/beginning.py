"""Before a training: whether it may begin in a run folder, go on there, or is done; and what it puts aside there."""

from collections.abc import Sequence

from ptde_core.algorithms.catalogue import STACKABLE
from ptde_core.algorithms.settings import ValueDecompositionSettings
from ptde_core.algorithms.stacked import check_same_updates
from ptde_core.base import kernels
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note
from ptde_core.envs.catalogue import ENVIRONMENTS
from ptde_core.stages.settings import TrainingSettings, kept
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.run_folder import RunFolder, read_json
from ptde_core.storage.status import read_state


def is_due(settings: TrainingSettings, run: RunFolder, resume: bool) -> bool:
    """Whether this training has steps to do in that folder; False if it has already finished there.

    A training that has finished goes on if it is to have more steps than it had, or to write its teacher once more if
    that is gone.

    Raises:
        PtdeError: the folder cannot take this training.
    """
    if not run.config.exists():
        return True
    held = read_json(run.config, "settings of a run")
    if not resume:
        raise PtdeError(f"{run.path} already holds a run", "add --resume to go on with it, or --out for another folder")
    for key, value in settings.model_dump().items():
        was = held.get(key, type(settings).model_fields[key].default)  # a setting that is younger than the run
        if was != value and key != "steps":
            raise PtdeError(
                f"{run.path} was trained with {key} = {was!r}, not {value!r}",
                "resume it with its own settings, or choose another folder with --out",
            )
    if settings.steps < held["steps"]:
        raise PtdeError(
            f"{run.path} is a training of {held['steps']} env steps, and {settings.steps} are fewer",
            "give as many or more, or choose another folder with --out",
        )
    if not (run.status.exists() and read_state(run) == "finished"):
        return True
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


def check_together(settings: TrainingSettings, runs: Sequence[RunFolder]) -> None:
    """Refuse what cannot be trained stacked: several seeds at once, or on a GPU.

    Raises:
        PtdeError: with the way around.
    """
    several = "is trained neither several seeds at once nor on a GPU"
    if settings.alg not in STACKABLE:
        raise PtdeError(
            f"{settings.alg} {several}", f"that is for {', '.join(STACKABLE)}; give one --seed and no --device"
        )
    if ENVIRONMENTS[settings.env].engines:
        raise PtdeError(f"{settings.env}, whose games are processes, {several}", "give one --seed and no --device")
    if isinstance(settings, ValueDecompositionSettings) and settings.overlap:
        raise PtdeError(f"overlap = True {several}", "leave it out")
    if settings.precision != "float32":
        raise PtdeError(f"precision = {settings.precision!r} {several}", "leave it out")
    states = [load_checkpoint(run.state, "training") for run in runs if run.state.exists()]
    check_same_updates([int(state["learner"]["updates"]) for state in states])


def check_alone(settings: TrainingSettings) -> None:
    """Refuse what this machine cannot do, and a best checkpoint without tests.

    Raises:
        PtdeError: with the way around.
    """
    if kept(settings.keep)[0] and not settings.test_episodes:
        raise PtdeError("the best checkpoint is chosen by tests, and test_episodes = 0 leaves them out", "keep tests")
    if settings.precision != "float32" and not kernels.CAN_ROUND:
        raise PtdeError(f"precision = {settings.precision!r}, and this CPU has no AVX512-BF16", "leave it out")


def put_aside(settings: TrainingSettings, run: RunFolder, listen: Listener) -> None:
    """Move the teacher of a shorter training, and all that was made from it, to a folder of its own in the run.

    The teacher goes last: a move that is cut short goes on the next time.
    """
    if not run.teacher.exists():
        return
    steps = int(load_checkpoint(run.teacher, "teacher")["settings"]["steps"])
    if steps >= settings.steps:
        return
    folder = run.shorter(steps)
    folder.mkdir(exist_ok=True)
    for path in run.made_from_teacher():
        path.rename(folder / path.name)
    run.teacher.rename(folder / run.teacher.name)
    listen(Note(f"the teacher of {steps} env steps, and what was made from it, is in {folder}"))
