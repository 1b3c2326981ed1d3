"""Engines as processes of this machine: start them, send requests over pipes, and end them."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path

from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.block import Block, open_memory
from ptde_core.envs.workers.child import CLOSE, DONE, RECORD, RESET, STEP, Done, Job, Reply
from ptde_core.envs.workers.engine_contract import MakeEngine
from ptde_core.envs.workers.limits import Limits
from ptde_core.envs.workers.protocols import Worker

ENDING_SECONDS = 5.0  # time for a guard to end its engine; after it the guard itself is killed
LAST_WORDS = 2000  # bytes at the end of a broken engine's output that are read


class LocalPlace:
    """This machine. Observations, masks and actions pass through shared memory; pipes only carry "go" and "done".

    Args:
        make: builds an engine, in its process.
        n_envs: rows E.
        limits: of time and memory.
    """

    def __init__(self, make: MakeEngine, n_envs: int, limits: Limits) -> None:
        self._make, self._n_envs, self._limits = make, n_envs, limits
        self._memory = open_memory()
        self._free_memory = weakref.finalize(self, os.close, self._memory)

    def start(self, row: int) -> "LocalWorker":
        """See `Place`."""
        return LocalWorker(Job(self._make, row, self._n_envs, self._limits.gigabytes), self._memory)

    def answered(self, workers: Sequence[Worker], seconds: float) -> Sequence[Worker]:
        """See `Place`."""
        # Takes half the time of `multiprocessing.connection.wait`, which matters at every step.
        by_descriptor = {one.descriptor: one for one in workers if isinstance(one, LocalWorker)}
        poll = select.poll()
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        return [by_descriptor[descriptor] for descriptor, _ in poll.poll(1000.0 * seconds)]

    def block(self, spec: EnvSpec) -> Block:
        """See `Place`."""
        return Block(self._memory, spec, self._n_envs)

    def close(self) -> None:
        """See `Place`."""
        self._free_memory()


class LocalWorker:
    """An engine in a process of its own, with the guard around it.

    Args:
        job: the first message to the process.
        memory: file descriptor of the shared memory.
    """

    def __init__(self, job: Job, memory: int) -> None:
        self.connection, theirs = Pipe()
        self.descriptor = self.connection.fileno()
        watched, lifeline = os.pipe()
        self._output = tempfile.TemporaryFile("a+b")  # noqa: SIM115  lives as long as the process
        self._folder = tempfile.mkdtemp(prefix="ptde-engine-")  # for temporary files of the engine and its programs
        handed = (theirs.fileno(), memory, watched)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ptde_core.envs.workers.guard", *map(str, handed), self._folder],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            pass_fds=handed,
            env={**one_thread_each(), "TMPDIR": self._folder},
            start_new_session=True,
        )
        # Also where the pool is garbage-collected instead of closed.
        self._let_go = weakref.finalize(self, os.close, lifeline)
        theirs.close()
        os.close(watched)
        self.connection.send(job)

    def ask_step(self) -> None:
        """See `Worker`."""
        self._tell(STEP)

    def ask_reset(self, seed: int) -> None:
        """See `Worker`."""
        self._tell(RESET, seed)

    def ask_recording(self, path: Path) -> None:
        """See `Worker`."""
        self._tell(RECORD, path)

    def ask_close(self) -> None:
        """See `Worker`."""
        self._tell(CLOSE)

    def receive(self) -> Reply:
        """See `Worker`."""
        answer = os.read(self.descriptor, 1)
        if answer == DONE:
            return Done()
        if not answer:
            raise EOFError
        reply: Reply = self.connection.recv()
        return reply

    def _tell(self, what: bytes, *messages: int | Path) -> None:
        with suppress(OSError):  # it has died, which `receive` will report
            os.write(self.descriptor, what)
            for message in messages:
                self.connection.send(message)

    def last_words(self) -> str:
        """See `Worker`."""
        self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, self._output.tell() - LAST_WORDS))
        lines = self._output.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def wait(self, seconds: float) -> None:
        """See `Worker`."""
        with suppress(subprocess.TimeoutExpired):  # `end` ends it
            self._process.wait(seconds)

    def end(self) -> None:
        """See `Worker`."""
        self._let_go()
        self.wait(ENDING_SECONDS)
        if self._process.poll() is None:  # the guard itself was stopped (SIGSTOP)
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self.connection.close()
        self._output.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def one_thread_each() -> Mapping[str, str]:
    """A child's environment variables: the parent's, with its import path, and one thread for the one core it has."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109  a text is wanted
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
