"""Duels against SPEC 9.10: hits and swings exactly, time between first and last swing within 2 %; the damage ladder."""

import pytest

from ptde_core.envs.skirmish.calibration import calibrate, compare_duels, damage_ladder, figures

DUELS = list(compare_duels())


@pytest.mark.parametrize("duel", DUELS, ids=lambda c: f"{c.subject}: {c.figure}")
def test_duel(duel) -> None:  # type: ignore[no-untyped-def]
    assert duel.holds, f"{duel.subject}: {duel.figure} {duel.ours}, not {duel.real}"


def test_ladder_of_a_stalker_on_a_zealot() -> None:
    assert list(damage_ladder("stalker", "zealot")) == figures()["ladder"]["stalker_on_zealot"]


def test_random_play_is_compared_with_the_log() -> None:
    compared = list(calibrate(("3m",), episodes=16))
    shares = [f"length, {share}%" for share in (10, 25, 50, 75, 90)]
    assert [c.figure for c in compared] == ["mean return", "mean length", "shortest", *shares, "longest"]
    assert [c.real for c in compared[2:]] == figures()["random"]["3m"]["length_quantiles"]
    assert compared[0].real == 1.554
