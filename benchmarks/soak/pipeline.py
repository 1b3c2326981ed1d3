"""One small pipeline (`ptde run`) in a process of its own, and what came of it, without what clocks have measured."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptde_core.base.errors import PtdeError
from ptde_core.storage.checkpoint import identity, load_checkpoint
from ptde_core.storage.episode_file import read_contents
from ptde_core.storage.evaluation_file import read_evaluation
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.provenance_file import read_provenance
from ptde_core.storage.run_folder import RunFolder, read_json
from ptde_core.storage.status import read_state

ROOT = Path(__file__).parents[2]
ALGORITHMS = ("qmix", "vdn", "qplex", "mappo", "csrl", "copa", "ctds")
SIZES = (
    *("--env", "game", "--map", "personal-signal", "--steps", "400", "--quiet"),
    *("--set", "test_every=100", "--set", "test_episodes=4", "--set", "checkpoint_seconds=0", "--keep", "best"),
    *("--set", "collect.episodes=8", "--set", "distill.steps=60", "--set", "evaluate.episodes=8"),
)
OF_ALGORITHM: Mapping[str, tuple[str, ...]] = {"mappo": ("--set", "rollout_steps=60")}
CLOCKS = {"env_steps_per_s", "play_share"}
USER_ERROR = 2


@dataclass
class Ended:
    """How a command ended, by itself or not."""

    code: int
    said: str

    @property
    def in_one_sentence(self) -> bool:
        """Whether it told of a fault as every command does."""
        own = [line for line in self.said.splitlines() if line.startswith("ptde: ")]
        return self.code == USER_ERROR and len(own) == 1 and "Traceback" not in self.said


@dataclass
class Pipeline:
    """A run folder, and the command that makes all of it."""

    alg: str
    folder: Path
    more: tuple[str, ...] = ()
    errors: dict[int, Path] = field(default_factory=dict, repr=False)  # pid -> what that process says

    @property
    def run(self) -> RunFolder:
        """The run folder."""
        return RunFolder(self.folder)

    def start(self) -> subprocess.Popen[bytes]:
        """Begin the command, or go on with it."""
        of_alg = OF_ALGORITHM.get(self.alg, ("--set", "batch_episodes=8"))
        with tempfile.NamedTemporaryFile(prefix="ptde-soak-", delete=False) as said:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "ptde_cli", "run", "--alg", self.alg, "--out", str(self.folder)),
                    *(*SIZES, *of_alg, *self.more),
                ],
                env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
        self.errors[process.pid] = Path(said.name)
        return process

    def ended(self, process: subprocess.Popen[bytes], seconds: float | None = None) -> Ended:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it has not ended within the time.
        """
        code = process.wait(seconds)
        said = self.errors.pop(process.pid)
        text = said.read_text(encoding="utf-8", errors="replace")
        said.unlink()
        return Ended(code, text)

    def finish(self) -> Ended:
        """Run it to its end."""
        return self.ended(self.start())


def result_of(run: RunFolder) -> dict[str, Any]:
    """All that a pipeline has computed: weights, logged numbers, evaluated episodes."""
    checkpoints = sorted(path for path in run.path.rglob("*.pt") if path.parent != run.resume)
    entries = read_evaluation(run.evaluation).entries
    return {
        "weights": {
            path.relative_to(run.path).as_posix(): identity(load_checkpoint(path, "teacher", "student")["networks"])
            for path in checkpoints
        },
        "metrics": [{key: row[key] for key in row if key not in CLOCKS} for row in read_metrics(run.metrics)],
        "evaluated": sorted((one.checkpoint, one.z, one.episodes.model_dump_json()) for one in entries),
    }


def unreadable(run: RunFolder) -> list[str]:
    """What of a run that nobody is at work in cannot be read, and what it says that is not so."""
    wrong = []
    readers: dict[Path, Callable[[Path], object]] = {
        run.config: lambda path: read_json(path, "settings"),
        run.provenance: read_provenance,
        run.metrics: read_metrics,
        run.evaluation: read_evaluation,
        run.state: lambda path: load_checkpoint(path, "training"),
        **{path: lambda path: load_checkpoint(path, "teacher", "student") for path in run.path.glob("*.pt")},
        **{path: lambda path: load_checkpoint(path, "student") for path in run.path.glob("students*/*.pt")},
        **{
            path: lambda path: read_contents(path, with_rows=True)
            for path in run.path.rglob("*.h5")
            if path.parent == run.path
        },
    }
    for path, read in readers.items():
        if path.exists():
            try:
                read(path)
            except PtdeError as error:
                wrong.append(str(error))
    if run.status.exists() and (state := read_state(run)) == "running":
        wrong.append(f"{run.status} says {state}, and nothing runs")
    return wrong
