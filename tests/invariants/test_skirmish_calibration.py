"""Random play and the heuristic hold to the logs of the real game, as `ptde calibrate` judges it when typed as such."""

from dataclasses import replace

import pytest

from ptde_core.envs.skirmish.beside_the_game import LARGEST_Z, agreement, compare_random, maps_with_figures, play_random
from ptde_core.envs.skirmish.map_files import load_map
from ptde_core.experiments.calibration.calibrate import calibrate
from ptde_core.runs.stage_settings import CalibrateSettings


@pytest.mark.slow
@pytest.mark.timeout(900)  # all maps in one process
def test_random_play_and_the_heuristic_hold() -> None:
    found = calibrate(CalibrateSettings(), ["random", "heuristic"])
    agreed = agreement(found, "random")
    assert agreed is not None
    assert agreed.lines == 2 * len(maps_with_figures("random"))
    assert agreed.largest <= LARGEST_Z, agreed
    assert agreed.mean_square < 2.2, "1.99 when measured; the aim, 1.5, is not met: docs/explanation/calibration.md"
    off = [one for one in found if not one.holds]
    assert [one for one in off if one.play == "heuristic"] == []
    quantiles = [one for one in found if one.play == "random" and one.z is None]
    assert len(quantiles) == 28
    assert sum(not one.holds for one in quantiles) <= 5, "1.4 are off by chance; 6 once in 300 times"


def test_the_verdict_tells_other_rules_apart() -> None:
    facts = load_map("6h_vs_8z")
    others = replace(facts, switches=replace(facts.switches, retarget_hittable=False))
    agreed, disagreed = (agreement(compare_random(one, 512), "random") for one in (facts, others))
    assert agreed
    assert disagreed
    assert agreed.mean_square < disagreed.mean_square
    assert disagreed.largest > LARGEST_Z
    assert not disagreed.holds


@pytest.mark.slow
@pytest.mark.parametrize("name", maps_with_figures("random"))
def test_random_play_does_not_win(name: str) -> None:
    assert play_random(load_map(name), episodes=1024).won.mean() < 0.01
