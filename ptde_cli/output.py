"""Where a command's result is written: standard output, or with --out a file, whole or not at all."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ptde_core.storage.whole_file import replacing


@contextmanager
def output(path: Path | None) -> Iterator[TextIO]:
    """A stream for the result.

    Raises:
        StorageError: the file cannot be written; an older one is unchanged.
    """
    if path is None:
        yield sys.stdout
        return
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace")
        yield text
        text.flush()
        text.detach()
