"""Others at the same work in the same run: JaxMARL's SMAX, and QMIX of its sizes in JAX. Optional.

They live in an environment of their own, so that ptde needs none of it: see `FOLDER` and `INSTALL`.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Figure, seconds
from benchmarks.simulator import wall_steps_per_second
from benchmarks.synthetic import batch_of, learner_for
from ptde_core.base.errors import PtdeError
from ptde_core.base.memory import keep_freed_memory
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.catalogue import build_environment
from ptde_core.policies.play import play

SECTION = "peers"
FOLDER = Path(os.environ.get("PTDE_PEERS", ".peers"))
INSTALL = f"python -m venv {FOLDER} && {FOLDER}/bin/pip install jaxmarl==0.2.0"
SCRIPT = Path(__file__).with_name("smax.py")
EPISODES, STEPS, ENVIRONMENTS = 128, 43, 8  # a batch, and the round that is played for it


def installed() -> bool:
    """Whether the peers' environment is there."""
    return (FOLDER / "bin" / "python").exists()


def measure(quick: bool) -> Iterator[Figure]:
    """Simulators side by side, then QMIX; each of ours right after the peer's, on as many cores.

    Raises:
        PtdeError: the peers are not installed.
    """
    if not installed():
        raise PtdeError(f"no peers in {FOLDER}", f"{INSTALL}, or set PTDE_PEERS to where they are")
    keep_freed_memory()
    for map_name, count in (("3s5z_vs_3s6z", 64), ("3s_vs_5z", 8)):
        yield from _simulators(map_name, count, quick)
    yield from _learners(quick)


def _simulators(map_name: str, count: int, quick: bool) -> Iterator[Figure]:
    found = _peer(quick, map_name, "--environments", str(count), cores=1)
    peer = found["simulator"][str(count)]
    ours = wall_steps_per_second(build_environment("skirmish", map_name, count), 0.3 if quick else 2.0)
    what = f"{map_name}, {count} battles, one core, random valid actions"
    note = f"jax {found['jax']}; compiled in {peer['compile_seconds']:.0f} s"
    yield Figure(SECTION, f"SMAX, {what}", peer["steps_per_second"], "env steps/s", note)
    yield Figure(SECTION, f"skirmish, {what}", ours, "env steps/s", "other rules than SMAX's, nearer to the game's")
    yield Figure(SECTION, f"skirmish / SMAX, {what}", ours / peer["steps_per_second"], "times")


def _learners(quick: bool) -> Iterator[Figure]:
    """QMIX on 3s_vs_5z: a round of 8 environments and 43 steps, then an update from 128 episodes of as many."""
    found = _peer(quick, "3s_vs_5z", "--environments", "8", "--learner", cores=None)
    peer, steps = found["learner"], ENVIRONMENTS * STEPS
    env = build_environment("skirmish", "3s_vs_5z", ENVIRONMENTS)
    learner = learner_for(env.spec, "qmix", "none")
    repeats = 2 if quick else 9
    updating = seconds(partial(learner.update, batch_of(env.spec, np.full(EPISODES, STEPS))), repeats)
    played, began, number = 0, time.perf_counter(), 0
    while number < repeats:  # whole episodes, as many steps as they have
        seeds = episode_seeds(1, "benchmark", number * ENVIRONMENTS, ENVIRONMENTS)
        played += sum(episode.length for episode in play(env, learner.teacher, seeds, learner.exploration(10**9)))
        number += 1
    collecting = (time.perf_counter() - began) * steps / played
    sizes = f"{env.spec.n_agents} agents, obs {env.spec.obs_size}, state {env.spec.state_size}"
    theirs = peer["update_seconds"], peer["collect_seconds"]
    for who, (update, collect), note in (
        (
            "QMIX in JAX on SMAX",
            theirs,
            f"{peer['sizes']}; our learner, see smax.py; compiled in {peer['compile_seconds']:.0f} s",
        ),
        ("ptde", (updating, collecting), sizes),
    ):
        yield Figure(SECTION, f"{who}, update, {EPISODES} x {STEPS}", 1e3 * update, "ms", note)
        yield Figure(SECTION, f"{who}, play, {steps} env steps", 1e3 * collect, "ms", note)
        yield Figure(SECTION, f"{who}, both", steps / (update + collect), "env steps/s", f"an update per {steps} steps")
    yield Figure(SECTION, "ptde / JAX, both", sum(theirs) / (updating + collecting), "times", "QMIX, 3s_vs_5z")


def _peer(quick: bool, *words: str, cores: int | None) -> dict[str, Any]:
    """What the peers' script prints; on one core, or on all that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    command = ["taskset", "-c", ",".join(map(str, allowed)), str(FOLDER.absolute() / "bin" / "python"), str(SCRIPT)]
    done = subprocess.run(
        [*command, *words, *(["--quick"] if quick else [])], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
