"""What a student learns from: whole episodes of local inputs and the teacher's z, split by episode, cut into batches.

Every order and every sample is a function of the seed and of the epoch's number, so that an interrupted fit goes on
with the batches that it would have had.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ptde_core.base.seeding import generator
from ptde_core.base.threads import Threads, add_gradients
from ptde_core.learning.distillation import information_loss, policy_loss, value_loss
from ptde_core.learning.regression import TwoLayerRegression
from ptde_core.nets.global_information import sample
from ptde_core.policies.network_inputs import local_input
from ptde_core.policies.student import Student
from ptde_core.runs.stage_settings import DistillSettings
from ptde_core.storage.episode_file import LocalRows


@dataclass(frozen=True)
class Examples:
    """B whole episodes, one after the other without padding; a row is one step of all agents. Nothing is global."""

    local: Tensor  # (R, N, L) local inputs
    mean: Tensor  # (R, N, Z) of the teacher's z
    sigma: Tensor  # (R, N, Z) its standard deviation
    available: Tensor  # (R, N, A) bool
    length: Tensor  # (B,) int64 steps of each episode; R is their sum

    @classmethod
    def of(cls, rows: LocalRows, n_actions: int) -> "Examples":
        """All episodes of a file."""
        last = torch.from_numpy(rows.last_action.astype(np.int64))
        return cls(
            local=local_input(torch.from_numpy(rows.obs), last, n_actions),
            mean=torch.from_numpy(rows.z_mean),
            sigma=torch.from_numpy(rows.z_sigma),
            available=torch.from_numpy(rows.available),
            length=torch.from_numpy(rows.length),
        )

    @classmethod
    def joined(cls, parts: Sequence["Examples"]) -> "Examples":
        """The episodes of several, in their order."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))

    def to(self, device: torch.device) -> "Examples":
        """The same examples on a device; what the host must know, the lengths, stays there."""
        moved = {name: getattr(self, name).to(device) for name in ("local", "mean", "sigma", "available")}
        return replace(self, **moved)

    def rows_of(self, episodes: Tensor) -> Tensor:
        """The rows of these episodes, one episode after the other."""
        start = self.length.cumsum(0) - self.length
        return torch.cat([torch.arange(int(self.length[k])) + start[k] for k in episodes])

    def chosen(self, episodes: Tensor) -> "Examples":
        """These episodes alone."""
        rows = self.rows_of(episodes)
        return Examples(
            self.local[rows], self.mean[rows], self.sigma[rows], self.available[rows], self.length[episodes]
        )


def split_by_episode(examples: Examples, settings: DistillSettings) -> tuple[Examples, Examples]:
    """Examples to learn from, and examples to judge by: whole episodes, since rows of one episode are too alike."""
    episodes = len(examples.length)
    order = torch.from_numpy(generator(settings.seed, "split").permutation(episodes))
    count = min(max(1, round(settings.validation_share * episodes)), episodes - 1)
    return examples.chosen(order[count:].sort()[0]), examples.chosen(order[:count].sort()[0])


class Context(NamedTuple):
    """What the frozen head needs beside z to value an action; M rows, one agent at one step."""

    history: Tensor  # (M, H) of the teacher's trunk
    available: Tensor  # (M, A) bool


@torch.no_grad()
def context_of(student: Student, examples: Examples) -> Context:
    """Unroll the teacher's trunk, which the student shares, over the episodes."""
    history = student.trunk.unroll(examples.local, examples.length)  # (R, N, H)
    return Context(history.flatten(0, 1), examples.available.flatten(0, 1))


HEAD_LOSSES = {"values": value_loss, "logits": policy_loss}


@dataclass(frozen=True)
class Objective:
    """The loss that is asked for, of predicted against given information.

    Args:
        student: whose head is used, frozen.
        loss: on z itself, or on what the head makes of it.
        head: what the head's numbers are.
    """

    student: Student
    loss: Literal["z", "values"]
    head: Literal["values", "logits"]

    def context(self, examples: Examples) -> Context | None:
        """What the loss must know of the rows beside z; None for the loss on z."""
        return None if self.loss == "z" else context_of(self.student, examples)

    def __call__(self, predicted: Tensor, target: Tensor, context: Context | None) -> Tensor:
        """A scalar from predicted and given information (M, Z) and the same rows' context."""
        if context is None:
            return information_loss(predicted, target)
        with torch.no_grad():
            target_values = self.student.head(context.history, target)  # (M, A)
        return HEAD_LOSSES[self.head](self.student.head(context.history, predicted), target_values, context.available)

    def terms(self, rows: Tensor, context: Context | None) -> int:
        """Of how many terms the loss of these rows is the mean: available actions for action values, else rows."""
        return len(rows) if context is None or self.head == "logits" else int(context.available[rows].sum())

    @torch.no_grad()
    def on(self, examples: Examples) -> float:
        """The loss to the mean of z, over all rows."""
        predicted = self.student.network.unroll(examples.local, examples.length)  # (R, N, Z)
        return float(self(predicted.flatten(0, 1), examples.mean.flatten(0, 1), self.context(examples)))


class _Targets:
    """The teacher's z that an epoch is fitted to: its mean, or (the paper's wording) a sample, new each epoch."""

    def __init__(self, examples: Examples, settings: DistillSettings) -> None:
        self._mean, self._sigma = (z.flatten(0, 1) for z in (examples.mean, examples.sigma))
        self._sampled, self._seed = settings.target == "sampled", settings.seed

    def of_epoch(self, epoch: int) -> Tensor:
        """(R*N, Z), in the order of the examples."""
        if not self._sampled:
            return self._mean
        noise = generator(self._seed, "sampled z", epoch).standard_normal(self._mean.shape, dtype=np.float32)
        return sample(self._mean, self._sigma, torch.from_numpy(noise).to(self._mean))


class Batches(Protocol):
    """Gradients, batch by batch, epoch by epoch; an epoch sees every row or episode at most once."""

    per_epoch: int

    def begin(self, epoch: int) -> None:
        """Shuffle for an epoch."""

    def step(self, batch: int) -> None:
        """Put the gradients of that batch of the epoch into the student network's `grad`."""

    def loss(self) -> float:
        """The loss of the last batch."""


def batches_of(examples: Examples, objective: Objective, settings: DistillSettings, threads: Threads) -> Batches:
    """The quickest way to the gradients that these settings ask for; `threads` share rows where it pays."""
    if settings.student == "recurrent":
        return _EpisodeBatches(examples, objective, settings, threads)
    if settings.loss == "z":
        return _RegressionBatches(examples, objective.student, settings, threads)
    return _RowBatches(examples, objective, settings)


class _RegressionBatches:
    """The paper's: rows in random order, a two-layer student, the loss on z, with the gradient written out."""

    def __init__(self, examples: Examples, student: Student, settings: DistillSettings, threads: Threads) -> None:
        self._inputs, self._targets = examples.local.flatten(0, 1), _Targets(examples, settings)
        self._size, self._seed = min(settings.batch_rows, len(self._inputs)), settings.seed
        self.per_epoch = len(self._inputs) // self._size
        self._regression = TwoLayerRegression(list(student.network.parameters()), self._size, threads)
        self._shuffled = torch.empty_like(self._inputs), torch.empty_like(examples.mean.flatten(0, 1))

    def begin(self, epoch: int) -> None:
        order = torch.from_numpy(generator(self._seed, "rows", epoch).permutation(len(self._inputs)))
        order = order.to(self._inputs.device)
        inputs, targets = self._shuffled
        torch.index_select(self._inputs, 0, order, out=inputs)
        torch.index_select(self._targets.of_epoch(epoch), 0, order, out=targets)

    def step(self, batch: int) -> None:
        rows = slice(batch * self._size, (batch + 1) * self._size)
        inputs, targets = self._shuffled
        self._regression.step(inputs[rows], targets[rows])

    def loss(self) -> float:
        return self._regression.loss()


class _RowBatches:
    """Rows in random order, the gradient by automatic differentiation."""

    def __init__(self, examples: Examples, objective: Objective, settings: DistillSettings) -> None:
        self._inputs, self._targets = examples.local.flatten(0, 1), _Targets(examples, settings)
        self._objective, self._context = objective, objective.context(examples)
        self._size, self._seed = min(settings.batch_rows, len(self._inputs)), settings.seed
        self.per_epoch = len(self._inputs) // self._size
        self.begin(0)

    def begin(self, epoch: int) -> None:
        self._order = torch.from_numpy(generator(self._seed, "rows", epoch).permutation(len(self._inputs)))
        self._of_epoch = self._targets.of_epoch(epoch)

    def step(self, batch: int) -> None:
        rows = self._order[batch * self._size : (batch + 1) * self._size]
        predicted, _ = self._objective.student.network(self._inputs[rows])
        context = self._context and Context(self._context.history[rows], self._context.available[rows])
        self._last = _differentiate(self._objective, predicted, self._of_epoch[rows], context)

    def loss(self) -> float:
        return float(self._last)


class _EpisodeBatches:
    """Whole episodes in random order, about `batch_rows` rows at a time, for a student with history.

    The threads share the episodes of a batch; an accelerator gets them all at once.
    """

    def __init__(self, examples: Examples, objective: Objective, settings: DistillSettings, threads: Threads) -> None:
        self._examples, self._targets = examples, _Targets(examples, settings)
        self._objective, self._context, self._threads = objective, objective.context(examples), threads
        self._agents, episodes = examples.local.shape[1], len(examples.length)
        rows_per_episode = float(examples.length.sum()) * self._agents / episodes
        self._size = min(max(1, round(settings.batch_rows / rows_per_episode)), episodes)
        self.per_epoch, self._seed = episodes // self._size, settings.seed
        self.begin(0)

    def begin(self, epoch: int) -> None:
        self._order = torch.from_numpy(generator(self._seed, "rows", epoch).permutation(len(self._examples.length)))
        self._of_epoch = self._targets.of_epoch(epoch)

    def step(self, batch: int) -> None:
        episodes = self._order[batch * self._size : (batch + 1) * self._size]
        length, on_device = self._examples.length[episodes], self._of_epoch.device.type != "cpu"
        parts = [np.arange(len(length))] if on_device else self._threads.cut(length.numpy())
        shares = [self._share(episodes[part]) for part in parts]
        terms = sum(share.terms for share in shares)

        def loss_of(share: _Share) -> tuple[Tensor, dict[str, Tensor]]:
            loss = self._loss(share) * (share.terms / terms)
            return loss, {"loss": loss.detach()}

        parameters = list(self._objective.student.network.parameters())
        self._last = add_gradients(shares, loss_of, parameters, self._threads)["loss"]

    def _share(self, episodes: Tensor) -> "_Share":
        steps = self._examples.rows_of(episodes)  # (r,)
        rows = (steps[:, None] * self._agents + torch.arange(self._agents)).flatten()  # (r*N,)
        return _Share(episodes, steps, rows, self._objective.terms(rows, self._context))

    def _loss(self, share: "_Share") -> Tensor:
        local, length = self._examples.local[share.steps], self._examples.length[share.episodes]
        predicted = self._objective.student.network.unroll(local, length)  # (r, N, Z)
        context = self._context and Context(self._context.history[share.rows], self._context.available[share.rows])
        return self._objective(predicted.flatten(0, 1), self._of_epoch[share.rows], context)

    def loss(self) -> float:
        return float(self._last)


class _Share(NamedTuple):
    """The part of a batch that one thread works on."""

    episodes: Tensor  # (b,) numbers of the episodes
    steps: Tensor  # (r,) rows of the examples
    rows: Tensor  # (r*N,) the same for each agent by itself
    terms: int  # of how many its loss is the mean


def _differentiate(objective: Objective, predicted: Tensor, target: Tensor, context: Context | None) -> Tensor:
    """Gradients of the student network into `grad`; the loss."""
    parameters = list(objective.student.network.parameters())
    loss = objective(predicted, target, context)
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    return loss.detach()
