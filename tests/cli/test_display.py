import io
import re
import time

import numba
import pytest
from rich.console import Console

from ptde_cli.display import Bars, Lines, Pace, duration, print_tables
from ptde_core.base.events import Compiled, Event, FileSaved, Note, Progress, StageFinished, StageStarted
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.kernels import compile_time
from ptde_core.kernels.compile_time import telling_of_compiling
from ptde_core.results.table import Table


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def advance(pace: Pace, clock: Clock, seconds: float, done: int, **metrics: float) -> None:
    clock.now += seconds
    pace.advance(Progress("train-teacher", done, metrics))


def test_pace_says_speed_time_left_and_how_well_it_goes() -> None:
    clock = Clock()
    pace = Pace(StageStarted("train-teacher", "", 150_000, "env steps"), clock)
    assert (pace.speed, pace.left, pace.headline) == ("", "", "")
    advance(pace, clock, 25, 30_000, train_win_rate=0.25)
    assert (pace.speed, pace.left, pace.headline) == ("", "", "won 25%")
    advance(pace, clock, 10, 60_000, test_win_rate=0.5)
    assert (pace.speed, pace.left, pace.headline) == ("3,000 env steps/s", "30 s left", "won 50% in tests")
    advance(pace, clock, 10, 90_000)
    assert (pace.left, pace.headline) == ("20 s left", "won 50% in tests")


def test_pace_is_that_of_the_last_half_minute() -> None:
    clock = Clock()
    pace = Pace(StageStarted("train-teacher", "", 100_000, "env steps"), clock)
    for k in range(1, 7):
        advance(pace, clock, 10, 10_000 * k)
    for k in range(1, 7):
        advance(pace, clock, 10, 60_000 + 100 * k)
    assert pace.speed == "10 env steps/s"


def test_what_an_earlier_sitting_has_done_is_no_speed() -> None:
    clock = Clock()
    pace = Pace(StageStarted("train-teacher", "", 1000, "env steps", done=900), clock)
    advance(pace, clock, 10, 910)
    advance(pace, clock, 10, 920)
    assert (pace.speed, pace.left) == ("1 env steps/s", "1 min 20 s left")


def test_compiling_is_no_speed_and_a_line_of_its_own() -> None:
    """70 s of training after a minute of compiling, as lines and as a bar's words."""
    clock, stream = Clock(), io.StringIO()
    lines = Lines(stream, clock)
    lines(StageStarted("train-teacher", "teacher", 70_000, "env steps"))
    for k in range(1, 25):
        clock.now += 40 if k == 1 else 21 if k == 11 else 1  # the simulator, later the learner
        if k in (1, 11):
            lines(Compiled(40 if k == 1 else 20))
        lines(Progress("train-teacher", 1000 * k, {}))
    assert stream.getvalue().splitlines() == [
        "train-teacher: teacher (70,000 env steps)",
        "compiled kernels for 40 s; this is done once",
        "train-teacher: 1,000/70,000 env steps (1%)",
        "compiled kernels for 20 s; this is done once",
        "train-teacher: 11,000/70,000 env steps (16%), 1,000 env steps/s, 59 s left",
        "train-teacher: 21,000/70,000 env steps (30%), 1,000 env steps/s, 49 s left",
    ]


def test_what_is_compiled_is_told_once_before_the_next_progress() -> None:
    told: list[Event] = []
    listen = telling_of_compiling(telling_of_compiling(told.append))

    @numba.njit  # type: ignore[untyped-decorator]  # numba's
    def kernel(x: float) -> float:
        return x + 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compile_time, "WORTH_TELLING", 1e-9)
        listen(Progress("collect", 0))  # tells what earlier tests compiled
        told.clear()
        before = time.monotonic()
        kernel(1.0)
        took = time.monotonic() - before
        kernel(2.0)  # is compiled already
        listen(Note("something else"))
        listen(Progress("collect", 1))
        listen(Progress("collect", 2))
    assert [type(event) for event in told] == [Note, Compiled, Progress, Progress]
    assert isinstance(told[1], Compiled)
    assert took / 2 < told[1].seconds <= took


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (80, "1 min 20 s"), (11_100, "3 h 5 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_lines_are_occasional_and_plain() -> None:
    clock, stream = Clock(), io.StringIO()
    lines = Lines(stream, clock)
    lines(Note("the kernels are compiled once"))
    lines(StageStarted("train-teacher", "teacher QMIX_SGI on skirmish 3m, seed 1", 1000, "env steps"))
    for k in range(1, 51):
        clock.now += 0.5
        lines(Progress("train-teacher", 20 * k, {"train_win_rate": 0.1}))
    lines(StageFinished("train-teacher", 25))
    assert stream.getvalue().splitlines() == [
        "the kernels are compiled once",
        "train-teacher: teacher QMIX_SGI on skirmish 3m, seed 1 (1,000 env steps)",
        "train-teacher: 400/1,000 env steps (40%), won 10%",
        "train-teacher: 800/1,000 env steps (80%), 40 env steps/s, won 10%, 5 s left",
        "train-teacher: done in 25 s",
    ]


@pytest.mark.parametrize(("total", "told"), [(1, "(1 file)"), (2, "(2 files)"), (0, "(0 files)")])
def test_one_is_one(total: int, told: str) -> None:
    stream = io.StringIO()
    Lines(stream)(StageStarted("export", "student.pt", total, "files"))
    assert stream.getvalue() == f"export: student.pt {told}\n"


def test_a_saved_file_is_named_as_one_would_type_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    stream = io.StringIO()
    here = tmp_path_factory.mktemp("a folder")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        Lines(stream)(FileSaved(here / "runs" / "my run" / "teacher.pt", "the trained teacher"))
    assert stream.getvalue() == "saved 'runs/my run/teacher.pt' (the trained teacher)\n"


def test_a_piped_table_is_whole_and_plain() -> None:
    stream = io.StringIO()
    rows = (("QMIX_SGI [bold]", "293/320", "0.916 [0.880, 0.941]"), ("QMIX_ASGKD", "9/320", "—"))
    print_tables([Table("A title " * 30, ("Policy", "Won", "Win rate"), (rows,), 1, ("A note " * 50,))], stream)
    shown = stream.getvalue()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", shown)
    lines = [line.strip() for line in shown.splitlines()]
    assert ("A title " * 30).strip() in lines
    assert ("A note " * 50).strip() in lines
    assert "QMIX_SGI [bold]  293/320  0.916 [0.880, 0.941]" in lines
    assert re.search(r"QMIX_ASGKD +9/320 +—", shown)


def test_a_simulator_that_has_to_be_compiled_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ptde_core.envs.skirmish.skirmish.compiled", lambda: False)
    assert "compiling" in ENVIRONMENTS["skirmish"].preparation()
    monkeypatch.setattr("ptde_core.envs.skirmish.skirmish.compiled", lambda: True)
    assert not any(environment.preparation() for environment in ENVIRONMENTS.values())


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_bar_loses_no_word_on_a_narrow_terminal(width: int) -> None:
    facts = "15 env steps/s  return 1.54 in tests  0 s left"
    bars = Bars(io.StringIO())
    bars.bars.add_task("train-teacher", total=100, completed=100, facts=facts)
    console = Console(file=io.StringIO(), width=width)
    console.print(bars.bars.get_renderable())
    shown = console.file.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    words = shown.split()
    assert words[0] == "train-teacher"
    assert [word for word in words[1:] if "━" not in word] == ["100%", *facts.split()]
