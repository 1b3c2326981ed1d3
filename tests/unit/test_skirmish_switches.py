"""Switches of the engine model: unknown names, wrong types and values out of bounds are told in a sentence."""

from typing import Any

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.envs.skirmish.switches import Switches


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"squeez": 0.5}, "unknown switch 'squeez'"),
        ({"squeeze": True}, "squeeze = True"),
        ({"push_idle": 1}, "push_idle = 1"),
        ({"squeeze": -5}, "squeeze = -5; give a value from 0 to 1"),
        ({"head_start_loops": -3}, "head_start_loops = -3"),
        ({"head_start_loops": 1.5}, "head_start_loops = 1.5"),
        ({"heal_scan_loops": 0}, "heal_scan_loops = 0"),
    ],
)
def test_bad_switches_are_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(PtdeError) as caught:
        Switches.of(table, "map x")
    assert says in str(caught.value)


def test_good_switches_replace_the_defaults() -> None:
    assert Switches.of({"squeeze": 1.0, "push_idle": False}, "map x") == Switches(squeeze=1.0, push_idle=False)
