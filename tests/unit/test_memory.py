"""Memory freed by the process stays with it: large arrays are not fetched from the system page by page again."""

import platform
import subprocess
import sys

import pytest

FAULTS_OF_NEW_ARRAYS = """
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from ptde_core.base.machine_memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()


def fill() -> None:
    arrays = [np.zeros(40 * 2**20, np.uint8) for _ in range(2)]
    for array in arrays:
        array.fill(1)


def faults() -> int:
    fill()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    fill()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


print(ThreadPoolExecutor(1).submit(faults).result() if sys.argv[2] == "thread" else faults())
"""


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep freed memory")
def test_arrays_as_large_as_those_freed_cost_no_page_faults(where: str) -> None:
    def faults(word: str) -> int:
        found = subprocess.run(
            [sys.executable, "-c", FAULTS_OF_NEW_ARRAYS, word, where], check=True, capture_output=True, text=True
        )
        return int(found.stdout)

    assert faults("keep") < 20 < faults("default")
