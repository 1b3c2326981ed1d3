"""The zoo: trained policies that come with ptde, named `zoo:3s_vs_5z/QMIX_SGI/seed1`, and how they are got at.

They are the runs in `results/` of the repository, which a wheel carries along. Whoever writes something into a run is
given a copy in the current folder (`unpacked`); nothing is ever written into the package. Every file is compared with
its SHA-256 before it is used.
"""

from collections.abc import Mapping
from pathlib import Path

from ptde_core.base.errors import PtdeError, quoted, unknown
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.sums import NAME as SUMS
from ptde_core.storage.sums import read_checked, read_sums
from ptde_core.storage.whole_file import refuse_linked, replacing

PREFIX = "zoo:"
COPIES = Path("zoo")  # of the runs, in the current folder
PACKAGE = Path(__file__).parents[1]
AGAIN = "install ptde anew"
GROWS = frozenset({"evaluation.json"})  # in a copy that is there: what is measured anew goes in


def zoo_folder() -> Path | None:
    """Where the runs lie: in the installed package, or in the clone that it is used from; None if in neither."""
    places = (PACKAGE / "zoo", PACKAGE.parent / "results")
    return next((place for place in places if (place / SUMS).is_file()), None)


def zoo_runs() -> dict[str, RunFolder]:
    """The runs by name, such as "3s_vs_5z/QMIX_SGI/seed1", where they lie."""
    folder = zoo_folder()
    return {} if folder is None else {name: RunFolder(folder / inner) for name, inner in _inner(folder).items()}


def is_of_zoo(place: Path | str) -> bool:
    """Whether a path as it was typed names something in the zoo."""
    return str(place).startswith(PREFIX)


def in_place(place: Path | str) -> Path:
    """Where what `zoo:...` names lies, to be read only; any other path as it is.

    Raises:
        PtdeError: no such policy, or a file of its run is another than its SHA-256 says.
    """
    if not is_of_zoo(place):
        return Path(place)
    folder, inner, rest = _found(Path(place))
    for name, digest in _files(folder, inner).items():
        read_checked(folder / name, digest, AGAIN)
    return folder / inner / rest


def unpacked(place: Path | str) -> Path:
    """A copy in the current folder of the run that `zoo:...` names, or the file that it names in that copy.

    A copy that is there is used as it is: its evaluations stay. Any other path is given back.

    Raises:
        PtdeError: no such policy; a file of its run, or a checkpoint in the copy, is another than its SHA-256 says.
        StorageError: the copy cannot be written.
    """
    if not is_of_zoo(place):
        return Path(place)
    folder, inner, rest = _found(Path(place))
    copy, files = COPIES / inner, _files(folder, inner)
    for one in {above for name in files for above in (COPIES / name).parents}:
        refuse_linked(one)
    for name, digest in files.items():
        data, target = read_checked(folder / name, digest, AGAIN), COPIES / name
        if not target.exists():
            with replacing(target) as file:
                file.write(data)
        elif target.name not in GROWS:
            read_checked(target, digest, f"move or delete {copy}, and the same command copies it anew")
    return copy / rest


def _found(place: Path) -> tuple[Path, str, str]:
    """The zoo's folder, the run's path in it, and the path of a file in that run ("" for the run itself).

    Raises:
        PtdeError: no such run or file.
    """
    folder = zoo_folder()
    if folder is None:
        raise PtdeError(f"{place} is not here: this ptde has no zoo", "install it from a clone with its results/")
    typed = place.as_posix().removeprefix(PREFIX).strip("/")
    runs = _inner(folder)
    for name, inner in runs.items():
        for spelling in (name, inner):
            if typed == spelling:
                return folder, inner, ""
            if typed.startswith(f"{spelling}/"):
                rest = typed.removeprefix(f"{spelling}/")
                there = [one.removeprefix(f"{inner}/") for one in _files(folder, inner) if one.endswith(".pt")]
                if rest not in there:
                    told = f"zoo:{spelling} has no {quoted(rest)}"
                    raise PtdeError(told, f"it has {', '.join(there)}" if there else "no checkpoint of it is kept")
                return folder, inner, rest
    raise unknown("run in the zoo", typed, runs, f"`ptde zoo` lists them: {', '.join(runs) or 'none'}")


def _inner(folder: Path) -> dict[str, str]:
    """Name of each run -> its path in the zoo, which begins with its environment.

    A map of two environments is named with them.
    """
    inner = sorted({Path(name).parent.as_posix() for name in read_sums(folder) if Path(name).name == "config.json"})
    short = [one.partition("/")[2] for one in inner]
    return {name if short.count(name) == 1 else one: one for name, one in zip(short, inner, strict=True)}


def _files(folder: Path, inner: str) -> Mapping[str, str]:
    return {name: digest for name, digest in read_sums(folder).items() if name.startswith(f"{inner}/")}
