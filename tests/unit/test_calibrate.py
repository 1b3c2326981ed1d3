import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, Progress, StageFinished, StageStarted
from ptde_core.envs.skirmish.calibration import Comparison
from ptde_core.stages.calibrate import calibrate, calibration_table
from ptde_core.stages.settings import CalibrateSettings

FEW = CalibrateSettings(episodes=16, seed=3)


def test_a_row_says_real_ours_deviation_and_verdict() -> None:
    table = calibration_table(
        [
            Comparison("random", "3m", "mean return", 2.0, 2.1, 0.08, True, 66, error=0.05),
            Comparison("random", "3m", "mean length", 20.0, 25.0, 0.05, True, 66),
            Comparison("random", "3m", "longest", 60.0, 49.5, 0.0, False, 66, span=(36.0, 60.0)),
            Comparison("random", "3m", "length, 50%", 26.0, 24.0, 0.0, False, 66, span=(23.0, 25.25)),
            Comparison("heuristic", "2s3z", "win rate", 0.9, 0.75, 0.12, False),
            Comparison("duel", "zealot on marine", "hits", 6, 6, 0.0, False),
            Comparison("duel", "zealot on marine", "swings", 3, 4, 0.0, False),
            Comparison("duel", "zealot on marine", "env steps", 50.0, 49.99, 0.02, True),
        ],
        FEW,
    )
    assert table.title.endswith("4 of 8 figures as close as allowed")
    assert table.groups == (
        (
            ("random", "3m", "mean return", "close", "2.00", "66", "2.10", "+5.0%", "±2.5%", "±8%"),
            ("random", "3m", "mean length", "OFF", "20.0", "66", "25.0", "+25.0%", "—", "±5%"),
            ("random", "3m", "longest", "close", "60", "66", "49.5", "-10.5", "—", "36 to 60"),
            ("random", "3m", "length, 50%", "OFF", "26", "66", "24", "-2", "—", "23 to 25.2"),
        ),
        (("heuristic", "2s3z", "win rate", "OFF", "90%", "—", "75%", "-15 points", "—", "±12 points"),),
        (
            ("duel", "zealot on marine", "hits", "close", "6", "—", "6", "0", "—", "exactly"),
            ("duel", "zealot on marine", "swings", "OFF", "3", "—", "4", "+1", "—", "exactly"),
            ("duel", "zealot on marine", "env steps", "close", "50.0", "—", "50.0", "0", "—", "±2%"),
        ),
    )


def test_one_map_is_played_and_compared() -> None:
    heard: list[Event] = []
    found = calibrate(FEW, "3s5z", listen=heard.append)
    assert {(one.play, one.subject, one.figure) for one in found} >= {
        ("random", "3s5z", "mean return"),
        ("random", "3s5z", "mean length"),
        ("heuristic", "3s5z", "win rate"),
    }
    assert {one.subject for one in found} == {"3s5z"}
    assert found == calibrate(FEW, "3s5z"), "the seed decides"
    assert [type(event) for event in heard] == [StageStarted, Progress, StageFinished]


@pytest.mark.parametrize(
    ("name", "sentence"), [("3n", "no map named '3n'"), ("3s_vs_8z", "no map with figures of the")]
)
def test_maps_without_figures_are_refused(name: str, sentence: str) -> None:
    with pytest.raises(PtdeError, match=sentence):
        calibrate(FEW, name)
