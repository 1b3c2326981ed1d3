"""`ptde visualize` as people type it: files, replays next to each other, the terminal."""

import io
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from ptde_cli.player import drawn
from ptde_core.viewing.replays.chosen_episodes import shown_of
from ptde_core.viewing.replays.screen import screens_of
from tests.cli.conftest import ROOT, Pipeline, Type

# A shell's background jobs are born ignoring Ctrl-C; this one does not.
TYPED = """
import signal
from ptde_cli.app import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


@pytest.fixture(scope="session")
def kept(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run whose evaluation kept two episodes of each policy. Tests must not write into it."""
    run = Path(shutil.copytree(pipeline.run, tmp_path_factory.mktemp("kept") / "run"))
    words = ("evaluate", str(run / "student.pt"), "--episodes", "2", "--keep-replays", "2", "-q")
    subprocess.run([sys.executable, "-m", "ptde_cli", *words], cwd=ROOT, check=True, capture_output=True)
    return run


def test_a_run_and_its_replays_become_files(ptde: Type, kept: Path, tmp_path: Path) -> None:
    ended = ptde("visualize", kept, "--out", "figures", "--format", "html", "--format", "png", "--moment", "3", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "figures/play.png\nfigures/play.html\n", "")
    both = kept / "teacher.pt", kept / "students" / "recurrent.pt"
    ended = ptde("visualize", *both, "--out", "figures", "--format", "html")
    assert "; one episode of QMIX_ASGKD (recipe recurrent), " in ended.err
    assert "(recipe recurrent)" in (tmp_path / "figures" / "play.html").read_text()
    ended = ptde("visualize", kept, "--out", "figures", "--format", "html")
    assert f"not shown: {kept}/students/recurrent.pt; give two checkpoints to see them" in ended.err
    teacher, student = kept / "replays" / "teacher-mean.h5", kept / "replays" / "student.h5"
    ended = ptde("visualize", teacher, student, "--episode", "1", "--format", "gif", "--out", "figures")
    assert ended.code == 0
    assert "saved figures/play.gif (one episode of QMIX_SGI, " in ended.err
    assert "; one episode of QMIX_ASGKD, " in ended.err
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["play.gif", "play.html", "play.png"]


def test_mistakes_are_told_in_one_sentence(ptde: Type, kept: Path) -> None:
    replay = kept / "replays" / "student.h5"
    for words, sentence in (
        (("--format", "giff"), "no format named 'giff'; did you mean 'gif'?"),
        (("--episode", "2"), f"no episode 2 in {replay}: it holds 2; they count from 0"),
        (("--format", "terminal"), "there is no terminal to watch an episode on; take --format gif or html"),
    ):
        ended = ptde("visualize", replay, *words)
        assert (ended.code, ended.out, ended.err) == (2, "", f"ptde: {sentence}\n")


def test_an_episode_fits_a_terminal_of_24_lines(kept: Path) -> None:
    (shown,) = shown_of([kept / "replays" / "student.h5"], 0, 0)
    screens = list(screens_of(shown, 80, 23))
    assert len(screens) == shown.episode.length + 1
    for screen in (screens[0], screens[-1]):
        console = Console(file=io.StringIO(), width=80, height=24, force_terminal=False)
        console.print(drawn(screen))
        lines = console.file.getvalue().rstrip().splitlines()
        assert len(lines) <= 23
        assert max(map(len, lines)) <= 80
        assert lines[0] == "QMIX_ASGKD on 3m: skirmish (not SMAC)"
    field = "\n".join(text for row in screens[0].field for text, _ in row)
    assert all(letter in field for letter in "012m")
    whole = [*((str(agent), 1.0) for agent in range(3)), *[("m", 1.0)] * 3]
    assert [(line.letter, line.share) for line in screens[0].units] == whole
    assert screens[0].counter == f"step 0 of {shown.episode.length}, return 0.00"
    assert screens[-1].counter.endswith(shown.ending)


def test_ctrl_c_leaves_the_terminal_clean(kept: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", TYPED, "visualize", kept / "replays" / "student.h5", "--format", "terminal"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while b"step 1 of" not in shown:
        shown += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    try:
        while more := os.read(ours, 4096):
            shown += more
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 130
    assert b"Traceback" not in shown
    assert b"ptde: interrupted; to go on, type: ptde visualize" in shown
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")  # the cursor is back


def test_inspect_shows_what_matters(ptde: Type, kept: Path, tmp_path: Path) -> None:
    ended = ptde("inspect", kept, "--episodes", "2", "--out", "figures", "-q")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "What the z of QMIX_SGI on 3m: skirmish (not SMAC) depends on"
    assert any(line.split()[:1] == ["enemy_2"] and line.count("%") == 3 for line in lines)
    assert any("nearest enemy 9 cells and more away" in line for line in lines)
    for name in ("QMIX_ASGKD", r"QMIX_ASGKD \(recipe recurrent\)"):
        assert any(re.search(rf"not SMAC\) +{name} +all +-?\d+\.\d % \(", line) for line in lines), name
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["information.png", "information.svg"]
    few = ("--episodes", "1", "--directions", "1", "--format", "latex", "--out", "figures", "-q")
    assert ptde("inspect", kept, *few).out.startswith("\\begin{table}")
    ended = ptde("inspect", kept / "student.pt")
    assert (ended.code, ended.err) == (
        2,
        f"ptde: {kept / 'student.pt'} is a student; give its teacher: {kept / 'teacher.pt'}\n",
    )
