"""The time that numba spends compiling, reported as an event, so that it does not count as a stage's own speed.

Kernels that come from the cache are not compiled and take no such time.
"""

from numba.core.event import TimingListener, register

from ptde_core.base.events import Compiled, Event, Listener, Progress

WORTH_TELLING = 1.0  # seconds; less is reported later, together with what follows


class _Clock(TimingListener):
    """Sums up the time that the whole process has spent compiling."""

    told = 0.0  # seconds that have been reported

    def untold(self) -> float:
        """Seconds that have not been reported yet."""
        return float(self.duration) - self.told if self.done else 0.0


_clock = _Clock()  # type: ignore[no-untyped-call]  # numba's
register("numba:compile", _clock)  # type: ignore[no-untyped-call]


def telling_of_compiling(listen: Listener) -> Listener:
    """A listener that passes every event on, and before a `Progress` reports what was compiled since the last one.

    Listeners may be wrapped twice: each second is reported once.
    """

    def tell(event: Event) -> None:
        if isinstance(event, Progress) and (seconds := _clock.untold()) >= WORTH_TELLING:
            _clock.told += seconds
            listen(Compiled(seconds))
        listen(event)

    return tell
