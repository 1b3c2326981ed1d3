"""The limits that docs/explanation/security.md tells are those of the code."""

from pathlib import Path

import pytest

from ptde_core.base import untrusted
from ptde_core.envs.skirmish.map_files import MOST_CORNERS
from ptde_core.experiments.sweeps.sweep_file import MOST_CELLS
from ptde_core.storage import sums

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "security.md"


@pytest.mark.parametrize(
    ("row", "limit"),
    [
        ("JSON", f"above {untrusted.JSON_BYTES >> 20} MiB, {untrusted.DEPTH} levels"),
        ("JSON", f"{untrusted.TEXT:,} characters a text"),
        ("TOML", f"above {untrusted.TOML_BYTES >> 10} KiB, {untrusted.DEPTH} levels"),
        ("TOML", f"maps of more than {MOST_CORNERS} wall corners, sweeps of more than {MOST_CELLS:,} cells"),
        ("`SHA256SUMS`", f"above {sums.LIST_BYTES >> 20} MiB"),
        ("`SHA256SUMS`", f"files above {sums.FILE_BYTES >> 20} MiB"),
    ],
)
def test_a_limit_of_the_page_is_that_of_the_code(row: str, limit: str) -> None:
    (line,) = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {row} ")]
    assert limit in line
