"""Every section of `python -m benchmarks` runs and yields figures above zero."""

import pytest

from benchmarks import peers
from benchmarks.__main__ import SECTIONS


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_measures(section: str) -> None:
    if section == peers.SECTION and not peers.installed():
        pytest.skip(f"no peers in {peers.FOLDER}: {peers.INSTALL}")
    figures = list(SECTIONS[section](True))
    assert figures
    assert all(figure.value > 0 for figure in figures)
    assert len({figure.key for figure in figures}) == len(figures), "--compare tells figures apart by their key"
