"""Ctrl-C during long work: finish the current step, save, then stop. A second Ctrl-C stops at once.

A closed terminal (SIGHUP) and SIGTERM do the same.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Inside the `with`, the first signal of `STOPS` only sets `requested`, which the loop checks where it can stop."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():  # only there can handlers be set
            for number in STOPS:
                if number != signal.SIGINT and signal.getsignal(number) == signal.SIG_IGN:
                    continue  # started by nohup: it must outlive the terminal
                self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  the signature of a handler
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def raise_if_requested(self) -> None:
        """Raise KeyboardInterrupt if the user has asked to stop: call it where all is saved."""
        if self.requested:
            raise KeyboardInterrupt
