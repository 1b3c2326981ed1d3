"""SHA256SUMS: what the files of kept runs hold, in the form that `sha256sum --check` reads."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.untrusted import read_bytes
from ptde_core.storage.whole_file import write_text

NAME = "SHA256SUMS"
DIGITS = 64
LIST_BYTES, FILE_BYTES = 2**25, 2**26  # the largest list (of 10,000 runs and more), and the largest file in it


def sha256_of(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_checked(path: Path, digest: str, fix: str) -> bytes:
    """The bytes of a file that are those of its sum.

    Raises:
        PtdeError: it is missing, or holds something else; `fix` says what to do.
    """
    data = read_bytes(path, "kept file", FILE_BYTES, missing=fix)
    if (found := sha256_of(data)) != digest:
        raise PtdeError(f"{path} is another file than was kept: its SHA-256 is {found[:8]}…, not {digest[:8]}…", fix)
    return data


def read_sums(folder: Path) -> dict[str, str]:
    """Path inside the folder -> SHA-256, in the list's order; empty where there is no list.

    Raises:
        PtdeError: the list is broken.
    """
    path = folder / NAME
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    text = read_bytes(path, "list of SHA-256 sums", LIST_BYTES).decode(errors="replace")
    for line in text.removesuffix("\n").split("\n") if text else ():  # names may hold other ends of lines
        digest, _, name = line.partition("  ")
        if len(digest) != DIGITS or not set(digest) <= set("0123456789abcdef") or not _inside(name):
            raise PtdeError(f"{path} is not a list of SHA-256 sums", "was it cut or edited? get it anew")
        found[name] = digest
    return found


def check_names(folder: Path, names: Iterable[str]) -> None:
    """Refuse files to come that the list of a folder cannot take; nothing is written.

    Args:
        folder: that the list is of.
        names: their paths inside it.

    Raises:
        PtdeError: a name would break its line, the list would be larger than one that is read, or is broken.
    """
    names = set(names)
    if odd := next((name for name in names if not name.isprintable()), ""):
        raise PtdeError(f"{odd!a} cannot stand in {NAME}: its name breaks a line", "rename it")
    size = sum(DIGITS + len(f"  {name}\n".encode()) for name in names.union(read_sums(folder)))
    if size > LIST_BYTES:
        problem = f"{folder / NAME} would have {size:,} bytes, and at most {LIST_BYTES:,} are read"
        raise PtdeError(problem, "keep fewer runs in one folder")


def update_sums(folder: Path, changed: Iterable[Path]) -> None:
    """Write the list anew for folders in it that have changed; what it says of all others stays.

    Args:
        folder: that the list is of.
        changed: folders in it, whose files are read now.

    Raises:
        PtdeError: as `check_names`.
        StorageError: the list cannot be written.
    """
    folders = {path.relative_to(folder) for path in changed}
    kept: Mapping[str, str] = {
        name: digest for name, digest in read_sums(folder).items() if folders.isdisjoint(Path(name).parents)
    }
    files = [path for inner in folders for path in (folder / inner).rglob("*") if path.is_file()]
    new = {path.relative_to(folder).as_posix(): sha256_of(path.read_bytes()) for path in files}
    check_names(folder, new)
    sums = {**kept, **new}
    write_text(folder / NAME, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)))


def _inside(name: str) -> bool:
    return bool(name) and not Path(name).is_absolute() and ".." not in Path(name).parts
