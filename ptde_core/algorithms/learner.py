"""The interface of learners: a learner is given rounds of episodes, and decides when and how to update."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ptde_core.base.batch import Episode
from ptde_core.policies.policy import Exploration
from ptde_core.policies.teacher import Teacher
from ptde_core.policies.teachers import AnyTeacher


class Learner(Protocol):
    """A teacher being trained. Equal seeds and equal rounds of episodes give equal teachers."""

    @property
    def teacher(self) -> AnyTeacher:
        """The policy being trained, which plays for training."""

    @property
    def result(self) -> AnyTeacher:
        """What is tested and saved: the average of the policy's weights where one is kept, else `teacher` itself."""

    @property
    def updates(self) -> int:
        """Gradient steps taken."""

    @property
    def held(self) -> int:
        """How many of the newest episodes it still holds: what a resumed training must give back to it."""

    def exploration(self, env_steps: int) -> Exploration:
        """How the next round is to be played, `env_steps` into the training."""

    def learn(self, episodes: Sequence[Episode]) -> dict[str, Tensor]:
        """Take in a round and update if it is time; scalars to log, not yet read back; empty if there was no update."""

    def learned(self) -> Iterable[Tensor]:
        """All weights that gradients change."""

    def networks(self) -> dict[str, Any]:
        """The weights that only training needs (mixer, critic): name -> tensor, kept beside the teacher's."""

    def state(self) -> dict[str, Any]:
        """Everything that decides what the next updates do, except the episodes, as plain tensors and numbers."""

    def load(self, state: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
        """Go back to a saved `state`, with the episodes that were held then, oldest first."""


@runtime_checkable
class TeachesOnline(Protocol):
    """A learner that trains a student beside its teacher, so that none has to be distilled afterwards (CTDS)."""

    @property
    def student(self) -> Teacher:
        """The student, which plays without what only the teacher sees."""

    @property
    def student_result(self) -> Teacher:
        """What is tested and saved of it, as `result` is of the teacher."""
