"""A thread that does one thing whenever it is told to, for steps too short for a thread pool's queue and futures."""

from collections.abc import Callable
from threading import Lock, Thread


class Worker:
    """Calls `work` in its own thread, once between each `start` and the `wait` after it. `work` must not raise."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Callable[[], None] | None = work
        self._told, self._done = Lock(), Lock()
        self._told.acquire()
        self._done.acquire()
        Thread(target=self._serve, name="ptde-skirmish", daemon=True).start()

    def start(self) -> None:
        """Have the thread begin; `wait` must follow before the next start.

        Raises:
            RuntimeError: the worker was stopped.
        """
        if self._work is None:
            raise RuntimeError("the worker was stopped")
        self._told.release()

    def wait(self) -> None:
        """Return when the thread has done what `start` told it."""
        self._done.acquire()

    def stop(self) -> None:
        """End the thread."""
        self._work = None
        self._told.release()

    def _serve(self) -> None:
        while self._told.acquire():
            if self._work is None:
                return
            self._work()
            self._done.release()
