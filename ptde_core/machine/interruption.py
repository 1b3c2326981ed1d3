"""Ctrl-C during long work: finish the piece in hand, save, then stop. A second Ctrl-C stops at once.

A closed terminal (SIGHUP) and a request to end (SIGTERM) are the same.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Inside the `with`, the first of `STOPS` only sets `requested`; the loop asks at its own safe points."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():  # signals can be taken over only there
            for number in STOPS:
                if number != signal.SIGINT and signal.getsignal(number) == signal.SIG_IGN:
                    continue  # nohup: who has started this wants it to outlive the terminal
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
