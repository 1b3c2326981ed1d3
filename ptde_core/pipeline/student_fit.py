"""The loop that fits a student: gradient steps, rounds of DAgger, early stopping, and the state to resume from.

A fit is a row of phases, one before each round of DAgger and one after the last; a phase has more episodes than the one
before it. Where a fit stands is the number of the step, the networks, the optimiser and what early stopping remembers;
batches, samples and episodes are functions of the seed and of counters. So a fit that was killed goes on bit for bit.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ptde_core.algorithms.from_checkpoint import Trained
from ptde_core.base.events import FileSaved, Listener, Note, Progress, StageStarted
from ptde_core.base.threads import Threads, one_thread
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.learning.adam import Adam
from ptde_core.learning.distillation import same_choice
from ptde_core.learning.finite import all_finite, check_learned
from ptde_core.machine.interruption import Interruption
from ptde_core.pipeline.dagger import episodes_file, play_round, played_by
from ptde_core.pipeline.student_dataset import Batches, Examples, Objective, batches_of, context_of
from ptde_core.policies.student import Student
from ptde_core.runs.stage_settings import DistillSettings
from ptde_core.storage.checkpoint import load_checkpoint, save_checkpoint
from ptde_core.storage.episode_file import read_local_rows

STAGE = "distill"
SHOW_EVERY = 500
FINITE_EVERY = 100  # steps between two looks at whether the weights are finite
SAVE_SECONDS = 30.0


@dataclass(frozen=True)
class Job:
    """What is fitted, and where.

    Args:
        out: the student's checkpoint; what an interrupted fit needs lies beside it.
        key: equal for fits of the same episodes with the same settings, and only for them.
        title: one line for people.
        trained: the teacher.
    """

    out: Path
    key: str
    title: str
    trained: Trained

    @property
    def resume(self) -> Path:
        """The state of an interrupted fit."""
        return self.out.with_name(self.out.name + ".resume")


@dataclass
class _Best:
    """The best student so far by its loss on held-out episodes, and how many checks have passed without a better."""

    loss: float
    step: int
    network: dict[str, Tensor]
    waited: int = 0


@dataclass(frozen=True)
class Fitted:
    """How a fit went.

    Args:
        steps: gradient steps taken.
        kept: the step whose weights are kept: the last one, or with early stopping the best one.
        seconds: wall time of all sittings.
    """

    steps: int
    kept: int
    seconds: float


def step_size(settings: DistillSettings, step: int) -> float:
    """Adam's at a step, counted from 0: `learning_rate`, with linear decay times (1 - step / steps)."""
    left = 1 - step / settings.steps if settings.learning_rate_decay == "linear" else 1.0
    return settings.learning_rate * left


class Fit:
    """One fit of one student."""

    def __init__(
        self,
        student: Student,
        objective: Objective,
        examples: tuple[Examples, Examples],
        settings: DistillSettings,
        job: Job,
        listen: Listener,
    ) -> None:
        self._student, self._objective, self._settings, self._job = student, objective, settings, job
        self._own, self._held_out = examples
        self._listen = listen
        parameters = list(student.network.parameters())
        self._optimiser = Adam(parameters, lr=settings.learning_rate)
        self._step = self._phase_began = self._epochs = 0  # epochs: begun before this phase
        self._players: list[str] = []  # of each round of DAgger that has been played
        self._best: _Best | None = None
        self._seconds = 0.0
        if job.resume.exists():
            self._load()
        self._began = self._saved = time.monotonic()

    def run(self) -> Fitted:
        """Fit; the student then holds the weights to keep.

        Raises:
            KeyboardInterrupt: interrupted; all is saved to go on.
        """
        settings, job = self._settings, self._job
        self._listen(StageStarted(STAGE, job.title, settings.steps, "gradient steps", self._step))
        if settings.dagger_rounds and (text := ENVIRONMENTS[job.trained.spec.backend].preparation()):
            self._listen(Note(text))
        threads = Threads()
        with Interruption() as interruption, one_thread():  # beside those that share the rows of a batch
            while True:
                batches = batches_of(self._examples(), self._objective, settings, threads)
                self._phase(batches, interruption)
                if len(self._players) == settings.dagger_rounds:
                    break
                self._play(batches)
        if self._best is not None:
            self._student.network.load_state_dict(self._best.network)
        kept = self._best.step if self._best else self._step
        return Fitted(self._step, kept, self._seconds + time.monotonic() - self._began)

    def finish(self) -> None:
        """Delete the state to resume from, once the student is saved."""
        self._job.resume.unlink(missing_ok=True)

    def _examples(self) -> Examples:
        """The teacher's episodes and those of the rounds played so far."""
        files = [episodes_file(self._job.out, k + 1) for k in range(len(self._players))]
        trained = self._job.trained
        n_actions = trained.spec.n_actions
        played = [
            Examples.of(read_local_rows(file, trained.widths), n_actions).to(self._own.local.device) for file in files
        ]
        return Examples.joined([self._own, *played])

    def _phase(self, batches: Batches, interruption: Interruption) -> None:
        """Take the steps until the next round of DAgger is due, or the end."""
        settings = self._settings
        final = len(self._players) == settings.dagger_rounds
        end = settings.steps * (len(self._players) + 1) // (settings.dagger_rounds + 1)
        checking = final and settings.early_stopping > 0
        patience = settings.early_stopping
        epoch = -1
        while self._step < end and not (self._best and self._best.waited >= patience):
            at = self._step - self._phase_began
            if at // batches.per_epoch != epoch:
                epoch = at // batches.per_epoch
                batches.begin(self._epochs + epoch)
            batches.step(at % batches.per_epoch)
            self._optimiser.lr = step_size(settings, self._step)
            self._optimiser.step()
            self._step += 1
            if checking and (self._step % settings.check_every == 0 or self._step == end):
                self._check()
            if self._step % FINITE_EVERY == 0 or self._step == end or interruption.requested:
                kept = "what was saved before is kept" if self._job.resume.exists() else "nothing is saved"
                check_learned(self._learned(), {"student_loss": batches.loss()}, f"by step {self._step:,}", kept)
            if self._step % SHOW_EVERY == 0 or self._step == settings.steps:
                self._listen(Progress(STAGE, self._step, {"student_loss": batches.loss()}))
            if interruption.requested or time.monotonic() - self._saved > SAVE_SECONDS:
                self._save()
            interruption.raise_if_requested()

    def _learned(self) -> list[Tensor]:
        return list(self._student.network.parameters())

    def _play(self, batches: Batches) -> None:
        """A round of DAgger, with what the student is now; the next phase begins."""
        self._epochs += -(-(self._step - self._phase_began) // batches.per_epoch)  # rounded up
        self._phase_began = self._step
        number = len(self._players) + 1
        path = episodes_file(self._job.out, number)
        player = play_round(self._student, self._job.trained, self._settings, number, path, self._listen)
        self._players.append(player)
        self._listen(FileSaved(path, f"the student's episodes with its teacher's z, DAgger round {number}"))

    def _check(self) -> None:
        """Early stopping: compare with the best so far, on episodes that are never learned from."""
        loss = self._objective.on(self._held_out)
        if self._best is None or loss < self._best.loss:
            network = {key: value.clone() for key, value in self._student.network.state_dict().items()}
            self._best = _Best(loss, self._step, network)
        else:
            self._best.waited += 1

    def _save(self) -> None:
        now = time.monotonic()
        if not bool(all_finite(self._learned())):  # the next look says so
            return
        content = {
            "key": self._job.key,
            "step": self._step,
            "phase_began": self._phase_began,
            "epochs": self._epochs,
            "players": self._players,
            "network": self._student.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "best": vars(self._best) if self._best else None,
            "seconds": self._seconds + now - self._began,
        }
        save_checkpoint(self._job.resume, "distillation", content)
        self._saved = now

    def _load(self) -> None:
        """Go on from an interrupted fit of the same rows with the same settings; another fit's state is left unused."""
        content = load_checkpoint(self._job.resume, "distillation")
        if content["key"] != self._job.key:
            return
        files = [episodes_file(self._job.out, k + 1) for k in range(len(content["players"]))]
        if not all(map(played_by, content["players"], files)):
            return
        self._student.network.load_state_dict(content["network"])
        self._optimiser.load_state_dict(content["optimiser"])
        self._step, self._phase_began, self._epochs = (content[key] for key in ("step", "phase_began", "epochs"))
        self._players, self._seconds = content["players"], content["seconds"]
        self._best = _Best(**content["best"]) if content["best"] else None


@torch.no_grad()
def quality_of(student: Student, examples: tuple[Examples, Examples]) -> dict[str, float]:
    """How near a student comes to the mean of its teacher's z, whatever it was fitted to; the same for every kind.

    Args:
        student: fitted.
        examples: of the teacher's own episodes, those that it has learned from, and those held out.
    """
    own, held_out = examples
    train = F.mse_loss(student.network.unroll(own.local, own.length).flatten(0, 1), own.mean.flatten(0, 1))
    predicted, target = student.network.unroll(held_out.local, held_out.length), held_out.mean  # (R, N, Z)
    error = F.mse_loss(predicted.flatten(0, 1), target.flatten(0, 1))
    variance = target.flatten(0, 1).var(dim=0, correction=0).mean()
    history, available = context_of(student, held_out)
    ours, theirs = (student.head(history, z.flatten(0, 1)) for z in (predicted, target))
    return {
        "student_loss": float(train),
        "student_validation_loss": float(error),
        "student_explained": float(1 - error / variance),
        "student_same_action": float(same_choice(ours, theirs, available)),
    }
