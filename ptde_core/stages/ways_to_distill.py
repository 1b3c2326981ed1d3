"""The ways to distill side by side: all variants on the same episodes of one teacher, measured on the same battles.

Each variant's student is a file of its own and its evaluation an entry of the run's evaluation.json, so that what is
finished is skipped when the comparison is started again, and `ptde report` shows the students too.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note, silent
from ptde_core.scores.intervals import win_rate_interval
from ptde_core.scores.tally import Tally
from ptde_core.stages.collect import informed_teacher
from ptde_core.stages.distill import distill, episodes_digest, own_episodes
from ptde_core.stages.evaluate import evaluate, evaluated
from ptde_core.stages.reports.collect import retention_of
from ptde_core.stages.reports.wording import backend_title, interval_text, retention_notes, retention_text
from ptde_core.stages.settings import VARIANTS, DistillSettings, EvaluateSettings
from ptde_core.stages.tables import NOTHING, Row, Table
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import student_of, students_of


def compare(
    teacher: Path,
    settings: DistillSettings,
    evaluating: EvaluateSettings,
    data: Path | None = None,
    *,
    listen: Listener = silent,
) -> list[EvaluationEntry]:
    """Distill and evaluate every variant that has not been yet; entries of the teacher, then of each variant.

    Args:
        teacher: a teacher's checkpoint.
        settings: what all variants share: steps, sizes, seed. How they differ is said by `VARIANTS` alone.
        evaluating: how many battles, and which.
        data: HDF5 file of that teacher's episodes; by default `episodes.h5` beside it, collected if missing.
        listen: is told of progress and of files.

    Raises:
        PtdeError: not a teacher, one without z, settings in which the variants differ, or a variant's file that holds
            another student.
        KeyboardInterrupt: interrupted; the same command goes on where it stopped.
    """
    for key in {key for changes in VARIANTS.values() for key in changes}:
        if getattr(settings, key) != DistillSettings.model_fields[key].default:
            raise PtdeError(
                f"{key} = {getattr(settings, key)!r} is what the variants differ in", "leave it out with --compare"
            )
    informed_teacher(teacher)
    data = data or own_episodes(teacher, listen)
    digest = episodes_digest(data)
    students = []
    for variant, changes in VARIANTS.items():
        own = settings.model_copy(update=dict(changes))
        path = _file(teacher, variant, own, digest)
        if path.exists():
            listen(Note(f"the student is there: {path}"))
        else:
            distill(teacher, own, data, path, listen=listen)
        students.append(path)
    missing = [path for path in students if not evaluated([path], evaluating)]
    if missing or not evaluated([teacher], evaluating):
        evaluate([teacher, *missing], evaluating, listen=listen)
    return evaluated([teacher, *students], evaluating)


def _file(teacher: Path, variant: str, settings: DistillSettings, digest: str) -> Path:
    """Where a variant's student is, or is to be; the teacher's own student serves if it is just that one.

    Raises:
        PtdeError: there is another student.
    """
    path = students_of(teacher) / f"{variant}.pt"
    for held in (path, student_of(teacher)):
        if held.exists():
            content = load_checkpoint(held, "student")
            same = (content["distill"], content.get("episodes_digest")) == (settings.model_dump(), digest)
            if same:
                return held
            if held == path:
                raise PtdeError(
                    f"{path} was distilled with other settings, or from other episodes",
                    f"move {path.parent} away to compare anew",
                )
    return path


def comparison_table(entries: Sequence[EvaluationEntry], seed: int = 0) -> Table:
    """One row per policy: how it plays, how near its z' comes to z, and what it cost.

    Args:
        entries: of one teacher and its students, on the same battles.
        seed: decides the bootstrap's draws, as in every other table.
    """
    teachers: list[Row] = []
    students: list[Row] = []
    notes = [NOTES_PLAY]
    for entry in entries:
        tally = Tally.of(entry.episodes.won)
        played = (str(tally), f"{tally.rate:.3f} {interval_text(win_rate_interval(tally))}")
        if entry.distilled is None:
            teachers.append((entry.name, f"z {entry.z}", *played, *[NOTHING] * 6))
            continue
        made, kept = entry.distilled, retention_of([entry], entries, seed)
        notes.extend(retention_notes(kept, ""))
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
        columns=("Policy", "File", "Won", "Win rate", "PRR", "Error", "Explained", "Same action", "Steps", "Seconds"),
        groups=(tuple(teachers), tuple(students)),
        text_columns=2,
        notes=(*notes, NOTES_FIT, f"Machine: {first.machine}."),
    )


NOTES_PLAY = (
    "In brackets: 95 % intervals over episodes, Wilson's for win rates, bootstrap over paired episodes for the PRR."
)
NOTES_FIT = (
    "Error: mean squared error of z' to the mean of z on the teacher's episodes that no variant learned from. "
    "Explained: 1 - error / variance of z. Same action: agent-steps there where z' and z lead to the same best action. "
    "Steps: gradient steps. DAgger learns from its student's episodes too, labelled by the teacher."
)
