"""Jobs side by side: one process per core, each with one thread, which can be told to stop at a safe point.

The parent holds the standard input of such a process open. When it is closed, also because the parent has died, the
process saves and stops.
"""

import _thread
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ptde_core.base.errors import AtWorkError, PtdeError
from ptde_core.envs.workers.local_host import one_thread_each
from ptde_core.machine.interruption import Interruption

POLL_SECONDS = 1.0
DONE, USER_ERROR, AT_WORK, INTERRUPTED = 0, 2, 75, 130  # exit codes of a process; 75: another one is at work there

J = TypeVar("J")


class Running(Protocol):
    """One job that has been started, here or elsewhere."""

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, in whatever way."""

    def stop(self) -> None:
        """Tell it to save and end."""

    def kill(self) -> None:
        """End it at once."""

    def failure(self) -> Exception | None:
        """Why it failed; None if it was done, or was told to stop. Called once, when it has ended."""


class SideBySide(Generic[J]):
    """A queue of jobs, of which `at_once` run at a time.

    Args:
        waiting: jobs in the order of their start; the callback `ended` may add more.
        at_once: how many run at a time.
        start: starts a job.
    """

    def __init__(self, waiting: deque[J], at_once: int, start: Callable[[J], Running]) -> None:
        self.waiting = waiting
        self._at_once, self._start = at_once, start
        self._running: list[tuple[J, Running]] = []

    @property
    def running(self) -> list[J]:
        """The jobs that are running."""
        return [job for job, _ in self._running]

    def work(
        self,
        *,
        ended: Callable[[J, Exception | None], None],
        polled: Callable[[], None],
        ready: Callable[[J], bool] = lambda _: True,
    ) -> None:
        """Do all jobs.

        Args:
            ended: called with each job that has ended, and the reason if it failed. An exception that it raises stops
                the other jobs at a safe point, and is raised again when they have stopped.
            polled: called once a second, after `ended`.
            ready: whether a waiting job can be started now.

        Raises:
            KeyboardInterrupt: interrupted; all have stopped at a safe point.
        """
        raised: Exception | None = None
        with Interruption() as interruption:
            try:
                while True:
                    stopping = interruption.requested or raised is not None
                    if stopping:
                        for _, one in self._running:
                            one.stop()
                    else:
                        self._fill(ready)
                    if not self._running and (stopping or not self.waiting):
                        break
                    time.sleep(POLL_SECONDS)
                    over = [pair for pair in self._running if pair[1].has_ended]
                    self._running = [pair for pair in self._running if pair not in over]
                    for job, one in over:
                        try:
                            if (why := one.failure()) is not None or not stopping:
                                ended(job, why)
                        except Exception as error:  # raised again below
                            raised = raised or error
                    polled()
            finally:
                for _, one in self._running:  # a second Ctrl-C, or a bug
                    one.kill()
            if raised:
                raise raised
            interruption.raise_if_requested()

    def _fill(self, ready: Callable[[J], bool]) -> None:
        """Start jobs that are ready, in order."""
        for job in [job for job in self.waiting if len(self._running) < self._at_once and ready(job)]:
            if len(self._running) >= self._at_once:
                break
            self.waiting.remove(job)
            self._running.append((job, self._start(job)))


class Process:
    """One job in a process of its own, `python -m module arguments`, with one thread.

    Args:
        module: what it runs; it must exit with what `working` returns.
        arguments: of its command line.
        name: of the job in messages: "the training in runs/a".
        folder: its working directory; None: that of this process.
    """

    def __init__(self, module: str, arguments: Sequence[str], name: str, folder: Path | None = None) -> None:
        self._name = name
        self._told_to_stop = False
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  closed at its end
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            cwd=folder,
            env=one_thread_each(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,  # the terminal's Ctrl-C must reach only the parent, which then stops it
        )

    @property
    def has_ended(self) -> bool:
        """See `Running`."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """See `Running`."""
        self._told_to_stop = True
        self._close()

    def kill(self) -> None:
        """See `Running`."""
        self._process.kill()
        self._process.wait()
        self._close()
        self._errors.close()

    def failure(self) -> Exception | None:
        """See `Running`."""
        self._close()
        with self._errors:
            self._errors.seek(0)
            said = self._errors.read().strip()
        match self._process.returncode:
            case code if code == DONE:
                return None
            case code if code in {INTERRUPTED, -signal.SIGINT}:  # the second: Ctrl-C while it started or ended
                problem = f"{self._name} was interrupted from outside"
                return None if self._told_to_stop else PtdeError(problem, "type the same again: it goes on")
            case code if code == USER_ERROR:
                return PtdeError(said)
            case code if code == AT_WORK:
                return AtWorkError(said)
            case code:
                return RuntimeError(f"{self._name} ended with code {code}\n{said}")

    def _close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()


def working(work: Callable[[], object]) -> int:
    """Run such a process's work until it is done, or until standard input is closed; returns the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the parent ignores it
    try:
        threading.Thread(target=_interrupt_when_closed, daemon=True).start()
        work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except PtdeError as error:
        sys.stderr.write(str(error))
        return AT_WORK if isinstance(error, AtWorkError) else USER_ERROR
    return DONE


def _interrupt_when_closed() -> None:
    while os.read(0, 1):
        pass
    _thread.interrupt_main()
