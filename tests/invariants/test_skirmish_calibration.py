"""Random play and the heuristic hold to the logs of the real game, as `ptde calibrate` judges it when typed as such."""

import pytest

from ptde_core.envs.skirmish.calibration import calibrate, calibrated_maps, play_random
from ptde_core.envs.skirmish.maps import load_map
from ptde_core.stages.settings import CalibrateSettings


@pytest.mark.slow
@pytest.mark.parametrize("name", calibrated_maps())
def test_every_figure_is_as_close_as_allowed(name: str) -> None:
    settings = CalibrateSettings()
    found = list(calibrate((name,), settings.episodes, settings.seed))
    assert found
    assert [one for one in found if not one.holds] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["3m", "8m", "3s5z", "3s_vs_5z", "6h_vs_8z", "corridor", "MMM"])
def test_random_play_does_not_win(name: str) -> None:
    assert play_random(load_map(name), episodes=1024).won.mean() < 0.01
