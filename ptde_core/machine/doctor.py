"""What this machine has and lacks for ptde, and the command that installs what is missing (`ptde doctor`)."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

import numpy as np

from ptde_core.base.errors import PtdeError, unknown
from ptde_core.base.provenance import code, machine, packages
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import ENVIRONMENTS, build_environment
from ptde_core.envs.contract import random_actions
from ptde_core.envs.engines.football.football_engine import LIBRARIES, PACKAGE
from ptde_core.envs.engines.starcraft.installed import PACKAGES as STARCRAFT
from ptde_core.envs.engines.starcraft.installed import Package, game_folder, map_file, require_game, require_package
from ptde_core.envs.engines.starcraft.starcraft_maps import RACES, SmacV2Map, smac_file
from ptde_core.envs.workers.host import VARIABLE, chosen_place
from ptde_core.envs.workers.limits import GIGABYTES, SECONDS, limits_of_machine
from ptde_core.envs.workers.local_host import one_thread_each
from ptde_core.results.table import Table
from ptde_core.runs.stage_settings import presets
from ptde_core.storage.tensorboard_file import tensorboard

Verdict = Literal["ok", "absent", "wrong"]
"""ok; absent: not installed, and optional; wrong: it prevents what was asked for."""

STEPS = 200  # env steps of the trial of an environment
IMPORT = """
import sys
from ptde_core.base.errors import PtdeError
from ptde_core.envs.engines.starcraft.starcraft_engine import imported
from ptde_core.envs.engines.starcraft.installed import PACKAGES
try:
    imported(PACKAGES[sys.argv[1]])
except PtdeError as error:
    print(error.problem, error.fix, sep="\\n")
    sys.exit(2)
"""
FOOTBALL_LIBRARIES = ("SDL2", "SDL2_image", "SDL2_ttf", "SDL2_gfx", "GL", "EGL", "boost_thread", "boost_filesystem")


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Args:
        what: the name of what was checked.
        found: what is there.
        verdict: whether that is sufficient.
        mend: what to type if it is not.
    """

    what: str
    found: str
    verdict: Verdict = "ok"
    mend: str = ""


Findings = Mapping[str, Sequence[Finding]]
"""Findings by what they concern: "" for ptde itself, else an environment's name."""


def examine(folder: Path, env: str | None = None, environment: Mapping[str, str] = os.environ) -> Findings:
    """Run all checks, and try each environment that can be used; nothing is changed.

    Args:
        folder: where runs would be written.
        env: the only environment to look at; by default all.
        environment: the environment variables.

    Raises:
        PtdeError: no such environment.
    """
    if env is not None and env not in ENVIRONMENTS:
        raise unknown("environment", env, ENVIRONMENTS)
    found: dict[str, Sequence[Finding]] = {"": [look() for look in _looks_at_ptde(folder, environment)]}
    for name in ENVIRONMENTS if env is None else (env,):
        parts = [look() for look in _looks_at(name, environment)]
        if env is not None:  # what was asked for is needed
            parts = [Finding(one.what, one.found, "wrong" if one.mend else one.verdict, one.mend) for one in parts]
        usable = all(one.verdict == "ok" for one in parts)
        found[name] = [*parts, *([_trial(name)] if usable else [])]
    return found


def healthy(findings: Findings) -> bool:
    """Whether no check says wrong."""
    return all(one.verdict != "wrong" for group in findings.values() for one in group)


def doctor_table(findings: Findings) -> Table:
    """One row for each check, and below the table what to type for each that is not ok."""
    says = "all that is needed is there" if healthy(findings) else "something is in the way: see the lines marked wrong"
    groups = tuple(
        tuple((name or "ptde" if k == 0 else "", one.what, one.verdict, one.found) for k, one in enumerate(group))
        for name, group in findings.items()
    )
    mends = {f"{one.what}: {one.mend}": None for group in findings.values() for one in group if one.mend}
    notes = ("absent: needed for that environment only. wrong: in the way.",) if mends else ()
    return Table(f"ptde doctor: {says}", ("for", "what", "verdict", "found"), groups, 4, (*mends, *notes))


def _looks_at_ptde(folder: Path, environment: Mapping[str, str]) -> tuple[Callable[[], Finding], ...]:
    return (
        lambda: Finding("version", code()),
        lambda: Finding("machine", machine()),
        *(partial(_needed, name) for name in _wanted_packages() if _version(name) is None),
        _imports,
        lambda: Finding("packages", ", ".join(f"{name} {found}" for name, found in packages().items())),
        _threads,
        _kernels,
        _graphics,
        lambda: _writable(folder),
        lambda: _patience(environment),
        lambda: _place(environment),
    )


def _looks_at(env: str, environment: Mapping[str, str]) -> tuple[Callable[[], Finding], ...]:
    """The checks of an environment."""
    if env in STARCRAFT:
        package = STARCRAFT[env]
        return (
            lambda: _package(package),
            lambda: _game(environment),
            lambda: _maps(package, environment),
        )
    if env == "football":
        return (_football, _football_libraries)
    return (_pettingzoo,) if env == "pettingzoo" else ()


def _trial(env: str) -> Finding:
    """Start an environment and play some steps with random actions; the finding says how long both took."""
    name, chance = ENVIRONMENTS[env].example, np.random.default_rng(0)
    began = time.perf_counter()
    try:
        batch = build_environment(env, name, 1)
        try:
            batch.reset(episode_seeds(0, "doctor", 0, 1))
            started, played = time.perf_counter(), 0
            for _ in range(STEPS):
                if (batch.terminated | batch.truncated | batch.lost)[0]:
                    played += 1
                    batch.reset(episode_seeds(0, "doctor", played, 1))
                batch.step(random_actions(batch, chance))
            took = time.perf_counter() - started
        finally:
            batch.close()
    except PtdeError as error:
        return Finding("trial", error.problem, "wrong", error.fix)
    speed = f"{STEPS} steps in {_digits(took)} s, {STEPS / took:,.0f} a second"
    return Finding("trial", f"{name}: ready after {_digits(started - began)} s, {speed}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _wanted_packages() -> list[str]:
    """The packages that ptde requires, from its metadata. Packages of extras are checked with what needs them."""
    try:
        lines = requires("ptde") or []
    except PackageNotFoundError:  # run from its folder without being installed
        return []
    return [re.split(r"[^\w.-]", line)[0] for line in lines if "extra ==" not in line]


def _needed(package: str) -> Finding:
    return Finding(package, "not installed", "wrong", f"python -m pip install {package}")


def _imports() -> Finding:
    """Whether a training can be imported: a package may be installed and broken."""
    try:
        tensorboard()
        importlib.import_module("ptde_core.pipeline.train_teacher")
    except PtdeError as error:
        return Finding("imports", error.problem, "wrong", error.fix.removeprefix("type: "))
    except ImportError as error:
        missing = (error.name or "ptde").partition(".")[0]
        return Finding(
            "imports", f"a training cannot be imported ({error})", "wrong", f"python -m pip install {missing}"
        )
    return Finding("imports", "all that a training imports")


def _threads() -> Finding:
    import torch

    set_by = os.environ.get("OMP_NUM_THREADS")
    return Finding("threads", f"{torch.get_num_threads()}, OMP_NUM_THREADS {set_by or 'not set'}")


def _kernels() -> Finding:
    from ptde_core import kernels

    return Finding("kernels", "on" if kernels.are_on() else f"off ({kernels.VARIABLE}): networks are torch's, slower")


def _graphics() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("GPU", "none that torch can use; ptde does not need one")
    return Finding("GPU", torch.cuda.get_device_name(0))


def _writable(folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding("runs", f"cannot write in {folder}: {error.strerror}", "wrong", "cd to a folder of your own")
    return Finding("runs", f"can be written in {folder}")


def _patience(environment: Mapping[str, str]) -> Finding:
    try:
        limits = limits_of_machine(environment)
    except PtdeError as error:
        return Finding("engines", error.problem, "wrong", f"unset {SECONDS} {GIGABYTES}")
    return Finding("engines", f"a step may take {limits.step_seconds:g} s, and one may hold {limits.gigabytes:g} GB")


def _place(environment: Mapping[str, str]) -> Finding:
    try:
        place = chosen_place(environment)
    except PtdeError as error:
        return Finding("workers", error.problem, "wrong", f"unset {VARIABLE}")
    ray = _version("ray")
    return Finding(
        "workers", f"{place}; {f'Ray {ray}' if ray else 'Ray is not installed, so they cannot go elsewhere'}"
    )


def _pettingzoo() -> Finding:
    found = _version("pettingzoo")
    if found is None:
        return Finding("PettingZoo", "not installed", "absent", "python -m pip install 'ptde[pettingzoo]'")
    return Finding("PettingZoo", found)


def _football() -> Finding:
    found = _version("gfootball")
    if found is None:
        return Finding("gfootball", "not installed", "absent", f"{PACKAGE}  (docs/how-to/football.md)")
    if importlib.util.find_spec("gfootball_engine") is None:
        return Finding(
            "gfootball", f"{found}, but its engine was not built", "absent", f"{PACKAGE}  (docs/how-to/football.md)"
        )
    if _version("six") is None:
        return Finding(
            "gfootball", f"{found}, but six, which it imports, is missing", "absent", "python -m pip install six"
        )
    return Finding("gfootball", found)


def _football_libraries() -> Finding:
    """Whether the system has the libraries of gfootball's engine, without which it can be neither built nor loaded."""
    missing = [name for name in FOOTBALL_LIBRARIES if find_library(name) is None]
    if missing:
        return Finding("its libraries", f"missing: {', '.join(missing)}", "absent", LIBRARIES)
    return Finding("its libraries", ", ".join(FOOTBALL_LIBRARIES))


def _package(package: Package) -> Finding:
    """Absent if it is not installed; wrong if another package has its name, or it cannot be imported."""
    try:
        found = require_package(package)
        # In a process of its own: smac and smacv2 must never be imported in the same process.
        words = [sys.executable, "-P", "-c", IMPORT, package.module]
        tried = subprocess.run(words, env=one_thread_each(), capture_output=True, text=True, check=False)
        if tried.returncode:
            problem, _, fix = tried.stdout.strip().partition("\n")
            raise PtdeError(problem or f"{package.module} cannot be imported", fix or f"type: {package.install}")
        return Finding(package.module, found)
    except PtdeError as error:
        there = importlib.util.find_spec(package.module) is not None
        return _refused(package.module, error, "wrong" if there else "absent")


def _game(environment: Mapping[str, str]) -> Finding:
    try:
        game = require_game(environment)
    except PtdeError as error:
        return _refused("StarCraft II", error, "absent")
    return Finding("StarCraft II", f"{game.build} in {game.folder}")


def _maps(package: Package, environment: Mapping[str, str]) -> Finding:
    """Whether the maps of the presets, or of SMACv2's races, are installed."""
    wanted: dict[str, tuple[str, ...]]
    if package.module == "smac":
        wanted = {name: (smac_file(name),) for name in presets()["maps"] if not name.startswith("academy_")}
    else:
        wanted = {race: SmacV2Map(race, 5, 5).files for race in RACES}
    folder = game_folder(environment)
    missing = [name for name, files in wanted.items() if not any((folder / map_file(file)).is_file() for file in files)]
    if not missing:
        return Finding("its maps", ", ".join(wanted))
    return Finding("its maps", f"missing: {', '.join(missing)}", "absent", package.install_maps(folder))


def _refused(what: str, error: PtdeError, verdict: Verdict) -> Finding:
    return Finding(what, error.problem, verdict, error.fix.removeprefix("type: "))


def _digits(seconds: float) -> str:
    """Two digits of short times, whole seconds of long ones."""
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:,.0f}"
