"""Every file name of a run, once. The stages meet only here, through files a person can open."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptde_core.base.errors import PtdeError

STUDENTS = "students"
PAPER = "paper"  # the way to distill whose student lies beside its teacher
REPLAYS = "replays"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one training run: one algorithm, one map, one seed."""

    path: Path

    @classmethod
    def of(cls, checkpoint: Path) -> "RunFolder":
        """The run that a checkpoint lies in: its folder, or the one above its folder of students."""
        folder = checkpoint.parent
        return cls(folder.parent if folder.name == STUDENTS else folder)

    @property
    def config(self) -> Path:
        """The complete effective settings of the teacher's training, JSON."""
        return self.path / "config.json"

    @property
    def status(self) -> Path:
        """running, finished, failed or interrupted, and why; JSON."""
        return self.path / "status.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a line: env_steps and metrics by catalogue name."""
        return self.path / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        """The same numbers for TensorBoard, in a folder of their own; the name is one that TensorBoard looks for."""
        return self.path / "tensorboard" / "events.out.tfevents.ptde"

    @property
    def provenance(self) -> Path:
        """The rules it plays by, and the code, packages and machine of each sitting; JSON."""
        return self.path / "provenance.json"

    @property
    def teacher(self) -> Path:
        """The trained teacher."""
        return self.path / "teacher.pt"

    @property
    def episodes(self) -> Path:
        """The teacher's episodes for distillation, HDF5."""
        return self.path / "episodes.h5"

    @property
    def student(self) -> Path:
        """The paper's student, or the one that was trained with its teacher (CTDS)."""
        return self.path / "student.pt"

    @property
    def students(self) -> Path:
        """Students by other recipes than the paper's, one file each, named after the recipe."""
        return self.path / STUDENTS

    def student_of(self, recipe: str) -> Path:
        """The student by a recipe."""
        return self.student if recipe == PAPER else self.students / f"{recipe}.pt"

    @property
    def all_students(self) -> list[Path]:
        """The students that are there: `student.pt` first, then the others by name."""
        return [*([self.student] if self.student.is_file() else []), *sorted(self.students.glob("*.pt"))]

    @property
    def evaluation(self) -> Path:
        """Every evaluated episode's seed, outcome, return, length; JSON."""
        return self.path / "evaluation.json"

    def replay(self, checkpoint: str, z: str) -> Path:
        """Episodes of an evaluation that were kept, HDF5.

        Args:
            checkpoint: path inside the run, as in evaluation.json.
            z: where its z came from; it stands in the name where a policy plays in more than one way.
        """
        name = checkpoint.removesuffix(".pt").replace("/", "-")
        return self.path / REPLAYS / f"{name}{f'-{z}' if z in ('sampled', 'mean') else ''}.h5"

    @property
    def figures(self) -> Path:
        """Pictures made by `ptde visualize`."""
        return self.path / "figures"

    @property
    def resume(self) -> Path:
        """What an interrupted training needs to go on exactly; gone once it has finished."""
        return self.path / "resume"


# What tells a run folder. A training that was killed as it began has the second alone; checkpoints that were copied, or
# a student that was written elsewhere, come with none of the first two.
MARKS = frozenset({"status.json", "provenance.json", "evaluation.json", "teacher.pt", "student.pt"})


def find_runs(roots: list[Path]) -> list[RunFolder]:
    """All run folders at or below the given folders, sorted by path.

    Raises:
        PtdeError: one of the folders does not exist.
    """
    found: set[Path] = set()
    for root in roots:
        if not root.is_dir():
            raise PtdeError(f"no folder at {root}", "give a folder that holds runs, such as runs/")
        found.update(Path(folder) for folder, _, files in os.walk(root) if not MARKS.isdisjoint(files))
    return [RunFolder(path) for path in sorted(found)]


def find_runs_here(runs: Path) -> list[RunFolder]:
    """What one means who names no folder: the current folder, the folders in it, and all at or below `runs`."""
    here = Path()
    near = [here, *(path for path in here.iterdir() if path.is_dir() and path != runs)]
    found = [RunFolder(path) for path in near if any((path / name).is_file() for name in MARKS)]
    return sorted([*found, *(find_runs([runs]) if runs.is_dir() else [])], key=lambda run: run.path)


def write_json(path: Path, value: Any) -> None:
    """Write JSON beside and rename over: a crash leaves the old file, never half a new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def read_json(path: Path, meaning: str) -> Any:
    """Read a JSON file that ptde wrote.

    Raises:
        PtdeError: it is missing or broken.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PtdeError(f"no {meaning} at {path}", "check the path") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise PtdeError(f"{path} is not a readable {meaning}", "it was cut or edited; make it anew") from None
