"""The process that compiles on a second core: it must need what a training needs, and end with it."""

import subprocess
import sys
import time

import pytest

from ptde_core.pipeline.compile_ahead import compiling_aside
from ptde_core.runs.stage_settings import train_teacher_settings
from tests.marks import needs_kernels

# In a process of its own, where no other test has compiled anything: what stays uncompiled after the exercise?
COMPARE = """
import sys
from pathlib import Path
from ptde_core import kernels
from ptde_core.pipeline.compile_ahead import exercise
from ptde_core.runs.stage_settings import train_teacher_settings
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.rollout.round_kernel import go_on
from ptde_core.storage.run_folder import RunFolder

def compiled():
    entries = {name: one for name, one in vars(kernels).items() if hasattr(one, "signatures")} | {"go_on": go_on}
    return {(name, signature) for name, one in entries.items() for signature in one.signatures}

small = {"batch_episodes": 8} if sys.argv[1] != "mappo" else {}
settings = train_teacher_settings({"alg": sys.argv[1], "map": "3m", "steps": 600, "test_episodes": 0}, small)
exercise(settings)
ready = compiled()
train_teacher(settings, RunFolder(Path(sys.argv[2])))
assert ready, "the exercise compiled nothing"
assert compiled() == ready, compiled() - ready
"""


@pytest.mark.slow
@needs_kernels
@pytest.mark.parametrize("alg", ["qmix", "mappo"])
def test_the_exercise_needs_every_kernel_that_the_training_needs(alg, tmp_path):
    typed = [sys.executable, "-c", COMPARE, alg, str(tmp_path / "run")]
    done = subprocess.run(typed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_kernels
def test_the_process_ends_with_what_it_stands_beside(monkeypatch):
    monkeypatch.setattr("ptde_core.pipeline.compile_ahead.cores", lambda: 2)
    begun = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: begun.append(popen(*args, **options)) or begun[0])
    with compiling_aside(train_teacher_settings({"map": "3m"})):
        assert begun[0].poll() is None
        time.sleep(0.1)
    assert begun[0].poll() is not None


def test_none_is_started_where_no_core_is_free(monkeypatch):
    monkeypatch.setattr("ptde_core.pipeline.compile_ahead.cores", lambda: 1)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    with compiling_aside(train_teacher_settings({"map": "3m"})):
        pass
