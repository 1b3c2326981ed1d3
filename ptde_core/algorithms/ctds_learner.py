"""CTDS (Zhao et al., 2022): a teacher on full sight, and a student on local sight that learns from it at each update.

The teacher is a value decomposition of its own (`value_decomposition.py`); it alone plays for training. The student
regresses the values of all available actions, with its history, on the batches that the teacher learns from.
`docs/explanation/algorithms/ctds.md` says what is the paper's and what is ours.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.base.threads import Threads, add_gradients, one_thread
from ptde_core.learning.adam import Adam
from ptde_core.learning.averaging import AveragedWeights
from ptde_core.learning.losses import masked_mean
from ptde_core.policies.network_inputs import Views
from ptde_core.policies.policy import Exploration
from ptde_core.policies.teacher import Teacher
from ptde_core.policies.teachers import AnyTeacher


def value_distillation_loss(student: Tensor, teacher: Tensor, batch: EpisodeBatch) -> Tensor:
    """Mean squared difference of action values over the available actions of all agents in real steps; a scalar.

        L = mean over (t, i, a), a available, of (Q_i^student(t, a) - Q_i^teacher(t, a))^2

    Args:
        student: (R, N, A) values of what was seen in the episodes.
        teacher: (R, N, A), what they should be; no gradient flows into them.
        batch: the episodes.
    """
    return masked_mean((student - teacher.detach()).index_select(0, batch.played).square(), counted(batch))


def counted(batch: EpisodeBatch) -> Tensor:
    """(P, N, A) bool: the values that count in the student's loss, those of available actions in real steps."""
    return batch.available[batch.played]


class OnlineDistillationLearner:
    """A learner of the teacher, and a student that follows it update by update."""

    def __init__(self, teaching: ValueDecompositionLearner, student: Teacher) -> None:
        self._teaching, self.student = teaching, student
        self.optimiser = Adam(student.parameters(), lr=teaching.settings.learning_rate)
        self._average = AveragedWeights(student, teaching.settings.average_weights)
        self._threads = Threads()

    @property
    def teacher(self) -> AnyTeacher:
        """The policy on full sight, which also plays for training."""
        return self._teaching.teacher

    @property
    def result(self) -> AnyTeacher:
        """What is tested and saved of the teacher."""
        return self._teaching.result

    @property
    def student_result(self) -> Teacher:
        """What is tested and saved of the student."""
        return self._average.network

    @property
    def updates(self) -> int:
        """Gradient steps taken by the teacher, and as many by the student."""
        return self._teaching.updates

    @property
    def held(self) -> int:
        """Episodes in the replay memory."""
        return self._teaching.held

    def exploration(self, env_steps: int) -> Exploration:
        """Epsilon-greedy play of the teacher, epsilon falling linearly."""
        return self._teaching.exploration(env_steps)

    def learn(self, episodes: Sequence[Episode]) -> dict[str, Tensor]:
        """Take in a round; both learn from the same random batches, once there are enough episodes."""
        return self._teaching.learn(episodes, before_update=self._distill)

    @one_thread()  # beside those that share the batch
    def _distill(self, episodes: Sequence[Episode]) -> dict[str, Tensor]:
        """One gradient step of the student towards the teacher as it is, before its own; the scalars to log."""
        settings = self._teaching.settings
        shares = [[episodes[k] for k in own] for own in self._threads.cut([e.length for e in episodes])]
        whole = sum(int(e.available[:-1].sum()) for e in episodes)

        def share_of_loss(share: Sequence[Episode]) -> tuple[Tensor, dict[str, Tensor]]:
            """A share's part of the mean over all that counts in the batch."""
            batch = EpisodeBatch.of(share)
            views = Views.of(batch)
            with torch.no_grad():
                teacher_values = self.teacher.unroll(views, None).values  # (R, N, A)
            values = self.student.unroll(views, None).values  # (R, N, A)
            loss = value_distillation_loss(values, teacher_values, batch)
            part = loss * (counted(batch).sum() / whole)
            return part, {"student_value_loss": part.detach()}

        log = add_gradients(shares, share_of_loss, list(self.student.parameters()), self._threads)
        log["student_gradient_norm"] = nn.utils.clip_grad_norm_(self.student.parameters(), settings.gradient_clip)
        self.optimiser.step()
        self._average.take_in(self.updates + 1)  # the student's step comes first
        return log

    def learned(self) -> Iterable[Tensor]:
        """The weights of the teacher's team and of the student."""
        return (*self._teaching.learned(), *self.student.parameters())

    def networks(self) -> dict[str, Any]:
        """The mixer's weights."""
        return self._teaching.networks()

    def state(self) -> dict[str, Any]:
        """The teacher's learner, the student, its average and its optimiser."""
        return {
            "teaching": self._teaching.state(),
            "student": self.student.state_dict(),
            "average": self._average.state(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load(self, state: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
        """Go back to a saved `state`, with the episodes that were in the replay memory."""
        self._teaching.load(state["teaching"], episodes)
        self.student.load_state_dict(state["student"])
        self._average.load(state.get("average", {}))  # older states have none
        self.optimiser.load_state_dict(state["optimiser"])
