"""Two runs as `ptde compare` reads them from their folders: settings, origin, and the evaluations that are compared.

One evaluation of each policy is compared, of the same episodes in both runs where possible. Stale ones are left out and
listed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ptde_core.base.errors import PtdeError
from ptde_core.results.chosen_evaluation import Wanted, chosen
from ptde_core.runs.identity import why_other_world, why_stale
from ptde_core.runs.one_training import log_of
from ptde_core.runs.stage_settings import read_run_config
from ptde_core.storage.evaluation_file import EvaluationEntry, is_current, read_evaluation
from ptde_core.storage.provenance_file import Provenance, read_provenance
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_state, read_status

STUDENT = "student"  # the kind of student.pt


@dataclass(frozen=True)
class RunRead:
    """What is read from a run's files."""

    path: str
    state: str
    status: Mapping[str, Any]
    settings: Mapping[str, Any]
    distilled: Mapping[str, Mapping[str, Any]]  # by kind: settings of each evaluated student that was distilled
    made: Provenance | None
    entries: Mapping[str, EvaluationEntry]  # by kind, the one that is compared
    evaluated: tuple[EvaluationEntry, ...]  # all that are not stale
    stale: tuple[str, ...]  # what is not shown, and why
    last: Mapping[str, float]  # newest line of metrics


def _read(run: RunFolder) -> RunRead:
    if not run.config.is_file() or not run.status.is_file():
        missing = run.status.name if run.config.is_file() else run.config.name
        raise PtdeError(
            f"{run.path} is not a run folder: it has no {missing}",
            "give a folder that `ptde run` made, such as runs/skirmish/3m/QMIX_SGI/seed1",
        )
    config = read_run_config(run)
    held = read_evaluation(run.evaluation).entries if is_current(run.evaluation) else []
    entries = [entry for entry in held if entry.episodes.seed]
    checked = list(zip(entries, why_stale(run, entries, config.made_from), strict=True))
    evaluated = [entry for entry, why in checked if not why]
    by_kind = _by_kind(evaluated)
    distilled = {kind: entry.distilled.made_with for kind, entry in by_kind.items() if entry.distilled}
    of_training = why_other_world(config.made_from.world, str(config.settings["map"]))
    rows = log_of(run)
    return RunRead(
        path=str(run.path),
        state=read_state(run),
        status=read_status(run),
        settings=config.settings,
        distilled=distilled,
        made=read_provenance(run.provenance) if run.provenance.exists() else None,
        entries=by_kind,
        evaluated=tuple(evaluated),
        stale=tuple(
            dict.fromkeys(filter(None, [of_training and f"it was {of_training}", *(why for _, why in checked)]))
        ),
        last=rows[-1] if rows else {},
    )


def read_both(one: RunFolder, other: RunFolder) -> tuple[RunRead, RunRead]:
    """Both runs, with evaluations of the same episodes where both have some: with the default seed, and the largest.

    Raises:
        PtdeError: a path that is no run folder, or a file in one is broken.
    """
    runs = _read(one), _read(other)
    shared = {}
    for kind in runs[0].entries.keys() & runs[1].entries.keys():
        in_both = set.intersection(*({_list(entry) for entry in run.evaluated if _kind(entry) == kind} for run in runs))
        if both := [entry for entry in runs[0].evaluated if _kind(entry) == kind and _list(entry) in in_both]:
            shared[kind] = _list(chosen(both, Wanted(), _kind)[0])
    first, second = (
        replace(
            run,
            entries={
                **run.entries,
                **_by_kind(entry for entry in run.evaluated if shared.get(_kind(entry)) == _list(entry)),
            },
        )
        for run in runs
    )
    return first, second


def _list(entry: EvaluationEntry) -> tuple[int, ...]:
    """The episodes that an evaluation is of."""
    return tuple(entry.episodes.seed)


def _by_kind(entries: Iterable[EvaluationEntry]) -> dict[str, EvaluationEntry]:
    """One evaluation of each kind of policy."""
    return {_kind(entry): entry for entry in chosen(entries, Wanted(), _kind)}


def _kind(entry: EvaluationEntry) -> str:
    """Equal for policies of both runs that are compared."""
    usual = {"teacher.pt": "teacher", "student.pt": STUDENT}
    marks = [f"z {entry.z}"] if entry.policy == "teacher" and entry.z == "mean" else []
    marks += [f"message_threshold={entry.threshold:g}"] if entry.threshold > 0 else []
    return ", ".join([usual.get(entry.checkpoint, entry.checkpoint), *marks])
