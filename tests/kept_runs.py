"""Two tiny runs on a small game, kept as `--keep` keeps them: for tests of what reads such folders."""

import tomllib
from pathlib import Path

import pytest

from ptde_core.experiments.sweeps.cell_work import work_on
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.packing import pack
from ptde_core.experiments.sweeps.sweep_file import cells_of, sweep_file

SWEEP = """
[settings]
env = "game"
map = "personal-signal"
steps = 300
batch_episodes = 8
replay_episodes = 50
test_every = 100
test_episodes = 2
recipe = ["paper"]
collect.episodes = 4
distill.steps = 20
evaluate.episodes = 8

[[grid]]
algorithm = ["QMIX", "QMIX_SGI"]
seed = [1]
"""


def cells_below(out: Path) -> list[Cell]:
    """QMIX, and QMIX_SGI with the paper's student."""
    return cells_of(sweep_file({"out": out, **tomllib.loads(SWEEP)}))


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder they are kept in; the runs lie beside it in `runs`. Tests must not write into either."""
    out = tmp_path_factory.mktemp("kept") / "runs"
    cells = cells_below(out)
    for cell in cells:
        work_on(cell, 1, keep_state=False)
    pack(cells, out, out.with_name("kept"))
    return out.with_name("kept")
