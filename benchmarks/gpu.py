"""All that is to be known of ptde on a GPU, in one run of minutes: `bash benchmarks/gpu.sh`.

Whether the GPU learns as the CPU does, how fast trainings of one and of several seeds are, what an update takes, and
how much memory they need. `--device cpu` goes the same way without a GPU, to see that the script works.
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks import peers
from benchmarks.end_to_end import second_half
from benchmarks.figures import Figure, seconds
from benchmarks.synthetic import EPISODES, SPEC, batch_of, learner_of
from ptde_core.algorithms.stacked_learner import StackedLearner
from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.errors import PtdeError
from ptde_core.base.provenance import code, machine, packages

SECTION = "gpu"
INFORMATION = (("QMIX", "none"), ("QMIX_SGI", "agent-specific"))
SEEDS = (1, 8, 32)
UPDATES = 300
TOLERANCE = 1e-3  # of the weights, after so many updates on equal batches: norm of what differs / their norm
DIFFERENCE = "difference of the weights / the weights"
UPDATE_STEPS = 70  # of each of the 128 episodes of a batch whose update is timed
STEPS = 12_000  # env steps of each seed's training


def main() -> None:
    """Measure, print each figure as it comes, and keep them in one file."""
    parser = argparse.ArgumentParser("python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--quick", action="store_true", help="few repetitions: to see that it runs")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), metavar="FILE.json")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        built = f"torch {torch.__version__}, built for CUDA {torch.version.cuda or '(none)'}"
        parser.error(
            f"{built}, finds no CUDA device here; see which CUDA the driver supports (nvidia-smi), or try the script "
            "without a GPU: --device cpu"
        )
    about = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "machine": machine(),
        "packages": packages(),
        "code": code(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
    }
    figures: list[Figure] = []
    began = time.monotonic()
    for figure in _measure(device, options.quick):
        figures.append(figure)
        print(
            f"{time.monotonic() - began:5.0f} s  {figure.key}: {figure.value:,.4g} {figure.unit}  {figure.note}",
            flush=True,
        )
        kept = about | {"seconds": round(time.monotonic() - began), "figures": [asdict(one) for one in figures]}
        options.out.write_text(json.dumps(kept, indent=1))  # after each: time may be up
    if any(figure.unit == DIFFERENCE and figure.value > TOLERANCE for figure in figures):
        sys.exit(f"weights differ from the CPU's by more than {TOLERANCE}")


def _measure(device: torch.device, quick: bool) -> Iterator[Figure]:
    for name, info in INFORMATION:
        yield _equality(name, info, device, 20 if quick else UPDATES)
    for name, info in INFORMATION:
        for count in SEEDS[:2] if quick else SEEDS:
            yield from _update(name, info, count, device, 2 if quick else 5)
    for name, info in INFORMATION:
        for count in SEEDS[:2] if quick else SEEDS:
            yield from _training(name, info, count, device, 2_000 if quick else STEPS)
    if peers.installed("jaxmarl"):
        try:
            yield from peers.PEERS["jaxmarl"].measure(True)
        except PtdeError as error:
            print(f"the JAX peer failed: {error}", flush=True)


def _learners(info: str, count: int, **more: object) -> list[ValueDecompositionLearner]:
    return [learner_of("qmix", info, seed=seed, **more) for seed in range(1, count + 1)]


def _equality(name: str, info: str, device: torch.device, updates: int) -> Figure:
    """How far the weights are from the CPU's after updates from the same episodes."""
    rounds = [batch_of(SPEC, np.full(8, 10)) for _ in range(2)]
    own, other = (_learners(info, 1, batch_episodes=16)[0] for _ in range(2))
    stack = StackedLearner([other], device)
    for k in range(updates + 1):  # one round is too few for a batch
        own.learn(rounds[k % 2])
        stack.learn([rounds[k % 2]])
    stack.write_back()
    ours, theirs = (torch.cat([p.detach().flatten() for p in one.online.parameters()]) for one in (own, other))
    most = float((ours - theirs).norm() / ours.norm())
    return Figure(SECTION, f"{name}, {updates} updates beside the CPU's", most, DIFFERENCE, f"at most {TOLERANCE}")


def _update(name: str, info: str, count: int, device: torch.device, repeats: int) -> Iterator[Figure]:
    """One gradient step of so many seeds, from batches that lie on the device."""
    learners = _learners(info, count, replay_episodes=EPISODES)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        stack = StackedLearner(learners, device)
        episodes = batch_of(SPEC, np.full(EPISODES, UPDATE_STEPS))
        stack.learn([episodes] * count)
        took = seconds(partial(_synchronised, stack, device), repeats)
    except torch.OutOfMemoryError:
        print(f"{name}, {count} seeds: does not fit", flush=True)
        return
    what = f"{name}, {count} seed{'s' if count > 1 else ''}, {EPISODES} x {UPDATE_STEPS} steps each"
    yield Figure(SECTION, f"update, {what}", 1e3 * took, "ms", f"{1e3 * took / count:.3g} ms a seed")
    if device.type == "cuda":
        yield Figure(
            SECTION, f"memory, {what}", torch.cuda.max_memory_allocated() / 2**30, "GiB", "largest, on the device"
        )


def _synchronised(stack: StackedLearner, device: torch.device) -> None:
    stack.update()
    if device.type == "cuda":
        torch.cuda.synchronize()


def _training(name: str, info: str, count: int, device: torch.device, steps: int) -> Iterator[Figure]:
    """`ptde train-teacher --seeds`, as it is typed."""
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what torch keeps of the updates for the next ones would be missing to the training
    with tempfile.TemporaryDirectory() as folder:
        words = ("--map", "3s_vs_5z", "--global-info", info, "--seeds", str(count), "--steps", str(steps))
        fixed = (
            "--device",
            device.type,
            "--out",
            folder,
            "--quiet",
            "--set",
            "test_episodes=0",
            "--set",
            "test_every=1000",
        )
        command = [sys.executable, "-m", "ptde_cli", "train-teacher", *words, *fixed, "--set", "batch_episodes=32"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name}, {count} seeds: {(done.stderr.strip() or 'failed').splitlines()[-1]}", flush=True)
            return
        lines = [json.loads(line) for line in (Path(folder) / "seed1" / "metrics.jsonl").read_text().splitlines()]
    speed, playing = second_half(lines, steps)
    note = f"of all seeds together; {playing:.0%} of it playing; batches of 32 episodes, second half"
    yield Figure(
        SECTION, f"training, {name} on 3s_vs_5z, {count} seed{'s' if count > 1 else ''}", speed, "env steps/s", note
    )


if __name__ == "__main__":
    main()
