"""Students by several recipes, from the same episodes of one teacher.

Each student is a file of its own, so that what is finished is skipped when the same is asked for again.
"""

from collections.abc import Sequence
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note, silent
from ptde_core.pipeline.collect import informed_teacher
from ptde_core.pipeline.distill import check_name, distill, episodes_digest, own_episodes
from ptde_core.runs.stage_settings import DistillSettings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.episode_file import read_about
from ptde_core.storage.run_folder import student_of


def distill_recipes(
    teacher: Path,
    recipes: Sequence[DistillSettings],
    data: Path | None = None,
    out: Path | None = None,
    *,
    listen: Listener = silent,
) -> list[Path]:
    """Distill every student that is not there yet; their checkpoints, in the order of the recipes.

    Args:
        teacher: a teacher's checkpoint.
        recipes: the settings of each.
        data: HDF5 file of that teacher's episodes; by default those beside it (`episodes_of`), collected if missing.
        out: checkpoint of the only student; by default each recipe has its own (`run_folder.student_of`).
        listen: is told of progress and of files.

    Raises:
        PtdeError: as `distill`, or a student's place holds another one: nothing is distilled then.
        KeyboardInterrupt: interrupted; the same call goes on where it stopped.
    """
    assert out is None or len(recipes) == 1, "one file for several students"
    check_name(out)
    teacher_id = str(informed_teacher(teacher)[0]["teacher_id"])
    places = [out or student_of(teacher, one.recipe) for one in recipes]
    for path, settings in zip(places, recipes, strict=True):
        if path.exists():
            _check_same(path, settings, teacher_id)
    data = data or own_episodes(teacher, listen)
    read_about(data)  # refuses what is no file of episodes
    digest = episodes_digest(data)
    there = [path for path in places if path.exists()]
    for path in there:
        if load_checkpoint(path, "student")["episodes_digest"] != digest:
            raise PtdeError(f"{path} already exists, distilled from other episodes than {data}", ANOTHER)
    for path, settings in zip(places, recipes, strict=True):
        if path in there:
            listen(Note(f"the student is there: {path}"))
        else:
            distill(teacher, settings, data, path, listen=listen)
    return places


ANOTHER = "move it away, or distill into another file with `ptde distill TEACHER --out FILE.pt`"


def _check_same(path: Path, settings: DistillSettings, teacher_id: str) -> None:
    """Refuse to take a student for one of another teacher, or one that was distilled otherwise.

    Raises:
        PtdeError: `path` is not a student, or another one.
    """
    try:
        content = load_checkpoint(path, "student")
    except PtdeError as error:
        raise PtdeError(error.problem, ANOTHER) from None
    if content["teacher_id"] != teacher_id or "distill" not in content:
        raise PtdeError(f"{path} already exists, and is not a student of this teacher", ANOTHER)
    held = content["distill"]
    for key, value in settings.model_dump(exclude=_without_effect(settings)).items():
        if key in held and held[key] != value:  # a checkpoint of an older ptde lacks newer settings
            raise PtdeError(f"{path} already exists, distilled with {key} = {held[key]!r}, not {value!r}", ANOTHER)


def _without_effect(settings: DistillSettings) -> set[str]:
    """Settings that do nothing beside the others."""
    return {
        *(() if settings.dagger_rounds else ("dagger_episodes",)),
        *(() if settings.early_stopping else ("check_every",)),
    }
