"""What a sweep's plan reckons with: speeds that can be, and memory that is the same for all seeds."""

from pathlib import Path

import pytest

from ptde_core.experiments.sweeps.estimates import Estimates
from ptde_core.pipeline.memory_needed import memory_needed
from tests.unit.test_sweep import cells_in


@pytest.mark.parametrize("speed", ["0", "-3.0", "NaN", "1e-300", "1e30"])
def test_a_speed_that_cannot_be_is_not_reckoned_with(tmp_path: Path, speed: str) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    estimates = Estimates([cell])
    cell.run.path.mkdir(parents=True)
    cell.run.metrics.write_text(f'{{"env_steps": 50, "updates": 3, "env_steps_per_s": {speed}}}\n')
    estimates.measure(cell)
    assert estimates.of(cell).training is None


def test_a_memory_estimate_is_made_once_for_all_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells, made = cells_in(tmp_path, seeds=3), []
    module = "ptde_core.experiments.sweeps.estimates"
    monkeypatch.setattr(f"{module}.memory_needed", lambda *asked: made.append(asked) or memory_needed(*asked))
    estimates = Estimates(cells)
    assert len({estimates.of(cell).megabytes for cell in cells}) == 1
    assert len(made) == 1
