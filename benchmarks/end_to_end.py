"""Training as a user runs it: env steps per second with PyMARL2's settings, memory, and how long the start takes."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure
from ptde_core.base.provenance import cores

SECTION = "end to end"


@dataclass(frozen=True)
class Training:
    """What a training took."""

    speed: float  # env steps per second
    play_share: float  # of the whole time
    episodes: int
    memory: float  # MiB, resident


def measure(quick: bool) -> Iterator[Figure]:
    """`ptde train-teacher` without information and with PTDE's: one on all cores, one on each; how long one starts."""
    for info in ("none", "agent-specific"):
        training = trained(info, quick)
        note = f"{training.play_share:.0%} of it playing"
        yield Figure(SECTION, f"qmix {info}, 3s_vs_5z", training.speed, "env steps/s", note)
        note = f"resident, after {training.episodes} episodes"
        yield Figure(SECTION, f"qmix {info}, 3s_vs_5z, memory", training.memory, "MiB", note)
        with ThreadPoolExecutor(cores()) as at_once:
            each = [at_once.submit(trained, info, quick, threads=1) for _ in range(cores())]
        together = sum(one.result().speed for one in each)
        note = f"beside {cores()} trainings of one thread each at once, {together:,.0f} env steps/s together"
        yield Figure(SECTION, f"qmix {info}, 3s_vs_5z, yield of threads", training.speed / together, "times", note)
    with tempfile.TemporaryDirectory() as folder:
        _, took = _train(Path(folder) / "run", "--map", "3m", "--steps", "1")
    yield Figure(SECTION, "a training of one round, from typing it to its end", took, "s", "kernels compiled before")


def trained(info: str, quick: bool, threads: int = 0) -> Training:
    """A training on 3s_vs_5z: 8 environments a round, batches of 128 episodes, one update a round.

    Speed and share of play are those of the second half: the first updates wait for 128 episodes, and kernels for
    large batches come from the disk then.

    Args:
        info: `--global-info`.
        quick: train less.
        threads: of the process; 0: as many as it takes by itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        steps = 20_000 if quick else 120_000
        peak, _ = _train(run, "--map", "3s_vs_5z", "--global-info", info, "--steps", str(steps), threads=threads)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return Training(*second_half(lines, steps), int(lines[-1]["episodes"]), peak)


def second_half(lines: Sequence[Mapping[str, float]], steps: int) -> tuple[float, float]:
    """Env steps per second of a training's second half, and the share of it that was play, from its log."""
    half, last = next(line for line in lines if line["env_steps"] >= steps / 2), lines[-1]
    spent = [line["env_steps"] / line["env_steps_per_s"] for line in (half, last)]
    played = [line["play_share"] * seconds for line, seconds in zip((half, last), spent, strict=True)]
    took = spent[1] - spent[0]
    return (last["env_steps"] - half["env_steps"]) / took, (played[1] - played[0]) / took


def _train(run: Path, *words: str, threads: int = 0) -> tuple[float, float]:
    """Train without tests; the process's largest resident memory in MiB, and its wall seconds."""
    fixed = ("--set", "test_episodes=0", "--set", "test_every=2000", "--out", str(run), "--quiet")
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ptde_cli", "train-teacher", *words, *fixed],
        stdout=subprocess.DEVNULL,
        env=os.environ | ({"OMP_NUM_THREADS": str(threads)} if threads else {}),
    )
    _, status, usage = os.wait4(process.pid, 0)  # unlike `process.wait()`, this tells its memory
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"train-teacher {' '.join(words)} failed"
    return usage.ru_maxrss / 1024, time.perf_counter() - began
