"""`ptde sweep` as typed: a plan, the work itself, killed or not, and how far it is."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ptde_cli.commands.sweep import name_of
from ptde_core.base.errors import PtdeError
from ptde_core.experiments.sweeps.cells import Cell, state_of
from ptde_core.experiments.sweeps.packing import pack
from ptde_core.experiments.sweeps.sweep_file import cells_of, read_sweep
from ptde_core.storage.checkpoint import identity, load_checkpoint
from ptde_core.storage.curve_file import metrics_of
from ptde_core.storage.run_folder import RunFolder, find_runs
from tests.cli.conftest import ROOT, Type, spawn
from tests.pipelines import snapshot

TINY = """
[settings]
env = "game"
map = "two-step"
steps = 400
batch_episodes = 8
test_every = 200
test_episodes = 4
recipe = ["paper"]
collect.episodes = 4
distill.steps = 60
evaluate.episodes = 8
"""
TWELVE = TINY.replace('map = "two-step"\n', "") + (
    '[[grid]]\nalgorithm = ["QMIX", "QMIX_SGI"]\nmap = ["two-step", "personal-signal"]\nseed = [1, 2, 3]\n'
)
DEADLINE = 250.0


def results(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What came of every run: its policies' weights, and every episode that they were measured on."""
    found = {}
    for run in find_runs([folder]):
        entries = json.loads(run.evaluation.read_text())["entries"]
        for one in entries:
            held = load_checkpoint(run.path / one["checkpoint"], "teacher", "student")
            assert identity(held["networks"]) == one["policy_id"]
        found[str(run.path.relative_to(folder))] = [
            (one["checkpoint"], one["z"], one["policy_id"], one["teacher_id"], json.dumps(one["episodes"]))
            for one in entries
        ]
    return found


def test_a_plan_trains_nothing(ptde: Type, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TWELVE)
    ended = ptde("sweep", "mine.toml", "--dry-run", "--processes", "3")
    assert ended.code == 0
    assert ended.out.startswith("mine: 12 cells, 3 processes on this machine")
    assert ended.out.count(" pending ") == 12
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_a_sweep_ends_goes_on_and_tells_how_far_it_is(ptde: Type, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TINY)
    first = ptde("sweep", "mine.toml")
    assert first.code == 0, first.err
    assert "two-step QMIX_SGI seed 1 is done" in first.err
    assert "1 done." in first.out
    run = tmp_path / "runs/game/two-step/QMIX_SGI/seed1"
    assert not (run / "resume").exists(), "no state to go on from is kept unless asked for"
    assert ptde("sweep", "status").out.count(" done ") >= 1
    written = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    again = ptde("sweep", "mine.toml", "--quiet")
    assert (again.code, again.err) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in run.iterdir()} == written
    pack(cells_of(read_sweep(Path("mine.toml"))), Path("runs"), Path("kept"))
    kept = Path("kept/game/two-step/QMIX_SGI/seed1")
    assert not (kept / "metrics.jsonl").exists()
    assert metrics_of(RunFolder(kept)) == metrics_of(RunFolder(run))
    assert results(Path("kept")) == results(Path("runs")), "with its teacher and its student"
    with pytest.raises(PtdeError, match="runs is the folder of the runs themselves"):
        pack(cells_of(read_sweep(Path("mine.toml"))), Path("runs"), Path("runs"))
    (run / "student.pt").unlink()
    assert "student.pt was evaluated, and is not there any more" in ptde("sweep", "status", "mine.toml").out


@pytest.mark.parametrize("ended_as", ["done", pytest.param("interrupted", marks=pytest.mark.slow)])
def test_a_changed_file_leaves_what_was_trained_and_says_so(ended_as: str, ptde: Type, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(TINY)
    assert ptde("sweep", "mine.toml", "--quiet").code == 0
    run = RunFolder(tmp_path / "runs/game/two-step/QMIX_SGI/seed1")
    run.cell.write_text(run.cell.read_text().replace('"done"', f'"{ended_as}"'))
    before = snapshot(run)
    for changed, says in (("steps = 500", "what it needs to go on was not kept"), ("steps = 100", "100 are fewer")):
        file.write_text(TINY.replace("\nsteps = 400", f"\n{changed}"))
        ended = ptde("sweep", "mine.toml")
        assert ended.code == 1
        (line,) = [line for line in ended.err.splitlines() if "is left as it is" in line]
        assert says in line
        assert line.endswith("give the sweep another folder (out = ...), or move that away")
        assert "tried once more" not in ended.err
        assert snapshot(run) == before
    file.write_text(TINY)
    state = {"done": "done", "interrupted": "pending"}[ended_as]
    assert f"1 {state}." in ptde("sweep", "status", "mine.toml").out, "the earlier file's cell is what it was"


def test_a_cell_that_cannot_be_is_named_and_the_others_go_on(ptde: Type, tmp_path: Path) -> None:
    taken = tmp_path / "runs/game/two-step/QMIX/seed1"
    taken.mkdir(parents=True)
    (taken / "config.json").write_text(json.dumps({"alg": "qmix", "steps": 400, "learning_rate": 0.5}))
    (tmp_path / "mine.toml").write_text(TINY + '[[grid]]\nalgorithm = ["QMIX", "VDN"]\n')
    ended = ptde("sweep", "mine.toml", "--keep", "kept")
    assert ended.code == 1
    assert [run.path.parent.name for run in find_runs([tmp_path / "kept"])] == ["VDN"], "what is done is kept"
    assert "not kept: two-step QMIX seed 1 is failed" in ended.err
    assert "two-step QMIX seed 1 failed and is tried once more: " in ended.err
    assert (
        "two-step QMIX seed 1 failed 2 times: runs/game/two-step/QMIX/seed1/config.json does not say what" in ended.err
    )
    assert "two-step VDN seed 1 is done" in ended.err
    assert "1 failed, 1 done." in ended.out
    assert "Traceback" in (taken / "error.txt").read_text()


@pytest.mark.parametrize(
    ("file", "name"), [("a.toml", "a"), ("runs/a.sweep.json", "a"), ("a.v2.toml", "a.v2"), ("a.v2.sweep.json", "a.v2")]
)
def test_the_name_of_a_sweep_is_that_of_its_file(file: str, name: str) -> None:
    assert name_of(Path(file)) == name


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("none.toml",), "no sweep's file at none.toml"),
        (("status", "none.toml"), "no sweep's file at none.toml"),
        (("status",), "no sweep has left its file in runs/"),
        (("status", "mine.toml", "--dry-run"), "status only looks"),
        (("mine.toml", "mine.toml"), "mine.toml mine.toml are 2 files; give one sweep at a time"),
        (("map.toml",), "no-such-game"),
        (("map.toml", "--dry-run"), "no-such-game"),
        (("mine.toml", "--processes", "0"), "--processes"),
        (
            ("mine.toml", "--slurm", "--slurm-option", "timeout_min"),
            "--slurm-option 'timeout_min' is not of the form key=value; type for example --slurm-option",
        ),
        (("mine.toml", "--keep", "map.toml"), "cannot use map.toml: not a directory"),
        (("mine.toml", "--keep", "runs/kept", "--dry-run"), "runs/kept is in runs, the folder of the runs"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(ptde: Type, tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "mine.toml").write_text(TINY)
    (tmp_path / "map.toml").write_text(TINY.replace("two-step", "no-such-game"))
    ended = ptde("sweep", *words)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.toml", "mine.toml"]


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_sweep_of_twelve_cells_killed_five_times_equals_an_undisturbed_one(tmp_path: Path) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for folder in (calm, killed):
        folder.mkdir()
        (folder / "mine.toml").write_text(TWELVE)
    assert spawn("sweep", "mine.toml", "--processes", "2", cwd=calm).code == 0
    chance = random.Random(19)
    for _ in range(5):
        with begun(killed) as process:
            time.sleep(chance.uniform(5.0, 25.0))
            process.send_signal(signal.SIGKILL)
    ended = spawn("sweep", "mine.toml", "--processes", "2", cwd=killed)
    assert ended.code == 0, ended.err
    assert "12 done." in ended.out
    assert len(results(calm)) == 12
    assert results(killed) == results(calm)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_cells_killed_themselves_are_tried_again(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TINY.replace("steps = 400", "steps = 20000") + "[[grid]]\nseed = [1, 2]\n")
    process = begun(tmp_path)  # closed by `communicate`
    cells = [in_folder(cell, tmp_path) for cell in cells_of(read_sweep(tmp_path / "mine.toml"))]
    deadline = time.monotonic() + DEADLINE
    while not all(cell.run.metrics.exists() for cell in cells) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(json.loads(cells[0].run.cell.read_text())["pid"], signal.SIGKILL)
    _, err = process.communicate(timeout=1500)
    assert "seed 1 failed and is tried once more: the cell in runs/game/two-step/QMIX_SGI/seed1 ended with code" in err
    assert [state_of(cell).state for cell in cells] == ["done", "done"]


def begun(cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ptde_cli", "sweep", "mine.toml", "--processes", "2"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_folder(cell: Cell, folder: Path) -> Cell:
    """The cell as seen from another working directory than its sweep's."""
    return replace(cell, run=RunFolder(folder / cell.run.path))
