"""What a record of an algorithm says. No torch here: the builders of a record import it when they are called."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError, quoted

if TYPE_CHECKING:
    from ptde_core.algorithms.learner import Learner
    from ptde_core.envs.interface import EnvSpec
    from ptde_core.envs.two_views import Sights
    from ptde_core.policies.teacher import Teacher
    from ptde_core.policies.teachers import AnyTeacher

S = TypeVar("S", bound=TrainingSettings)


@dataclass(frozen=True)
class OnlineStudent(Generic[S]):
    """A student that is trained with its teacher, so that none is distilled afterwards.

    Args:
        build: its networks, fresh, that fit an environment.
        sights: how far teacher and student see, in the two views that both are shown.
    """

    build: Callable[["EnvSpec", S], "Teacher"]
    sights: Callable[[S], "Sights"]


@dataclass(frozen=True, kw_only=True)
class Algorithm(Generic[S]):
    """One algorithm.

    Args:
        table_name: as tables print it, before the suffix of its global information: QMIX in QMIX_SGI. With an online
            student it is the student's own, and the teacher's has _teacher behind it.
        settings: all that a training with it can be told. Their defaults are what is done if nothing is said.
        teacher: (spec, settings) -> the policy that is trained, with fresh networks.
        learner: (spec, settings, seed) -> what trains that policy, with fresh networks; it calls `teacher` itself.
        head: what the numbers of the policy's head are: values of actions, or logits of a distribution over them, which
            mean the same when a constant is added to all.
        online_student: the student that is trained with the teacher; None where one is distilled afterwards, if at all.
        stackable: several seeds can be trained at once, or on a GPU: its learner is a `ValueDecompositionLearner`.
        preset: table of a map's preset (`presets.toml`) that is meant for it, beside `train_teacher`; "" for none.
        kept_vectors: as long as a hidden state, how many a gradient step keeps of each agent and view, its z apart: for
            the estimate of memory.
        page: of the manual, from `docs/`; "" for none.

    Raises:
        PtdeError: `settings` is no model of a training's settings.
    """

    table_name: str
    settings: type[S]
    teacher: Callable[["EnvSpec", S], "AnyTeacher"]
    learner: Callable[["EnvSpec", S, int], "Learner"]
    head: Literal["values", "logits"] = "values"
    online_student: OnlineStudent[S] | None = None
    stackable: bool = False
    preset: str = ""
    kept_vectors: int = 9
    page: str = ""

    def __post_init__(self) -> None:
        if not (isinstance(self.settings, type) and issubclass(self.settings, TrainingSettings)):
            raise PtdeError(
                f"the settings of {self.table_name} are {quoted(repr(self.settings))}",
                "give a class that inherits from TrainingSettings (ptde_core/algorithms/training_settings.py)",
            )
