"""Duels (smac-contract#duels): hits and swings exactly, first to last swing within 2 %; the damage ladder."""

import pytest

from ptde_core.envs.skirmish.beside_the_game import compare_duels, figures
from ptde_core.envs.skirmish.duels import damage_ladder

DUELS = list(compare_duels())


@pytest.mark.parametrize("duel", DUELS, ids=lambda c: f"{c.subject}: {c.figure}")
def test_duel(duel) -> None:  # type: ignore[no-untyped-def]
    assert duel.holds, f"{duel.subject}: {duel.figure} {duel.ours}, not {duel.real}"


def test_ladder_of_a_stalker_on_a_zealot() -> None:
    assert list(damage_ladder("stalker", "zealot")) == figures()["ladder"]["stalker_on_zealot"]
