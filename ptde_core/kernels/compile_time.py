"""How long this process has been compiling kernels, told to whoever watches a stage, so that it counts as nothing else.

Numba says when it begins and ends to compile; what it takes from the cache is not compiled.
"""

from numba.core.event import TimingListener, register

from ptde_core.base.events import Compiled, Event, Listener, Progress

WORTH_TELLING = 1.0  # seconds: less waits until there is more


class _Clock(TimingListener):
    """Of the whole process, for so numba compiles, whoever watches."""

    told = 0.0  # of its seconds

    def untold(self) -> float:
        """Seconds that no stage has told of."""
        return float(self.duration) - self.told if self.done else 0.0


_clock = _Clock()  # type: ignore[no-untyped-call]  # numba's
register("numba:compile", _clock)  # type: ignore[no-untyped-call]


def telling_of_compiling(listen: Listener) -> Listener:
    """A listener that passes everything on, and tells of what was compiled before the progress that comes after it.

    Several around each other tell of everything once.
    """

    def tell(event: Event) -> None:
        if isinstance(event, Progress) and (seconds := _clock.untold()) >= WORTH_TELLING:
            _clock.told += seconds
            listen(Compiled(seconds))
        listen(event)

    return tell
