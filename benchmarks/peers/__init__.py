"""Others at the same work in the same run: JaxMARL's SMAX, QMIX of its sizes in JAX, BenchMARL's QMIX, PyMARL2's QMIX.

All are optional. They live in an environment of their own, so that ptde needs none of it: see `FOLDER` and `left_out`.
PyMARL2 is no package: its code is a clone that the user makes in that folder.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.end_to_end import trained
from benchmarks.figures import Figure, seconds
from benchmarks.simulator import wall_steps_per_second
from benchmarks.synthetic import batch_of, learner_for
from ptde_core.base.errors import PtdeError
from ptde_core.base.machine_memory import keep_freed_memory
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import build_environment
from ptde_core.rollout.play import play

SECTION = "peers"
WIN_RATE = "win rate"  # the one unit whose figures can be 0
FOLDER = Path(os.environ.get("PTDE_PEERS", ".peers"))
ROOT = Path(__file__).parents[2]
EPISODES, STEPS, ENVIRONMENTS = 128, 43, 8  # a batch, and the round that is played for it


@dataclass(frozen=True)
class Peer:
    """Another library."""

    measure: Callable[[bool], Iterator[Figure]]
    requirements: str
    clone: str = ""  # address of its code, where it is no package

    @property
    def install(self) -> str:
        """What to type, in the repository, to have it."""
        pip = f"python -m venv {FOLDER} && {FOLDER}/bin/pip install {self.requirements}"
        return f"{pip} && git clone {self.clone} {FOLDER}/{self.clone.rpartition('/')[2]}" if self.clone else pip


def installed(name: str) -> bool:
    """Whether the peers' environment has a package, or the clone of that name."""
    return (FOLDER / name).is_dir() or any(FOLDER.glob(f"lib/python*/site-packages/{name}"))


def left_out() -> list[str]:
    """A line for each peer that is not installed, with what to type."""
    return [f"{name} is not in {FOLDER}: {peer.install}" for name, peer in PEERS.items() if not installed(name)]


def measure(quick: bool) -> Iterator[Figure]:
    """Each peer that is installed, and ours right after it, on as many cores.

    Raises:
        PtdeError: no peer is installed, or one failed.
    """
    if len(left_out()) == len(PEERS):
        raise PtdeError(f"no peers in {FOLDER}", "the lines above install them; or set PTDE_PEERS to where they are")
    keep_freed_memory()
    for name, peer in PEERS.items():
        if installed(name):
            yield from peer.measure(quick)


def _jaxmarl(quick: bool) -> Iterator[Figure]:
    """Simulators side by side, then QMIX on 3s_vs_5z."""
    for map_name, count in (("3s5z_vs_3s6z", 64), ("3s_vs_5z", 8)):
        yield from _simulators(map_name, count, quick)
    found = _run("smax.py", "3s_vs_5z", "--environments", str(ENVIRONMENTS), "--learner", *_quick(quick), cores=None)
    peer = found["learner"]
    theirs = peer["update_seconds"], peer["collect_seconds"]
    compiled = f"compiled in {peer['compile_seconds']:.0f} s"
    note = f"on {found['device']}; {peer['sizes']}; our learner, see smax.py; {compiled}"
    yield from _round("QMIX in JAX on SMAX", *theirs, note)
    ours, sizes = _ours(quick)
    yield from _round("ptde", *ours, f"on cpu; {sizes}")
    where = f"QMIX, 3s_vs_5z; ptde on cpu, JAX on {found['device']}"
    yield Figure(SECTION, "ptde / JAX, both", sum(theirs) / sum(ours), "times", where)


def _benchmarl(quick: bool) -> Iterator[Figure]:
    """QMIX on 3s_vs_5z, both libraries in skirmish, in training."""
    speeds = {}
    for peer, words, rounds in (("BenchMARL", (), 40), ("BenchMARL through PettingZoo", ("--pettingzoo",), 12)):
        sizes = {"environments": ENVIRONMENTS, "episodes": EPISODES, "steps": STEPS, "rounds": 6 if quick else rounds}
        given = [word for name, size in sizes.items() for word in (f"--{name}", str(size))]
        found = _run("benchmarl_qmix.py", "3s_vs_5z", *words, *given, cores=None)
        times = found["update_seconds"], found["collect_seconds"]
        yield from _round(peer, *times, found["versions"])
        speeds[peer] = ENVIRONMENTS * STEPS / sum(times)
    ours = trained("none", quick)
    note = f"`ptde train-teacher`, {ours.play_share:.0%} of it playing"
    yield Figure(SECTION, "ptde, training", ours.speed, "env steps/s", note)
    for peer, speed in speeds.items():
        yield Figure(SECTION, f"ptde / {peer}, training", ours.speed / speed, "times", "QMIX, skirmish 3s_vs_5z")


def _pymarl2(quick: bool) -> Iterator[Figure]:
    """QMIX with PyMARL2's settings by both, the curves of their tests beside each other.

    Both play skirmish's battles, with 8 environments each; which battles a seed draws differs between the two.
    """
    map_name, steps, every = ("3m", 3_000, 1_000) if quick else ("5m_vs_6m", 300_000, 10_000)
    words = (str(FOLDER / "pymarl2"), map_name, "--steps", str(steps), "--test-every", str(every))
    theirs = _run("pymarl2_qmix.py", *words, cores=None, PTDE_SMAC_SEED_PER_PROCESS="1")
    ours = _trained_as_pymarl2(map_name, steps, every)
    for who, found in (("PyMARL2", theirs), ("ptde", ours)):
        what = f"{who}, QMIX on skirmish {map_name}"
        yield Figure(SECTION, f"{what}, training", steps / found["seconds"], "env steps/s", found["versions"])
        for part in range(1, 4):
            until = steps * part // 3
            rates = [rate for at, rate in zip(found["env_steps"], found["test_win_rate"], strict=True) if at <= until]
            yield Figure(SECTION, f"{what}, mean of the tests until {until}", float(np.mean(rates)), WIN_RATE)
        for at, rate in zip(found["env_steps"], found["test_win_rate"], strict=True):
            yield Figure(SECTION, f"{what}, test at {at}", float(rate), WIN_RATE)
    yield Figure(SECTION, "ptde / PyMARL2, training", theirs["seconds"] / ours["seconds"], "times", f"QMIX, {map_name}")


def _trained_as_pymarl2(map_name: str, steps: int, every: int) -> dict[str, Any]:
    """Our training with PyMARL2's settings, as `pymarl2_qmix.py` tells of theirs."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        settings = ("--map", map_name, "--global-info", "none", "--steps", str(steps), "--set", f"test_every={every}")
        references = ("--set", "bootstrap_at_limit=false", "--set", "td_loss_factor=0.5", "--set", "average_weights=0")
        of_map = ("--set", "epsilon_steps=100000", "--set", "batch_episodes=128", "--set", "updates_per_round=1")
        command = [sys.executable, "-m", "ptde_cli", "train-teacher", *settings, *references, *of_map]
        began = time.perf_counter()
        subprocess.run([*command, "--out", str(run), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        took = time.perf_counter() - began
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    curve = {name: [line[name] for line in lines] for name in ("env_steps", "test_win_rate")}
    return curve | {"seconds": took, "versions": "`ptde train-teacher` with PyMARL2's settings"}


def _simulators(map_name: str, count: int, quick: bool) -> Iterator[Figure]:
    found = _run("smax.py", map_name, "--environments", str(count), *_quick(quick), cores=1, JAX_PLATFORMS="cpu")
    peer = found["simulator"][str(count)]
    ours = wall_steps_per_second(build_environment("skirmish", map_name, count), 0.3 if quick else 2.0)
    what = f"{map_name}, {count} battles, one core, random valid actions"
    note = f"jax {found['jax']}; compiled in {peer['compile_seconds']:.0f} s"
    yield Figure(SECTION, f"SMAX, {what}", peer["steps_per_second"], "env steps/s", note)
    yield Figure(SECTION, f"skirmish, {what}", ours, "env steps/s", "other rules than SMAX's, nearer to the game's")
    yield Figure(SECTION, f"skirmish / SMAX, {what}", ours / peer["steps_per_second"], "times")


def _round(who: str, update: float, collect: float, note: str) -> Iterator[Figure]:
    """The parts of a round and their sum, from seconds."""
    steps = ENVIRONMENTS * STEPS
    yield Figure(SECTION, f"{who}, update, {EPISODES} x {STEPS}", 1e3 * update, "ms", note)
    yield Figure(SECTION, f"{who}, play, {steps} env steps", 1e3 * collect, "ms", note)
    yield Figure(SECTION, f"{who}, both", steps / (update + collect), "env steps/s", f"an update per {steps} steps")


def _ours(quick: bool) -> tuple[tuple[float, float], str]:
    """Seconds of an update from 128 episodes of 43 steps, and of a round of as many steps by 8 environments; sizes."""
    env = build_environment("skirmish", "3s_vs_5z", ENVIRONMENTS)
    learner = learner_for(env.spec, "qmix", "none")
    repeats = 2 if quick else 9
    updating = seconds(partial(learner.update, batch_of(env.spec, np.full(EPISODES, STEPS))), repeats)

    def round_of(number: int) -> int:
        """Play whole episodes, as many steps as they have; how many that were."""
        seeds = episode_seeds(1, "benchmark", number * ENVIRONMENTS, ENVIRONMENTS)
        return sum(episode.length for episode in play(env, learner.teacher, seeds, learner.exploration(10**9)))

    round_of(0)  # kernels are loaded
    began = time.perf_counter()
    played = sum(map(round_of, range(1, repeats + 1)))
    collecting = (time.perf_counter() - began) * ENVIRONMENTS * STEPS / played
    sizes = f"{env.spec.n_agents} agents, obs {env.spec.obs_size}, state {env.spec.state_size}"
    return (updating, collecting), sizes


def _quick(quick: bool) -> list[str]:
    return ["--quick"] if quick else []


def _run(script: str, *words: str, cores: int | None, **environment: str) -> dict[str, Any]:
    """What a peer's script prints; on one core, or on all that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    python, path = FOLDER.absolute() / "bin" / "python", Path(__file__).with_name(script)
    command = ["taskset", "-c", ",".join(map(str, allowed)), str(python), str(path), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}
    )
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise PtdeError(f"{script} failed: {last}", f"see all of it with PYTHONPATH={ROOT} {shlex.join(command)}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


PEERS: Mapping[str, Peer] = {
    "jaxmarl": Peer(_jaxmarl, "jaxmarl==0.2.0"),
    "benchmarl": Peer(_benchmarl, "-e '.[pettingzoo]' benchmarl==1.5.2"),
    "pymarl2": Peer(_pymarl2, "-e . pyyaml", "https://github.com/hijkzzz/pymarl2"),
}
