"""Random play (10 %) and the heuristic (12 points) against logs of the real game; `ptde calibrate` shows all."""

import pytest

from ptde_core.envs.skirmish.calibration import figures, play_heuristic, play_random
from ptde_core.envs.skirmish.maps import load_map


@pytest.mark.slow
@pytest.mark.parametrize("name", ["3m", "8m", "3s5z", "3s_vs_5z", "6h_vs_8z", "corridor", "MMM"])
def test_random_play_returns_as_in_the_log(name: str) -> None:
    played = play_random(load_map(name), episodes=2048)
    assert played.returns.mean() == pytest.approx(figures()["random"][name]["return"], rel=0.10)
    assert played.won.mean() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", ["3m", "8m", "3s5z", "3s_vs_5z", "6h_vs_8z"])
def test_random_play_lasts_as_in_the_log(name: str) -> None:
    played = play_random(load_map(name), episodes=2048)
    assert played.lengths.mean() == pytest.approx(figures()["random"][name]["length"], rel=0.10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2s3z", "3s5z", "5m_vs_6m", "2s_vs_1sc"])
def test_heuristic_wins_as_often_as_in_the_log(name: str) -> None:
    played = play_heuristic(load_map(name), episodes=1024)
    assert played.won.mean() == pytest.approx(figures()["heuristic"][name], abs=0.12)
