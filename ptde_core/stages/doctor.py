"""What this machine has and what it lacks for ptde, each lack with the command that mends it (`ptde doctor`)."""

import importlib.util
import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from ptde_core.base.errors import PtdeError
from ptde_core.base.provenance import code, machine
from ptde_core.envs.football.engine import INSTALL, LIBRARIES
from ptde_core.envs.workers.limits import SECONDS, limits_of_machine
from ptde_core.stages.tables import NOTHING, Table

Verdict = Literal["ok", "absent", "wrong"]
"""ok; not there, and only needed for something optional; or in the way of what ptde does."""

REAL_SMAC = "python -m pip install git+https://github.com/oxwhirl/smac.git"
WRONG_SMAC = f"python -m pip uninstall --yes smac; {REAL_SMAC}"
PACKAGES = (
    "torch",
    "numpy",
    "numba",
    "scipy",
    "h5py",
    "pydantic",
    "typer",
    "rich",
    "tabulate",
    "matplotlib",
    "pillow",
    "tensorboard",
)
VARIABLE_OF_GAME = "SC2PATH"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        what: its name.
        found: what is there.
        verdict: whether that will do.
        mend: what to type if it will not.
    """

    what: str
    found: str
    verdict: Verdict = "ok"
    mend: str = ""


def examine(folder: Path, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at everything; nothing is changed, and nothing is started.

    Args:
        folder: where runs would be written.
        environment: the environment variables.
    """
    looks: tuple[Callable[[], Finding], ...] = (
        lambda: Finding("ptde", code()),
        lambda: Finding("Python", platform.python_version()),
        lambda: Finding("machine", machine()),
        *(partial(_needed, name) for name in PACKAGES),
        _threads,
        _graphics,
        _compiled,
        lambda: _writable(folder),
        lambda: _patience(environment),
        _pettingzoo,
        _football,
        _football_libraries,
        _smac,
        lambda: _starcraft(environment),
    )
    return [look() for look in looks]


def healthy(findings: Sequence[Finding]) -> bool:
    """Whether nothing is in the way of what ptde does."""
    return all(finding.verdict != "wrong" for finding in findings)


def doctor_table(findings: Sequence[Finding]) -> Table:
    """One line per thing; what to type is the last column."""
    rows = tuple((one.what, one.verdict, one.found, one.mend or NOTHING) for one in findings)
    says = (
        "all that ptde needs is there" if healthy(findings) else "something is in the way: see the lines marked wrong"
    )
    notes = (
        "absent: not needed for skirmish and the small games. wrong: in the way, mend it first.",
        "StarCraft II: this version has the workers for such engines, the adapter is still to come.",
    )
    return Table(f"ptde doctor: {says}", ("what", "verdict", "found", "to mend it, type"), (rows,), 4, notes)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _needed(package: str) -> Finding:
    found = _version(package)
    if found is None:
        return Finding(package, "not installed", "wrong", f"python -m pip install {package}")
    return Finding(package, found)


def _threads() -> Finding:
    import torch

    set_by = os.environ.get("OMP_NUM_THREADS")
    return Finding("threads", f"{torch.get_num_threads()}, OMP_NUM_THREADS {set_by or 'not set'}")


def _graphics() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("GPU", "none that torch can use; ptde does not need one", "absent")
    return Finding("GPU", torch.cuda.get_device_name(0))


def _compiled() -> Finding:
    from ptde_core.envs.skirmish.environment import compiled

    if compiled():
        return Finding("simulator", "compiled for this machine")
    return Finding(
        "simulator", "not compiled yet; the first battle does it, within a minute", "absent", "ptde run --map 3m"
    )


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
        return Finding(SECONDS, error.problem, "wrong", f"unset {SECONDS}")
    return Finding(SECONDS, f"an engine's step may take {limits.step_seconds:g} s")


def _pettingzoo() -> Finding:
    found = _version("pettingzoo")
    if found is None:
        return Finding("PettingZoo", "not installed", "absent", "python -m pip install 'ptde[pettingzoo]'")
    return Finding("PettingZoo", found)


def _football() -> Finding:
    found = _version("gfootball")
    if found is None:
        return Finding("football", "gfootball is not installed", "absent", INSTALL)
    if importlib.util.find_spec("gfootball_engine") is None:
        return Finding("football", f"gfootball {found}, but its engine was not built", "absent", INSTALL)
    if _version("six") is None:
        return Finding(
            "football", f"gfootball {found}, but not six, which it imports", "absent", "python -m pip install six"
        )
    return Finding("football", f"gfootball {found}")


def _football_libraries() -> Finding:
    """Whether the system has what gfootball's engine loads; without them it is neither built nor loaded."""
    wanted = ("SDL2", "SDL2_image", "SDL2_ttf", "SDL2_gfx", "GL", "EGL", "boost_thread", "boost_filesystem")
    missing = [name for name in wanted if find_library(name) is None]
    if not missing:
        return Finding("football's libraries", ", ".join(wanted))
    return Finding("football's libraries", f"missing: {', '.join(missing)}", "absent", LIBRARIES)


def _smac() -> Finding:
    """PyPI's `smac` tunes hyperparameters (SMAC3 of AutoML); the one with StarCraft II has a `smac/env` folder."""
    found = importlib.util.find_spec("smac")
    if found is None:
        return Finding("smac", "not installed", "absent", REAL_SMAC)
    places = [Path(place) for place in found.submodule_search_locations or ()]
    if not any((place / "env").is_dir() for place in places):
        told = f"{_version('smac') or 'unknown version'} is PyPI's smac, a tuner of hyperparameters, not StarCraft II's"
        return Finding("smac", told, "wrong", WRONG_SMAC)
    if _version("pysc2") is None:
        return Finding("smac", "oxwhirl's smac, but pysc2 is missing", "absent", "python -m pip install pysc2")
    return Finding("smac", f"oxwhirl's smac, pysc2 {_version('pysc2')}")


def _starcraft(environment: Mapping[str, str]) -> Finding:
    place = Path(environment.get(VARIABLE_OF_GAME, "~/StarCraftII")).expanduser()
    told = f"{place} ({VARIABLE_OF_GAME} {'set' if VARIABLE_OF_GAME in environment else 'not set'})"
    if not (place / "Versions").is_dir():
        fetch = "unzip SC2.4.10.zip from https://github.com/Blizzard/s2client-proto, then export SC2PATH=/its/folder"
        return Finding("StarCraft II", f"no game at {told}", "absent", fetch)
    if not list(place.glob("Maps/SMAC_Maps/*.SC2Map")):
        fetch = f"unzip SMAC_Maps.zip from https://github.com/oxwhirl/smac/releases into {place}/Maps"
        return Finding("StarCraft II", f"game at {told}, but no SMAC maps", "absent", fetch)
    builds = ", ".join(sorted(one.name for one in (place / "Versions").glob("Base*")))
    return Finding("StarCraft II", f"{told}, {builds}")
