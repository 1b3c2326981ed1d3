"""What of StarCraft II is installed here: the packages `smac` and `smacv2`, the game, its maps; and how to get them.

Nothing is imported: a look at the files is enough, and the two packages must never meet in one process.
"""

import importlib.util
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ptde_core.base.errors import PtdeError

VARIABLE = "SC2PATH"
FOLDERS = {"Darwin": "/Applications/StarCraft II"}  # where the game lies if SC2PATH says nothing; elsewhere:
FOLDER = "~/StarCraftII"
MAPS = Path("Maps") / "SMAC_Maps"
GAME = (
    "type: curl -O http://blzdistsc2-a.akamaihd.net/Linux/SC2.4.10.zip; unzip -P iagreetotheeula SC2.4.10.zip -d ~"
    "  (the password accepts Blizzard's licence: docs/how-to/install.md); or export SC2PATH=WHERE_IT_IS"
)


@dataclass(frozen=True)
class Package:
    """One of the two packages.

    Args:
        module: the name it is imported by, and ptde's name of the environment.
        maps: where its map files come from, as a zip.
        unzip_into: where that is to be unpacked, in the game's folder.
    """

    module: str
    maps: str
    unzip_into: Path

    @property
    def install(self) -> str:
        """What to type to have it."""
        return f"python -m pip install git+https://github.com/oxwhirl/{self.module}.git"

    def install_maps(self, folder: Path) -> str:
        """What to type to have its maps in a game's folder."""
        return f"curl -LO {self.maps}; unzip {self.maps.rpartition('/')[2]} -d {folder / self.unzip_into}"


SMAC = Package("smac", "https://github.com/oxwhirl/smac/releases/download/v0.1-beta1/SMAC_Maps.zip", MAPS.parent)
SMACV2 = Package("smacv2", "https://github.com/oxwhirl/smacv2/releases/download/maps/SMAC_Maps.zip", MAPS)
PACKAGES = {package.module: package for package in (SMAC, SMACV2)}


def require_package(package: Package) -> str:
    """The installed version of a package.

    Raises:
        PtdeError: it is missing, is another program of that name, or lacks what it needs.
    """
    found = importlib.util.find_spec(package.module)
    if found is None:
        raise PtdeError(f"{package.module} is not installed", f"type: {package.install}")
    places = [Path(place) for place in found.submodule_search_locations or ()]
    if not any((place / "env").is_dir() for place in places):
        raise PtdeError(
            f"the installed {package.module} {_version(package.module)} is PyPI's tuner of hyperparameters (AutoML's"
            " SMAC3), not StarCraft II's",
            f"type: python -m pip uninstall --yes {package.module}; {package.install}",
        )
    for needed in ("pysc2", "s2clientprotocol"):
        if importlib.util.find_spec(needed) is None:
            raise PtdeError(
                f"{package.module} needs {needed}, which is not installed", f"type: python -m pip install {needed}"
            )
    return _version(package.module)


@dataclass(frozen=True)
class Game:
    """StarCraft II on this machine.

    Args:
        folder: where it lies.
        build: the newest one that is there, which pysc2 plays ("Base75689" is 4.10).
    """

    folder: Path
    build: str

    def require_map(self, files: tuple[str, ...], package: Package) -> None:
        """Raises PtdeError where none of these maps' files is there."""
        if not any((self.folder / map_file(file)).is_file() for file in files):
            raise PtdeError(
                f"StarCraft II has no map {self.folder / map_file(files[0])}",
                f"type: {package.install_maps(self.folder)}",
            )


def require_game(environment: Mapping[str, str] = os.environ) -> Game:
    """The game on this machine.

    Raises:
        PtdeError: there is none.
    """
    folder = game_folder(environment)
    builds = sorted(place.name for place in (folder / "Versions").glob("Base*"))
    if not builds:
        told = f"{VARIABLE} is {'set' if VARIABLE in environment else 'not set'}"
        raise PtdeError(f"no StarCraft II in {folder} ({told})", GAME)
    return Game(folder, builds[-1])


def map_file(name: str) -> Path:
    """Where the file of a map belongs in the game's folder."""
    return MAPS / f"{name}.SC2Map"


def game_folder(environment: Mapping[str, str]) -> Path:
    """Where the game lies, or would."""
    return Path(environment.get(VARIABLE, FOLDERS.get(platform.system(), FOLDER))).expanduser()


def _version(module: str) -> str:
    try:
        return version(module)
    except PackageNotFoundError:  # a folder on the path
        return "of unknown version"
