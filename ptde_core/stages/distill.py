"""Stage 2 (paper, Algorithm 2, equation 3): fit the student to the teacher's z from HDF5 rows, never the state.

Resumable: the order of rows is a function of the seed and the epoch, so the state to go on from is the networks, the
optimiser and the number of the step.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ptde_core.algorithms.naming import student_name
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, Note, Progress, StageFinished, StageStarted, silent
from ptde_core.base.seeding import generator, seed_for
from ptde_core.learning.regression import TwoLayerRegression
from ptde_core.nets.recurrent_agent import local_input
from ptde_core.policies.restore import restore
from ptde_core.policies.student import Student
from ptde_core.policies.teacher import Teacher
from ptde_core.stages.collect import collect
from ptde_core.stages.interruption import Interruption
from ptde_core.stages.settings import CollectSettings, DistillSettings
from ptde_core.storage.checkpoint import load_checkpoint, save_checkpoint
from ptde_core.storage.episode_file import LocalRows, read_about, read_local_rows
from ptde_core.storage.run_folder import RunFolder

STAGE = "distill"
SHOW_EVERY = 500
SAVE_SECONDS = 30.0


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
        out: checkpoint to write; by default `student.pt` beside the teacher.
        listen: is told of progress and of files.

    Raises:
        PtdeError: not a teacher, episodes of another teacher, a broken file, or `out` exists.
        KeyboardInterrupt: interrupted; the same command goes on where it stopped.
    """
    run = RunFolder(teacher.parent)
    out = out or run.student
    if out.exists():
        raise PtdeError(f"{out} already exists", "evaluate it, or give another file with --out")
    content = load_checkpoint(teacher, "teacher")
    data = data or _own_episodes(teacher, run, listen)
    about = read_about(data)
    if about["teacher_id"] != content["teacher_id"]:
        raise PtdeError(
            f"{data} was collected from another teacher than {teacher}", "collect anew: `ptde collect TEACHER`"
        )
    rows = read_local_rows(data)
    student = _fresh_student(content, settings)
    name = student_name(content["settings"]["alg"], content["settings"]["global_info"])
    title = f"student {name} on {about['map']} from {rows.n_episodes} episodes"
    began = time.monotonic()
    split = split_by_episode(rows, int(about["n_actions"]), settings)
    quality = _fit(student, split, settings, _job(out, data, settings, title), listen)
    save_checkpoint(
        out,
        "student",
        {
            "settings": content["settings"],
            "distill": settings.model_dump(),
            "env": content["env"],
            "networks": student.state_dict(),
            "student_hidden": settings.hidden_size,
            "teacher_id": content["teacher_id"],
            "teacher_file": teacher.name,
            "counters": content["counters"],
            "quality": quality,
        },
    )
    _resume_file(out).unlink(missing_ok=True)
    listen(FileSaved(out, "the student"))
    listen(StageFinished(STAGE, time.monotonic() - began))
    return out


def _own_episodes(teacher: Path, run: RunFolder, listen: Listener) -> Path:
    if run.episodes.exists():
        listen(Note(f"using the episodes in {run.episodes}"))
        return run.episodes
    return collect(teacher, CollectSettings(), listen=listen)


def _fresh_student(teacher: Mapping[str, Any], settings: DistillSettings) -> Student:
    """A student with the teacher's trunk and head, frozen, and a fresh student network."""
    policy = restore(teacher).policy
    assert isinstance(policy, Teacher)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(settings.seed, "student") >> 1)
        return Student(policy, settings.hidden_size)


@dataclass(frozen=True)
class Split:
    """Rows to learn from and rows to judge by; they share no episode. A row is one agent at one step."""

    inputs: Tensor  # (R, L)
    targets: Tensor  # (R, Z)
    held_out_inputs: Tensor  # (V, L)
    held_out_targets: Tensor  # (V, Z)


def split_by_episode(rows: LocalRows, n_actions: int, settings: DistillSettings) -> Split:
    """Hold out whole episodes: rows of one episode are too alike to judge by."""
    order = generator(settings.seed, "split").permutation(rows.n_episodes)
    count = min(max(1, round(settings.validation_share * rows.n_episodes)), rows.n_episodes - 1)
    held_out = np.isin(rows.episode, order[:count])  # (R,)
    return Split(*_tensors(rows, ~held_out, n_actions), *_tensors(rows, held_out, n_actions))


def _tensors(rows: LocalRows, chosen: NDArray[np.bool_], n_actions: int) -> tuple[Tensor, Tensor]:
    obs, last = torch.from_numpy(rows.obs[chosen]), torch.from_numpy(rows.last_action[chosen].astype(np.int64))
    return local_input(obs, last, n_actions).flatten(0, 1), torch.from_numpy(rows.z_mean[chosen]).flatten(0, 1)


@dataclass(frozen=True)
class _Job:
    """Where an interrupted fit is kept, what it must have been fitting, and how it is called."""

    file: Path
    key: str
    title: str


def _resume_file(out: Path) -> Path:
    return out.with_name(out.name + ".resume")


def _job(out: Path, data: Path, settings: DistillSettings, title: str) -> _Job:
    digest = hashlib.sha256(data.read_bytes())
    digest.update(settings.model_dump_json().encode())
    return _Job(_resume_file(out), digest.hexdigest(), title)


def _fit(student: Student, split: Split, settings: DistillSettings, job: _Job, listen: Listener) -> dict[str, float]:
    """Minimise equation 3, averaged over rows and dimensions; returns the student's quality on held-out episodes."""
    parameters = list(student.network.parameters())
    optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True)
    step = _load(job, student, optimiser) if job.file.exists() else 0
    listen(StageStarted(STAGE, job.title, settings.steps, "gradient steps", step))
    size = min(settings.batch_rows, len(split.inputs))
    per_epoch = len(split.inputs) // size
    regression = TwoLayerRegression(parameters, size)
    inputs, targets = torch.empty_like(split.inputs), torch.empty_like(split.targets)  # in the order of the epoch
    epoch, saved = -1, time.monotonic()
    with Interruption() as interruption, _one_thread():
        while step < settings.steps:
            if step // per_epoch != epoch:
                epoch = step // per_epoch
                order = torch.from_numpy(generator(settings.seed, "rows", epoch).permutation(len(split.inputs)))
                torch.index_select(split.inputs, 0, order, out=inputs)
                torch.index_select(split.targets, 0, order, out=targets)
            rows = slice(step % per_epoch * size, (step % per_epoch + 1) * size)
            regression.step(inputs[rows], targets[rows])
            optimiser.step()
            step += 1
            if step % SHOW_EVERY == 0 or step == settings.steps:
                listen(Progress(STAGE, step, {"student_loss": regression.loss()}))
            if interruption.requested or time.monotonic() - saved > SAVE_SECONDS:
                _save(job, student, optimiser, step)
                saved = time.monotonic()
            interruption.raise_if_requested()
    return _quality(student, split)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Matrices this small lose more by handing work from thread to thread than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def _quality(student: Student, split: Split) -> dict[str, float]:
    train = F.mse_loss(student.network(split.inputs), split.targets)
    held_out = F.mse_loss(student.network(split.held_out_inputs), split.held_out_targets)
    variance = split.held_out_targets.var(dim=0, correction=0).mean()
    return {
        "student_loss": float(train),
        "student_validation_loss": float(held_out),
        "student_explained": float(1 - held_out / variance),
    }


def _save(job: _Job, student: Student, optimiser: torch.optim.Optimizer, step: int) -> None:
    content = {
        "key": job.key,
        "step": step,
        "network": student.network.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    save_checkpoint(job.file, "distillation", content)


def _load(job: _Job, student: Student, optimiser: torch.optim.Optimizer) -> int:
    """Go on from an interrupted fit of the same rows with the same settings; another fit's state is left unused."""
    content = load_checkpoint(job.file, "distillation")
    if content["key"] != job.key:
        return 0
    student.network.load_state_dict(content["network"])
    optimiser.load_state_dict(content["optimiser"])
    return int(content["step"])
