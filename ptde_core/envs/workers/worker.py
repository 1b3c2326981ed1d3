"""One engine's process as its pool sees it: started, asked, and ended for good."""

import os
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import Pipe

from ptde_core.envs.workers.child import CLOSE, STEP, Job
from ptde_core.envs.workers.engine import MakeEngine

CLOSING_SECONDS = 5.0  # what does not end by itself within these is killed
LAST_WORDS = 2000  # bytes of an engine's output that are read when it broke


class Worker:
    """An engine in a process of its own, with the guard around it.

    Args:
        make: builds the engine, there.
        row: its row of the batch.
        n_envs: rows E.
        memory: file descriptor of the shared memory.
    """

    def __init__(self, make: MakeEngine, row: int, n_envs: int, memory: int) -> None:
        self.connection, theirs = Pipe()
        watched, lifeline = os.pipe()
        self._output = tempfile.TemporaryFile("a+b")  # noqa: SIM115  lives as long as the process
        handed = (theirs.fileno(), memory, watched)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ptde_core.envs.workers.guard", *map(str, handed)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            pass_fds=handed,
            env=_environment(),
            start_new_session=True,
        )
        # Also when the pool is forgotten instead of closed.
        self._let_go = weakref.finalize(self, os.close, lifeline)
        theirs.close()
        os.close(watched)
        self.connection.send(Job(make, row, n_envs))

    def ask_step(self) -> None:
        """Play the step whose actions stand in the shared memory; the answer comes over `connection`."""
        self._tell(STEP)

    def ask_reset(self, seed: int) -> None:
        """Start an episode; the answer comes over `connection`."""
        self._tell(seed.to_bytes(8, "little"))

    def ask_close(self) -> None:
        """End by itself, so that the engine can put things in order."""
        self._tell(CLOSE)

    def _tell(self, message: bytes) -> None:
        with suppress(OSError):  # it has died; whoever waits for its answer finds out
            self.connection.send_bytes(message)

    def last_words(self) -> str:
        """The last line that the engine printed; "" if it printed none."""
        self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, self._output.tell() - LAST_WORDS))
        lines = self._output.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def wait(self, seconds: float) -> None:
        """Wait until it has ended by itself, at most so long."""
        with suppress(subprocess.TimeoutExpired):  # `end` ends it
            self._process.wait(seconds)

    def end(self) -> None:
        """Kill it, with all that it has started; afterwards none of its processes is left."""
        self._let_go()
        self.wait(CLOSING_SECONDS)
        if self._process.poll() is None:  # somebody has stopped the guard itself
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self.connection.close()
        self._output.close()


def _environment() -> Mapping[str, str]:
    """The parent's, with what it can import; one thread, for each engine has a core at best."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109  a text is wanted
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
