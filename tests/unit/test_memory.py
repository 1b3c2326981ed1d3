"""Memory freed by the process stays with it: large arrays are not fetched from the system page by page again."""

import platform
import subprocess
import sys

import pytest

FAULTS_OF_A_SECOND_ARRAY = """
import resource
import sys
import numpy as np
from ptde_core.base.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
np.zeros(40 * 2**20, np.uint8).fill(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.zeros(40 * 2**20, np.uint8).fill(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep freed memory")
def test_a_second_large_array_costs_no_page_faults() -> None:
    def faults(word: str) -> int:
        found = subprocess.run(
            [sys.executable, "-c", FAULTS_OF_A_SECOND_ARRAY, word], check=True, capture_output=True, text=True
        )
        return int(found.stdout)

    assert faults("keep") < 20 < faults("default")
