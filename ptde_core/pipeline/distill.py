"""Stage 2 (paper, Algorithm 2, equation 3): fit the student to the teacher's z from HDF5 rows, never the state.

Inputs and targets are in `student_dataset.py`, the loop is in `student_fit.py`.
"""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ptde_core.algorithms.from_checkpoint import Trained, restore
from ptde_core.algorithms.table_names import checkpoint_marks, student_name, teacher_marks
from ptde_core.base.device import device_of
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, Note, StageFinished, silent
from ptde_core.base.made_from import KEY, MadeFrom
from ptde_core.base.seeding import seed_for
from ptde_core.kernels.compile_time import telling_of_compiling
from ptde_core.pipeline.collect import collect, informed_teacher
from ptde_core.pipeline.student_dataset import Examples, Objective, split_by_episode
from ptde_core.pipeline.student_fit import STAGE, Fit, Job, quality_of
from ptde_core.policies.student import Student
from ptde_core.policies.teacher import Teacher
from ptde_core.runs.identity import distilling_made_from
from ptde_core.runs.recipes import departures
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings
from ptde_core.storage.checkpoint import save_checkpoint
from ptde_core.storage.episode_file import read_about, read_local_rows, read_origin
from ptde_core.storage.run_folder import LAST, RunFolder, episodes_of, student_of
from ptde_core.storage.run_lock import locked_output
from ptde_core.storage.whole_file import check_output


def distill(
    teacher: Path,
    settings: DistillSettings,
    data: Path | None = None,
    out: Path | None = None,
    *,
    listen: Listener = silent,
) -> Path:
    """Fit a student and leave it, with the teacher's frozen trunk and head, in one checkpoint.

    Args:
        teacher: a teacher's checkpoint.
        settings: how to fit.
        data: HDF5 file of that teacher's episodes; by default `episodes.h5` beside it, collected if missing.
        out: checkpoint to write; by default that of the teacher and the recipe (`run_folder.student_of`).
        listen: is told of progress and of files.

    Raises:
        StorageError: `out` cannot be written; as far as it can be known, before anything is collected or fitted.
        PtdeError: not a teacher or one that is not distilled, episodes of another teacher, a broken file, or `out`
            exists or does not end in .pt; a device that is not there.
        KeyboardInterrupt: interrupted; the same command goes on where it stopped.
    """
    listen = telling_of_compiling(listen)
    check_name(out)
    out = out or student_of(teacher, settings.recipe)
    with locked_output(out, STAGE):
        return _distill(teacher, settings, data, out, listen)


def _distill(teacher: Path, settings: DistillSettings, data: Path | None, out: Path, listen: Listener) -> Path:
    device = device_of(settings)
    content, trained, policy = informed_teacher(teacher)
    if out.exists():
        raise PtdeError(f"{out} already exists", "evaluate it, or give another file with --out")
    check_output(out, new=True)
    data = data or own_episodes(teacher, listen)
    about = read_about(data)
    collected = check_episodes(data, teacher, trained)
    digest = episodes_digest(data)
    rows = read_local_rows(data, trained.widths)
    if len(rows.length) < 2:
        raise PtdeError(f"{data} holds one episode, and one more is needed to judge by", "collect more episodes")
    own, held_out = split_by_episode(Examples.of(rows, trained.spec.n_actions), settings)
    examples = own.to(device), held_out.to(device)
    student = _fresh_student(content, settings).to(device)
    alg, info = trained.settings.alg, trained.settings.global_info
    marks = [
        *teacher_marks(trained.settings, policy.trunk.hidden_size),
        *checkpoint_marks(content.get("kept", LAST)),
        *departures(settings),
    ]
    title = f"student {student_name(alg, info, marks)} on {about['map']} from {len(rows.length)} episodes"
    began = time.monotonic()
    objective = Objective(student, settings.loss, trained.algorithm.head)
    made_from = distilling_made_from(settings, trained.spec.world, trained.teacher_id, digest)
    key = made_from.digest
    fit = Fit(student, objective, examples, settings, Job(out, key, title, trained), listen)
    fitted = fit.run()
    save_checkpoint(
        out,
        "student",
        {
            KEY: made_from.plain(),
            "settings": content["settings"],
            "distill": settings.model_dump(),
            # Whether the state is kept too decides nothing in a student.
            "collected": {key: value for key, value in collected.settings.items() if key != "with_state"},
            "env": content["env"],
            "networks": student.state_dict(),
            "teacher_id": content["teacher_id"],
            "teacher_file": teacher.relative_to(RunFolder.of(teacher).path).as_posix(),
            "kept": content.get("kept", LAST),
            "episodes_digest": digest,
            "counters": content["counters"],
            "quality": quality_of(student, examples),
            "fitted": vars(fitted),
        },
        new=True,
    )
    fit.finish()
    listen(FileSaved(out, "the student"))
    listen(StageFinished(STAGE, time.monotonic() - began))
    return out


def check_name(out: Path | None) -> None:
    """Refuse a name that is not a checkpoint's for a student.

    Raises:
        PtdeError: it has another ending.
    """
    if out is not None and out.suffix != ".pt":
        raise PtdeError(f"{out} is no name of a checkpoint", "give one that ends in .pt with --out")


def check_episodes(data: Path, teacher: Path, trained: Trained) -> MadeFrom:
    """What a file of episodes was made from; refuse one that is not of this teacher in its world.

    Raises:
        PtdeError: with what is another.
    """
    made = read_origin(data)
    again = "collect anew: `ptde collect TEACHER`, with --out for another file"
    if made.parents.get("teacher") != trained.teacher_id:
        raise PtdeError(f"{data} was collected from another teacher than {teacher}", again)
    if why := made.world.changed(trained.spec.world):
        raise PtdeError(f"{data} does not fit {teacher}: it was {why}", again)
    return made


def own_episodes(teacher: Path, listen: Listener) -> Path:
    """The episodes beside a teacher; collected if there are none."""
    episodes = episodes_of(teacher)
    if episodes.exists():
        listen(Note(f"using the episodes in {episodes}"))
        return episodes
    return collect(teacher, CollectSettings(), listen=listen)


def episodes_digest(data: Path) -> str:
    """Equal for equal files of episodes, and only for them."""
    return hashlib.sha256(data.read_bytes()).hexdigest()


def _fresh_student(teacher: Mapping[str, Any], settings: DistillSettings) -> Student:
    """A student with the teacher's trunk and head, frozen, and a fresh student network."""
    policy = restore(teacher).policy
    assert isinstance(policy, Teacher)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(settings.seed, "student") >> 1)
        return Student(policy, settings)
