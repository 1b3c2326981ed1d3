"""Recipes side by side (`ptde distill --compare`): how each student plays, how near its z' comes to z, what it cost."""

from collections.abc import Sequence

import numpy as np

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
from ptde_core.storage.evaluation_file import EvaluationEntry

COLUMNS_FIT = ("Error", "Explained", "Same action", "Steps", "Seconds")
NOTES_FIT = (
    "Error: mean squared error of z' to the mean of z on the teacher's episodes that no student learned from. "
    "Explained: 1 - error / variance of z. Same action: agent-steps there where z' and z lead to the same best action. "
    "Steps: gradient steps. DAgger learns from its student's episodes too, labelled by the teacher."
)


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
