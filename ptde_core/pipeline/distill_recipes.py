"""Students by several recipes: from the same episodes of one teacher, measured on the same battles, in one table.

Each student is a file of its own and its evaluation an entry of evaluation.json, so that what is finished is skipped
when the same is asked for again.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note, silent
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.pipeline.collect import informed_teacher
from ptde_core.pipeline.distill import distill, episodes_digest, own_episodes
from ptde_core.results.gather import retention_of
from ptde_core.results.performance import measure_of, performance_of
from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.results.wording import (
    backend_title,
    play_notes,
    play_text,
    recovery_notes,
    retention_notes,
    retention_text,
    retention_title,
)
from ptde_core.runs.stage_settings import DistillSettings, EvaluateSettings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.evaluation_file import EvaluationEntry
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
    teacher_id = str(informed_teacher(teacher)[0]["teacher_id"])
    places = [out or student_of(teacher, one.recipe) for one in recipes]
    for path, settings in zip(places, recipes, strict=True):
        if path.exists():
            _check_same(path, settings, teacher_id)
    data = data or own_episodes(teacher, listen)
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


def tell_of_evaluation(teacher: Path, settings: EvaluateSettings, listen: Listener) -> None:
    """Say before a distillation that the evaluation after it takes long, where it does: on engines."""
    backend = str(load_checkpoint(teacher, "teacher")["env"]["backend"])
    if ENVIRONMENTS[backend].engines:
        listen(
            Note(
                f"afterwards teacher and students play {settings.episodes} episodes each on {backend}, which can take "
                "long: --no-evaluate leaves that out, --episodes shortens it"
            )
        )


ANOTHER = "move it away, or distill into another file with `ptde distill TEACHER --out FILE.pt`"


def _check_same(path: Path, settings: DistillSettings, teacher_id: str) -> None:
    """Refuse to take a student for one of another teacher, or one that was distilled otherwise.

    Raises:
        PtdeError: `path` is not a student, or another one.
    """
    content: dict[str, Any] = load_checkpoint(path, "student")
    if content["teacher_id"] != teacher_id or "distill" not in content:
        raise PtdeError(f"{path} already exists, and is not a student of this teacher", ANOTHER)
    held = content["distill"]
    for key, value in settings.model_dump(exclude=_without_effect(settings)).items():
        if key in held and held[key] != value:  # a setting that it does not have is younger than it
            raise PtdeError(f"{path} already exists, distilled with {key} = {held[key]!r}, not {value!r}", ANOTHER)


def _without_effect(settings: DistillSettings) -> set[str]:
    """Settings that do nothing beside the others."""
    return {
        *(() if settings.dagger_rounds else ("dagger_episodes",)),
        *(() if settings.early_stopping else ("check_every",)),
    }


def comparison_table(entries: Sequence[EvaluationEntry], seed: int = 0) -> Table:
    """One row per policy: how it plays, how near its z' comes to z, and what it cost.

    Args:
        entries: of one teacher and its students, on the same battles.
        seed: decides the bootstrap's draws, as in every other table.
    """
    teachers: list[Row] = []
    students: list[Row] = []
    measure = measure_of(entries)
    notes = [play_notes(measure)]
    for entry in entries:
        found = performance_of([entry], measure)
        played = (str(found.tally or NOTHING), play_text(found.value, found.interval, measure))
        if entry.distilled is None:
            teachers.append((entry.name, f"z {entry.z}", *played, *[NOTHING] * 6))
            continue
        made, kept = entry.distilled, retention_of([entry], entries, seed)
        notes.extend(retention_notes(kept, ""))
        notes.extend(recovery_notes(entry.name, [made.model_dump()], ""))
        students.append(
            (
                entry.name,
                entry.checkpoint,
                *played,
                retention_text(kept),
                f"{made.quality['student_validation_loss']:.4f}",
                f"{100 * made.quality['student_explained']:.1f} %",
                f"{100 * made.quality['student_same_action']:.1f} %",
                f"{made.steps:,}",
                NOTHING if made.seconds is None else f"{made.seconds:.0f}",
            )
        )
    first = entries[0]
    where = f"{first.map} on {backend_title(first.backend, first.backend_version)}"
    counts = np.unique([len(entry.episodes.seed) for entry in entries])
    return Table(
        title=f"Ways to distill: {where}, {', '.join(map(str, counts))} greedy episodes each, training seed "
        f"{first.train_seed}, evaluation seed {first.evaluation_seed}",
        columns=("Policy", "File", "Won", measure.capitalize(), retention_title(measure), *COLUMNS_FIT),
        groups=(tuple(teachers), tuple(students)),
        text_columns=2,
        notes=(*notes, NOTES_FIT, f"Machine: {first.machine}."),
    ).without_empty_columns()


COLUMNS_FIT = ("Error", "Explained", "Same action", "Steps", "Seconds")
NOTES_FIT = (
    "Error: mean squared error of z' to the mean of z on the teacher's episodes that no student learned from. "
    "Explained: 1 - error / variance of z. Same action: agent-steps there where z' and z lead to the same best action. "
    "Steps: gradient steps. DAgger learns from its student's episodes too, labelled by the teacher."
)
