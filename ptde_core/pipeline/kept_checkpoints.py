"""The checkpoints that a training leaves: the last, and where `keep` says so the best by its tests and some on the way.

The best is that of the highest win rate in the training's own tests, whose battles are others than an evaluation's; of
equal ones the later. Where a test has won nothing, or nothing can be won, its return decides. A student trained along
goes with its teacher.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ptde_core.algorithms.from_checkpoint import spec_to_plain
from ptde_core.algorithms.learner import Learner, TeachesOnline
from ptde_core.algorithms.training_settings import TrainingSettings, parse_keep
from ptde_core.base.made_from import KEY
from ptde_core.envs.interface import EnvSpec
from ptde_core.runs.identity import training_made_from
from ptde_core.storage.checkpoint import identity, save_checkpoint
from ptde_core.storage.run_folder import BEST, RunFolder


@dataclass(frozen=True)
class Reached:
    """How far a training is."""

    env_steps: int
    episodes: int


class KeptCheckpoints:
    """Writes them for one run.

    Args:
        settings: of the training.
        folder: its run folder.
        learner: whose networks they hold.
        spec: what the networks fit.
    """

    def __init__(self, settings: TrainingSettings, folder: RunFolder, learner: Learner, spec: EnvSpec) -> None:
        self._settings, self._folder, self._learner, self._spec = settings, folder, learner, spec
        self._keeps_best, self._every = parse_keep(settings.keep)
        self._best: dict[str, Any] = {}  # score: win rate, and the return where nothing was won; env_steps; contents

    def due_at(self, before: int, now: int) -> int:
        """The multiple of `every` that was passed between two numbers of env steps, the later of several; 0: none."""
        if not self._every or before // self._every == now // self._every:
            return 0
        return now // self._every * self._every

    def write(self, which: str, at: Reached) -> list[Path]:
        """Write the checkpoint of that name in `RunFolder.checkpoint`, as the networks are now; the paths written."""
        return self._written(self._contents(which, at))

    def tested(self, at: Reached, metrics: Mapping[str, float]) -> None:
        """Take in a test of the networks as they are now: write the best if this is it."""
        if not self._keeps_best:
            return
        rate = metrics.get("test_win_rate", 0.0)  # not there where nothing can be won
        score = [rate, 0.0 if rate else metrics["test_return"]]
        if not self._best or score >= self._best["score"]:
            contents = self._contents(BEST, at)
            self._best = {"score": score, "env_steps": at.env_steps, "contents": contents}
            self._written(contents)

    def best(self) -> tuple[list[Path], str]:
        """Files of the best, none where it is not kept, and what is said of them."""
        if not self._best:
            return [], ""
        (rate, value), steps = self._best["score"], self._best["env_steps"]
        parts = [f"won {rate:.0%}"] if self._spec.can_be_won else []
        told = ", ".join(parts if rate else [*parts, f"return {value:.2f}"])  # the return where it has decided
        paths = [self._folder.checkpoint(kind, BEST) for kind in self._best["contents"]]
        return paths, f"of the training's best test, at {steps:,} env steps: {told}"

    def state(self) -> dict[str, Any]:
        """What a resumed training needs: the best so far, whole, for its file may be of a later test by then."""
        return self._best

    def load(self, state: Mapping[str, Any]) -> None:
        """Go back to a saved `state`."""
        self._best = dict(state)
        if self._best:
            self._written(self._best["contents"])

    def _contents(self, which: str, at: Reached) -> dict[str, Any]:
        """Kind of policy -> content of its checkpoint."""
        learner = self._learner
        about = {
            "settings": self._settings.model_dump(),
            "env": spec_to_plain(self._spec),
            KEY: training_made_from(self._settings, self._spec.world).plain(),
            "teacher_id": identity(learner.result.state_dict()),
            "counters": {"env_steps": at.env_steps, "episodes": at.episodes, "updates": learner.updates},
            "kept": which,
        }
        training = {name: tensor.clone() for name, tensor in learner.networks().items()}
        teacher = {**about, "networks": _copied(learner.result), "training_networks": training}
        if learner.result is not learner.teacher:
            teacher["last_networks"] = _copied(learner.teacher)
        if not isinstance(learner, TeachesOnline):
            return {"teacher": teacher}
        file = self._folder.checkpoint("teacher", which).relative_to(self._folder.path).as_posix()
        student = {**about, "networks": _copied(learner.student_result), "teacher_file": file}
        return {"teacher": teacher, "student": student}

    def _written(self, contents: Mapping[Any, Any]) -> list[Path]:
        paths = []
        for kind, content in contents.items():
            path = self._folder.checkpoint(kind, content["kept"])
            save_checkpoint(path, kind, content)
            paths.append(path)
        return paths


def _copied(policy: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in policy.state_dict().items()}
