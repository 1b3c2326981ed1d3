"""Reading files that may come from anybody: bounds on their size, and on the plain values in them.

Every reader of a file goes through this module. What is promised, and what is not: docs/explanation/security.md.
"""

import math
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import from_json

from ptde_core.base.errors import PtdeError, quoted

JSON_BYTES = 256 * 1024**2  # an evaluation of a million episodes
TOML_BYTES = 64 * 1024  # the largest map that can be drawn takes a tenth
TOML_LINE = 10_000  # characters; a dotted key's cost grows with the square of its length
DEPTH = 16  # levels of lists and tables; the deepest of our own files has six
TEXT = 100_000  # characters of one text
WHOLE = 2**64  # all whole numbers in our files are smaller
LARGE = 1e100  # so are all others: squares and sums of them are finite
SHORTEST, LONGEST = 1e-9, 1e12  # seconds of wall time that are not 0


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\\" in text or not text.isprintable() or not 0 < len(text) < 256:
        raise ValueError("a path that leads out of its run")
    return text


def _time_taken(seconds: float) -> float:
    if seconds != 0 and not SHORTEST <= seconds <= LONGEST:
        raise ValueError("no time that something can take")
    return seconds


Count = Annotated[int, Field(ge=0, lt=2**63)]
"""A number of things, or of steps, in a file."""
Number = Annotated[float, Field(gt=-LARGE, lt=LARGE)]
"""A number in a file that others are reckoned from: finite, and not so large that a sum is not."""
Seconds = Annotated[float, AfterValidator(_time_taken)]
"""Wall time in a file; one can divide by it unless it is 0."""
Inside = Annotated[str, AfterValidator(_inside)]
"""A path inside a run folder, which cannot lead out of it."""


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong with what was read, on one line: "looks.0.radius: Input should be ..."."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    says = first["msg"].removeprefix("Value error, ")  # pydantic's words before those of our own rules
    return f"{where}: {says}" if where else says


def check_regular(path: Path, meaning: str, largest: int | None = None, *, missing: str = "check the path") -> int:
    """The size in bytes of a file that can be read: no device, no pipe, and not larger than what is expected.

    Args:
        path: a symbolic link stands for the file that it leads to.
        meaning: what it should be, in words.
        largest: bytes.
        missing: what to do if there is none.

    Raises:
        PtdeError: in one sentence.
    """
    try:
        facts = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise PtdeError(f"no {meaning} at {path}", missing) from None
    except (OSError, ValueError) as error:  # a loop of links, a name that is too long, a zero byte in it
        raise PtdeError(f"cannot read {path} ({_reason(error)})", missing) from None
    if not stat.S_ISREG(facts.st_mode):
        what = "a folder" if stat.S_ISDIR(facts.st_mode) else "a device or a pipe"
        raise PtdeError(f"{path} is {what}, where a {meaning} should be", "give a file")
    if largest is not None and facts.st_size > largest:
        size = f"{facts.st_size:,} bytes, and a {meaning} has at most {largest:,}"
        raise PtdeError(f"{path} has {size}", f"give a {meaning} of ptde")
    return facts.st_size


def read_bytes(path: Path, meaning: str, largest: int, *, missing: str = "check the path") -> bytes:
    """All of a file that is not larger than `largest` bytes.

    Raises:
        PtdeError: as `check_regular`.
    """
    check_regular(path, meaning, largest, missing=missing)
    try:
        # Not waiting: between the check and this it may have become a pipe.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(number, "rb") as file:
            found = file.read(largest + 1)
    except OSError as error:
        raise PtdeError(f"cannot read {path} ({_reason(error)})", missing) from None
    if found is None or len(found) > largest:
        raise PtdeError(f"{path} changes while it is read", f"give a {meaning} of ptde")
    return found


def parse_json(data: bytes, *, finite: bool = True) -> Any:
    """The value of a JSON text of plain, bounded values.

    Args:
        data: the text.
        finite: refuse NaN and infinite numbers.

    Raises:
        ValueError: it is none; why, in a few words.
    """
    return check_plain(from_json(data, allow_inf_nan=not finite), finite=finite)


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text of plain, bounded values.

    Raises:
        ValueError: it is none; why, in a few words.
    """
    if any(len(line) > TOML_LINE for line in text.splitlines()):
        raise ValueError(f"a line of more than {TOML_LINE:,} characters")
    try:
        found = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"nested more than {DEPTH} deep") from None
    check_plain(found, finite=False)
    return found


def read_toml(path: Path, meaning: str, missing: str, broken: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Args:
        path: the file.
        meaning: what it should be, in words.
        missing: what to do if there is none.
        broken: what to do if it is no TOML.

    Raises:
        PtdeError: in one sentence.
    """
    data = read_bytes(path, meaning, TOML_BYTES, missing=missing)
    try:
        return parse_toml(data.decode("utf-8"))
    except ValueError as error:  # UnicodeDecodeError and TOMLDecodeError are such
        raise PtdeError(f"{path} is not a TOML file ({quoted(error)})", broken) from None


def check_plain(value: Any, *, finite: bool = True) -> Any:
    """The value itself, if it is made of plain values within our bounds: not too deep, no number or text too large.

    Raises:
        ValueError: what is too large, or not finite.
    """
    level = [value]
    for _ in range(DEPTH):
        level = [inner for one in level for inner in _inner(one, finite)]
        if not level:
            return value
    raise ValueError(f"nested more than {DEPTH} deep")


def check_text(text: str) -> None:
    """Refuse a text that is too long, or holds a zero byte, as no path and no name does.

    Raises:
        ValueError: which.
    """
    if len(text) > TEXT:
        raise ValueError(f"a text of more than {TEXT:,} characters")
    if "\0" in text:
        raise ValueError("a zero byte in a text")


def _check_float(number: float, finite: bool) -> None:
    if finite and not math.isfinite(number):
        raise ValueError("a number that is not finite")
    if math.isfinite(number) and abs(number) >= LARGE:
        raise ValueError(f"a number of {LARGE:g} or more")


def _inner(value: Any, finite: bool) -> Any:
    """The lists and tables in a list or table, all else in it being checked."""
    if isinstance(value, Mapping):
        for key in value:
            if isinstance(key, str) and len(key) > TEXT:
                raise ValueError(f"a name of more than {TEXT:,} characters")
        value = value.values()
    elif not isinstance(value, list | tuple):
        value = (value,)
    inner = []
    for one in value:
        if isinstance(one, Mapping | list | tuple):
            inner.append(one)
        elif isinstance(one, float):
            _check_float(one, finite)
        elif isinstance(one, str):
            check_text(one)
        elif isinstance(one, int) and abs(one) >= WHOLE:
            raise ValueError("a whole number of more than 64 bits")
    return inner


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
