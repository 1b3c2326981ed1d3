"""The names of all files of a run. Stages exchange data only through these files."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.untrusted import JSON_BYTES, parse_json, read_bytes
from ptde_core.storage.whole_file import write_text

STUDENTS = "students"
PAPER = "paper"  # the recipe whose student is the file beside its teacher
CHECKPOINTS = "checkpoints"
LAST, BEST = "last", "best"  # names of checkpoints; others are named by the env steps at which they were due
REPLAYS = "replays"
SHORTER = "until-"  # prefix of folders with the results of a training before it was continued
STALE = "stale-"  # prefix of folders with results whose origin has changed
UNFINISHED = ".ptde-unfinished-"  # prefix of folders with a copy of a run that is not whole yet
PUT_ASIDE = (SHORTER, STALE, UNFINISHED)
_IN_ASIDE = (f"{prefix}*{inner}" for prefix in PUT_ASIDE for inner in ("", "/*"))
FOLDERS = ("resume", "figures", "tensorboard", "wandb", CHECKPOINTS, f"{STUDENTS}*", REPLAYS, *_IN_ASIDE)  # of a run
OF_A_RUN = ("config.json", "status.json", "provenance.json", "teacher.pt")  # one of them lies in every run


@dataclass(frozen=True, init=False)
class RunFolder:
    """The folder of one training run: one algorithm, one map, one seed."""

    path: Path

    def __init__(self, path: Path | str) -> None:
        object.__setattr__(self, "path", Path(path))

    @classmethod
    def of(cls, checkpoint: Path) -> "RunFolder":
        """The run of a checkpoint: its folder, or the one above if the checkpoint is in `students` or `checkpoints`.

        A folder of such a name that has neither a run nor a checkpoint above it, such as a copy, counts as a run
        itself: results are written there.
        """
        folder = checkpoint.parent
        inner = folder.name == CHECKPOINTS or folder.name.partition("-")[0] == STUDENTS
        if not inner:
            return cls(folder)
        above = any((folder.parent / name).is_file() for name in OF_A_RUN) or any(folder.parent.glob("*.pt"))
        return cls(folder if folder.is_dir() and not above else folder.parent)

    @property
    def config(self) -> Path:
        """All settings of the teacher's training; JSON."""
        return self.path / "config.json"

    @property
    def status(self) -> Path:
        """running, finished, failed or interrupted, and why; JSON."""
        return self.path / "status.json"

    @property
    def cell(self) -> Path:
        """How far the run is as a cell of a sweep, and how it ended; JSON."""
        return self.path / "cell.json"

    @property
    def lock(self) -> Path:
        """The lock of the process that is at work in the folder (`run_lock.py`)."""
        return self.path / ".lock"

    @property
    def error(self) -> Path:
        """The traceback of a failed cell of a sweep, or of an error in the user's own code; text."""
        return self.path / "error.txt"

    @property
    def folders(self) -> list[Path]:
        """The run's folder, and those in it that its stages write into or move what is put aside to."""
        inner = [folder for pattern in FOLDERS for folder in sorted(self.path.glob(pattern))]
        return [self.path, *(folder for folder in inner if folder.is_dir())]

    @property
    def metrics(self) -> Path:
        """One JSON object a line: env_steps and metrics by catalogue name."""
        return self.path / "metrics.jsonl"

    @property
    def curve(self) -> Path:
        """The same as compressed CSV, in runs that are packed for others (`curve_file.py`)."""
        return self.path / "curve.csv.gz"

    @property
    def tensorboard(self) -> Path:
        """The same numbers for TensorBoard, in a folder of their own; the name is one that TensorBoard looks for."""
        return self.path / "tensorboard" / "events.out.tfevents.ptde"

    @property
    def provenance(self) -> Path:
        """The environment's version, and the code, packages and machine of each sitting; JSON."""
        return self.path / "provenance.json"

    @property
    def teacher(self) -> Path:
        """The trained teacher."""
        return self.path / "teacher.pt"

    def checkpoint(self, kind: Literal["teacher", "student"], which: str) -> Path:
        """A checkpoint of the training: LAST, BEST, or a number of env steps."""
        if which in (LAST, BEST):
            return self.path / f"{kind}{'' if which == LAST else f'-{which}'}.pt"
        return self.path / CHECKPOINTS / f"{kind}-{int(which):07d}.pt"

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
        """Students of teacher.pt by other recipes than the paper's, one file each, named after the recipe."""
        return self.path / STUDENTS

    @property
    def all_students(self) -> list[Path]:
        """The students of teacher.pt that are there (`all_students_of`)."""
        return all_students_of(self.teacher)

    @property
    def left_out(self) -> Path:
        """Which checkpoints were too large for a copy that is kept for others, and their sizes; JSON."""
        return self.path / "left_out.json"

    @property
    def evaluation(self) -> Path:
        """Every evaluated episode's seed, outcome, return, length; JSON."""
        return self.path / "evaluation.json"

    def replay(self, checkpoint: str, z: str, seed: int = 0, threshold: float = 0.0) -> Path:
        """Episodes of an evaluation that were kept, HDF5.

        Args:
            checkpoint: path inside the run, as in evaluation.json.
            z: where its z came from; part of the name where a policy is evaluated in more than one way.
            seed: of the episodes; part of the name where it is not the usual one.
            threshold: of a coach's messages; part of the name where it is not 0.
        """
        name = checkpoint.removesuffix(".pt").replace("/", "-")
        marks = [f"-{z}"] if z in {"sampled", "mean"} else []
        marks += [f"-seed{seed}"] if seed else []
        marks += [f"-threshold{threshold:g}"] if threshold else []
        return self.path / REPLAYS / f"{name}{''.join(marks)}.h5"

    @property
    def figures(self) -> Path:
        """Pictures made by `ptde visualize` and `ptde inspect`."""
        return self.path / "figures"

    @property
    def resume(self) -> Path:
        """What a training needs to resume exactly: its state and its replay buffer."""
        return self.path / "resume"

    @property
    def state(self) -> Path:
        """Networks, optimizer and counters of the state to resume from."""
        return self.resume / "state.pt"

    def forget_state(self) -> None:
        """Delete the state to resume from; the training cannot be continued then."""
        shutil.rmtree(self.resume, ignore_errors=True)

    def shorter(self, steps: int) -> Path:
        """The folder for the results after `steps` env steps, once the training has been continued."""
        return self.path / f"{SHORTER}{steps:07d}"

    def stale(self, digest: str) -> Path:
        """The folder for results with this digest of their origin, which are made again."""
        return self.path / f"{STALE}{digest[:8]}"

    def made_from_teacher(self) -> list[Path]:
        """The files that were made from the teacher, and those that a longer training may choose again (the best)."""
        patterns = (
            *("episodes*.h5", "student*.pt*", "student*.dagger-*.h5", STUDENTS, f"{STUDENTS}-{BEST}", "teacher-*.pt"),
            *(f"{kind}*.{form}" for kind in ("teacher", "student") for form in ("onnx", "npz")),  # `ptde export`
            *(self.evaluation.name, REPLAYS, self.figures.name),
        )
        return [path for pattern in patterns for path in sorted(self.path.glob(pattern))]

    def made_in_training(self) -> list[Path]:
        """All files of a run that exist, config.json last."""
        own = (self.status, self.provenance, self.metrics, self.tensorboard.parent, self.resume, self.teacher)
        shorter = sorted(self.path.glob(f"{SHORTER}[0-9]*"))
        paths = [*self.made_from_teacher(), self.path / CHECKPOINTS, *shorter, *own, self.config]
        return [path for path in paths if path.exists()]


def first_free(path: Path, is_taken: Callable[[Path], bool]) -> Path:
    """The path, or where that is taken the first of path-2, path-3, ... that is not."""
    free, number = path, 1
    while is_taken(free):
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def student_of(teacher: Path, recipe: str = PAPER) -> Path:
    """The path of a teacher's student by a recipe.

    The paper's lies beside its teacher: student.pt of teacher.pt, student-best.pt of teacher-best.pt. Another recipe's
    lies in a folder of the run: students/<recipe>.pt, students-best/<recipe>.pt.
    """
    return (
        teacher.with_name(f"student{_ending(teacher)}.pt") if recipe == PAPER else students_of(teacher) / f"{recipe}.pt"
    )


def all_students_of(teacher: Path) -> list[Path]:
    """The students of a teacher that exist: the one beside it first, then those of other recipes by name."""
    beside = student_of(teacher)
    return [*([beside] if beside.is_file() else []), *sorted(filter(Path.is_file, students_of(teacher).glob("*.pt")))]


def checkpoints_of(place: Path) -> list[Path]:
    """What stands for a run where policies are asked for: teacher.pt, and its students that are there.

    A place that is no folder stands for itself; a run without either for its best ones, else for the teacher.pt that
    it lacks.
    """
    if not place.is_dir():
        return [place]
    run = RunFolder(place)
    found = [*([run.teacher] if run.teacher.is_file() else []), *run.all_students]
    others = [path for path in (run.checkpoint("teacher", BEST), run.checkpoint("student", BEST)) if path.is_file()]
    return found or others or [run.teacher]


def episodes_of(teacher: Path) -> Path:
    """The path of a teacher's episodes: episodes.h5 beside it; of teacher-best.pt episodes-best.h5."""
    return teacher.with_name(f"episodes{_ending(teacher)}.h5")


def students_of(teacher: Path) -> Path:
    """The folder of a teacher's students by other recipes in its run: students; of teacher-best.pt students-best."""
    folder = RunFolder.of(teacher).students
    return folder.with_name(folder.name + _ending(teacher))


def _ending(teacher: Path) -> str:
    """What follows "teacher" in the file's name, such as "-best"; nothing for a name of another kind."""
    word, dash, rest = teacher.stem.partition("-")
    return dash + rest if word == "teacher" else ""


# A folder with one of these is a run folder. A training that was killed at its start has only the second; copied
# checkpoints, or a student that was written elsewhere, have neither of the first two.
CHECKPOINTS_ALONE = frozenset({"teacher.pt", "student.pt", f"teacher-{BEST}.pt", f"student-{BEST}.pt"})
MARKS = frozenset({"status.json", "provenance.json", "evaluation.json"}) | CHECKPOINTS_ALONE


def find_runs(roots: list[Path]) -> list[RunFolder]:
    """All run folders at or below the given folders, sorted by path, without what was put aside or is unfinished.

    A link to a run folder is one; links to other folders are not followed.

    Raises:
        PtdeError: one of the folders does not exist.
    """
    found: set[Path] = set()
    for root in roots:
        if not root.is_dir():
            raise PtdeError(f"no folder at {root}", "give a folder that holds runs, such as runs/")
        for folder, inner, files in os.walk(root):
            inner[:] = [name for name in inner if not name.startswith(PUT_ASIDE)]
            linked = [path for path in (Path(folder, name) for name in inner) if path.is_symlink()]
            found |= {path for path in linked if not MARKS.isdisjoint(_look_into(path)[1])}
            if not MARKS.isdisjoint(files):
                found.add(Path(folder))
    return [RunFolder(path) for path in sorted(found)]


def find_runs_here(runs: Path) -> list[RunFolder]:
    """The runs that are meant where no folder is named: here, in the folders here, and at any depth below `runs`.

    A folder here may also hold seeds: `--seeds 3 --out FOLDER` makes FOLDER/seed1 and so on.
    """
    here = Path()
    inner, files = _look_into(here)
    near = [(here, files)]
    for folder in (here / name for name in inner if here / name != runs and not name.startswith(PUT_ASIDE)):
        deeper, files = _look_into(folder)
        seeds = [folder / name for name in deeper if name.startswith("seed")]
        near += [(folder, files), *((seed, _look_into(seed)[1]) for seed in seeds)]
    found = [RunFolder(path) for path, files in near if not MARKS.isdisjoint(files)]
    return sorted([*found, *(find_runs([runs]) if runs.is_dir() else [])], key=lambda run: run.path)


def _look_into(folder: Path) -> tuple[list[str], list[str]]:
    """The names of the folders and of the files in a folder; none if this user may not look into it."""
    _, folders, files = next(os.walk(folder), ("", [], []))
    return folders, files


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


ANEW = "it was cut or edited; move it away, and type the same again"


def read_json(path: Path, meaning: str, again: str = ANEW) -> Any:
    """Read a JSON file that ptde wrote.

    Args:
        path: the file.
        meaning: what it should be, in words.
        again: what to do if it is broken.

    Raises:
        PtdeError: it is missing or broken.
    """
    data = read_bytes(path, meaning, JSON_BYTES)
    try:
        return parse_json(data)
    except ValueError as error:
        raise PtdeError(f"{path} is not a readable {meaning} ({quoted(error)})", again) from None
