"""Events that the core sends to its listener. The core never prints; the CLI turns events into bars and lines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ptde_core.base.errors import PtdeError, quoted


@dataclass(frozen=True)
class StageStarted:
    """A stage begins (or goes on, when `done` > 0).

    Args:
        stage: the stage's name, as in `ptde STAGE`.
        title: one line for people ("teacher QMIX_SGI on 3m, seed 1").
        total: how much there is to do, counted in `unit`.
        unit: what is counted ("env steps", "episodes", "gradient steps").
        done: how much of it an earlier, interrupted run has already done.
    """

    stage: str
    title: str
    total: int
    unit: str
    done: int = 0


@dataclass(frozen=True)
class Progress:
    """The stage has done `done` of its total; `metrics` are the newest values by catalogue name."""

    stage: str
    done: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Compiled:
    """Kernels were compiled for `seconds` of the time since the last progress: not part of the stage's speed."""

    seconds: float


@dataclass(frozen=True)
class Logged:
    """A training has logged these metrics (by catalogue name) at `env_steps`: the newest line of metrics.jsonl."""

    env_steps: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class StageFinished:
    """The stage has done all it had to do, in `seconds` of wall time of this sitting."""

    stage: str
    seconds: float


@dataclass(frozen=True)
class FileSaved:
    """A file a user may open now exists at `path`; `meaning` says what it is in a few words."""

    path: Path
    meaning: str


@dataclass(frozen=True)
class Note:
    """A sentence the user should read (a one-time compilation, a skipped stage)."""

    text: str


@dataclass(frozen=True)
class CellSeen:
    """A cell of a sweep, as it is now.

    Args:
        name: such as "3m QMIX_SGI seed 1".
        state: pending, running, done, failed or stale.
        doing: the stage that is under way or comes next.
        share: of its training that is done.
        metrics: the newest of its training, by catalogue name.
        seconds_left: of one core; None where nobody knows.
    """

    name: str
    state: str
    doing: str
    share: float
    metrics: Mapping[str, float]
    seconds_left: float | None


@dataclass(frozen=True)
class SweepSeen:
    """All cells of a sweep as they are now; `seconds_left` of wall time until the last one is done, None: not known."""

    cells: tuple[CellSeen, ...]
    seconds_left: float | None


Event = StageStarted | Progress | Compiled | Logged | StageFinished | FileSaved | Note | SweepSeen
Listener = Callable[[Event], None]


def check_listener(listen: object) -> None:
    """Refuse what cannot be told, before any work begins.

    Raises:
        PtdeError: it cannot be called.
    """
    if not callable(listen):
        raise PtdeError(
            f"listen = {quoted(repr(listen))} is no function", "give one that takes an event, or none at all"
        )


def silent(event: Event) -> None:
    """The listener that ignores everything: for tests and for library use."""
