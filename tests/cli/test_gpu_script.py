"""`bash benchmarks/gpu.sh` where it cannot do its work: one sentence, and no half environment is left."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

OLD = ("python3", 'exit 1  # as of "is it 3.11 to 3.13?"')
BROKEN = (
    "python3",
    'if [ "$1" = -c ]; then exit 0; fi; mkdir -p "$3/bin"; printf "exit 1" > "$3/bin/python"; chmod +x "$3/bin/python"',
)
WORKING = (
    "python3",
    'if [ "$1" = -c ]; then exit 0; fi; mkdir -p "$3/bin"; printf "exit 0" > "$3/bin/python"; chmod +x "$3/bin/python"',
)
GPU = ("nvidia-smi", "echo 'GPU 0: pretended'")


def type_it(folder: Path, programs: tuple[tuple[str, str], ...], *words: str) -> "subprocess.CompletedProcess[str]":
    """Type it in a clone without its packages, where PATH has these programs first."""
    (folder / "benchmarks").mkdir(exist_ok=True)
    shutil.copy(ROOT / "benchmarks" / "gpu.sh", folder / "benchmarks")
    first = folder / "bin"
    first.mkdir(exist_ok=True)
    for name, body in (("nvidia-smi", "exit 9"), *programs):
        (first / name).write_text(f"#!/bin/bash\n{body}\n")
        (first / name).chmod(0o755)
    return subprocess.run(
        ["bash", "benchmarks/gpu.sh", *words],
        cwd=folder,
        env={**os.environ, "PATH": f"{first}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("programs", "words", "sentence"),
    [
        ((), (), "gpu.sh: no GPU here: nvidia-smi lists none; try a machine with one"),
        ((GPU, OLD), (), "gpu.sh: python3 is none of 3.11 to 3.13; put one of them first into PATH"),
        ((GPU, BROKEN), (), "gpu.sh: ptde could not be installed: pip says why above"),
        ((GPU, BROKEN), ("benchmarks",), "is a folder; give a file"),
        ((GPU, BROKEN), ("none/gpu.json",), "the folder of none/gpu.json is not there"),
    ],
)
def test_what_is_in_the_way_is_told_and_nothing_is_left(
    tmp_path: Path, programs: tuple[tuple[str, str], ...], words: tuple[str, ...], sentence: str
) -> None:
    ended = type_it(tmp_path, programs, *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert sentence in ended.stderr.splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["benchmarks", "bin"]


def test_an_environment_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".gpu").mkdir()
    assert type_it(tmp_path, (GPU, BROKEN)).returncode == 2
    assert (tmp_path / ".gpu" / "bin").is_dir()


def test_that_time_was_up_is_told(tmp_path: Path) -> None:
    ended = type_it(tmp_path, (GPU, WORKING, ("timeout", "exit 124")))
    assert ended.returncode == 124
    assert ended.stderr.splitlines()[-1] == f"gpu.sh: time was up; {tmp_path}/gpu.json has what was measured until then"
