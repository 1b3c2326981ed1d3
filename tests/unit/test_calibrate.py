import math

import numpy as np
import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Compiled, Event, Progress, StageFinished, StageStarted
from ptde_core.envs.skirmish.beside_the_game import (
    ByError,
    Comparison,
    Nearly,
    OursWithin,
    Played,
    RealWithin,
    agreement,
    compare_heuristic,
    compare_means,
    compare_random,
    figures,
    maps_with_figures,
    play_random,
)
from ptde_core.envs.skirmish.map_files import load_map
from ptde_core.experiments.calibration.calibrate import calibrate
from ptde_core.experiments.calibration.calibration_tables import calibration_table, left_out_table
from ptde_core.experiments.calibration.left_out import GRID, choose, default_of, leave_one_out
from ptde_core.runs.stage_settings import CalibrateSettings

FEW = CalibrateSettings(episodes=16, seed=3)


def test_z_is_the_deviation_by_the_standard_error_of_both_means(monkeypatch: pytest.MonkeyPatch) -> None:
    log = {"episodes": 25, "return": 2.0, "return_spread": 0.5, "length": 30.0}
    monkeypatch.setitem(figures()["random"], "3m", log)
    played = Played(np.array([1.0, 3.0] * 50), np.array([20, 30] * 50), np.zeros(100, np.bool_))
    of_return, of_length = compare_means("3m", played)
    # Ours: mean 2, spread 1, 100 episodes; the log's spread is known: sqrt(0.25 / 25 + 1 / 100).
    assert isinstance(of_return.rule, ByError)
    assert of_return.rule.error == pytest.approx(math.sqrt(0.02))
    assert (of_return.real, of_return.ours, of_return.logged) == (2.0, 2.0, 25)
    assert of_return.z == 0.0
    # Ours: mean 25, spread 5; the log's is not known, so ours: sqrt(25 / 25 + 25 / 100).
    assert of_length.z == pytest.approx(-5 / math.sqrt(1.25))
    assert not of_length.holds


@pytest.mark.parametrize(
    ("rule", "holding", "off"),
    [
        (ByError(0.5), [(10.0, 11.5), (10.0, 8.5)], [(10.0, 11.51), (10.0, 8.49)]),
        (ByError(0.0), [(10.0, 10.0)], [(10.0, 10.1)]),
        (RealWithin(19, 21), [(19.0, 0.0), (21.0, 0.0)], [(18.9, 20.0), (21.1, 20.0)]),
        (OursWithin(0.78, 1.0), [(0.9, 0.78), (0.9, 1.0)], [(0.9, 0.77)]),
        (OursWithin(0.0, 0.0), [(0.0, 0.0)], [(0.0, 0.001)]),
        (OursWithin(20.0, 20.0, 0.005), [(20.0, 20.004), (20.0, 19.996)], [(20.0, 20.006)]),
        (Nearly(0.0), [(6.0, 6.0)], [(6.0, 7.0)]),
        (Nearly(0.02), [(50.0, 51.0), (50.0, 49.0)], [(50.0, 51.1), (50.0, 48.9)]),
    ],
)
def test_every_rule(
    rule: ByError | RealWithin | OursWithin | Nearly,
    holding: list[tuple[float, float]],
    off: list[tuple[float, float]],
) -> None:
    assert [rule.holds(*pair) for pair in holding] == [True] * len(holding)
    assert [rule.holds(*pair) for pair in off] == [False] * len(off)


def test_agreement_is_over_the_means_of_one_kind_of_play() -> None:
    lines = [
        Comparison("random", "3m", "mean return", 2.0, 2.5, ByError(0.5)),  # z = 1
        Comparison("random", "3m", "mean length", 20.0, 16.0, ByError(2.0)),  # z = -2
        Comparison("random", "3m", "longest", 60.0, 49.5, RealWithin(36.0, 60.0)),
        Comparison("near-random", "3m", "mean return", 2.0, 12.0, ByError(1.0)),  # z = 10
    ]
    agreed = agreement(lines, "random")
    assert agreed is not None
    assert (agreed.lines, agreed.mean_square, agreed.largest) == (2, 2.5, 2.0)
    assert not agreed.holds, "2.5 is more than 1.5"
    only = agreement(lines[:1], "random")
    assert only is not None
    assert only.holds
    assert agreement(lines, "heuristic") is None


def test_a_row_says_real_ours_deviation_and_verdict() -> None:
    table = calibration_table(
        [
            Comparison("random", "3m", "mean return", 2.0, 2.1, ByError(0.05), 66),
            Comparison("random", "3m", "mean length", 20.0, 25.0, ByError(1.25), 66),
            Comparison("random", "3m", "longest", 60.0, 49.5, RealWithin(36.0, 60.0), 66),
            Comparison("random", "3m", "length, 50%", 26.0, 24.0, RealWithin(23.0, 25.25), 66),
            Comparison("heuristic", "2s3z", "win rate", 0.9, 0.75, OursWithin(0.78, 1.0)),
            Comparison("heuristic", "corridor", "win rate", 0.0, 0.004, OursWithin(0.0, 0.05)),
            Comparison("near-random", "3m", "mean length", 26.4, 26.4, ByError(0.132), 9881),
            Comparison("winning", "3m", "length, 300 won", 21.0, 23.1, OursWithin(19.8, 27.1, 0.05)),
            Comparison("winning", "3m", "return, 300 won", 20.0, 19.0, OursWithin(20.0, 20.0, 0.005)),
            Comparison("duel", "zealot on marine", "hits", 6, 6, Nearly(0.0)),
            Comparison("duel", "zealot on marine", "swings", 3, 4, Nearly(0.0)),
            Comparison("duel", "zealot on marine", "env steps", 50.0, 49.99, Nearly(0.02)),
        ],
        FEW,
    )
    assert table.title.endswith("7 of 12 lines hold; random play: mean z² 10.00, largest |z| 4.0")
    assert table.groups == (
        (
            ("random", "3m", "mean return", "holds", "2.00", "66", "2.10", "+5.0%", "±2.5%", "+2.0", "|z| ≤ 3"),
            ("random", "3m", "mean length", "OFF", "20.0", "66", "25.0", "+25.0%", "±6.2%", "+4.0", "|z| ≤ 3"),
            ("random", "3m", "longest", "holds", "60", "66", "49.5", "-10.5", "—", "—", "36 to 60"),
            ("random", "3m", "length, 50%", "OFF", "26", "66", "24", "-2", "—", "—", "23 to 25.2"),
        ),
        (
            ("heuristic", "2s3z", "win rate", "OFF", "90%", "—", "75%", "-15 points", "—", "—", "78 to 100%"),
            ("heuristic", "corridor", "win rate", "holds", "0%", "—", "0.4%", "0", "—", "—", "0 to 5%"),
        ),
        (("near-random", "3m", "mean length", "holds", "26.4", "9881", "26.4", "0", "±0.5%", "+0.0", "|z| ≤ 3"),),
        (
            ("winning", "3m", "length, 300 won", "holds", "21.0", "—", "23.1", "+10.0%", "—", "—", "19.8 to 27.1"),
            ("winning", "3m", "return, 300 won", "OFF", "20.00", "—", "19.00", "-5.0%", "—", "—", "20"),
        ),
        (
            ("duel", "zealot on marine", "hits", "holds", "6", "—", "6", "0", "—", "—", "exactly"),
            ("duel", "zealot on marine", "swings", "OFF", "3", "—", "4", "+1", "—", "—", "exactly"),
            ("duel", "zealot on marine", "env steps", "holds", "50.0", "—", "50.0", "0", "—", "—", "±2%"),
        ),
    )


def test_random_play_is_compared_with_the_log() -> None:
    compared = list(compare_random(load_map("5m_vs_6m"), episodes=16))
    shares = [f"length, {share}%" for share in (10, 25, 50, 75, 90)]
    assert [c.figure for c in compared] == ["mean return", "mean length", "shortest", *shares, "longest"]
    assert [(c.real, c.logged) for c in compared[:2]] == [(1.364, 87), (26.8, 87)]
    assert [(c.real, c.logged) for c in compared[2:]] == [(length, 31) for length in (20, 22, 24, 26, 30, 36, 60)]


def test_the_heuristic_is_compared_with_a_span() -> None:
    [compared] = compare_heuristic(load_map("5m_vs_6m"), episodes=16)
    assert (compared.real, compared.ours, compared.rule, compared.z) == (0.0, 0.0, OursWithin(0.0, 0.0), None)


def test_every_kind_of_figure_is_there_for_its_maps() -> None:
    eleven = {"3m", "8m", "3s5z", "3s_vs_5z", "6h_vs_8z", "corridor", "MMM", "2s3z", "5m_vs_6m", "MMM2", "2c_vs_64zg"}
    assert set(maps_with_figures("random")) == set(maps_with_figures("near_random")) == eleven
    assert len(maps_with_figures("heuristic")) == 8
    assert set(maps_with_figures("learning")) == {"3m", "8m", "2s3z", "5m_vs_6m", "3s_vs_5z"}
    for kind in ("random", "near_random", "winning", "heuristic", "learning"):
        for name in maps_with_figures(kind):
            assert load_map(name).name == name
    for name, real in figures()["winning"].items():
        assert all(low <= middle <= high for low, middle, high in real.values()), name


def test_one_map_is_played_and_compared() -> None:
    heard: list[Event] = []
    found = calibrate(FEW, ["random", "heuristic"], ["3s5z"], listen=heard.append)
    assert [(one.play, one.subject, one.figure) for one in found] == [
        ("random", "3s5z", "mean return"),
        ("random", "3s5z", "mean length"),
        ("heuristic", "3s5z", "win rate"),
    ]
    assert found == calibrate(FEW, ["random", "heuristic"], ["3s5z"]), "the seed decides"
    told = [type(event) for event in heard if not isinstance(event, Compiled)]  # kernels, the first time on a machine
    assert told == [StageStarted, Progress, Progress, StageFinished]


@pytest.mark.parametrize(
    ("name", "sentence"), [("3n", "no map named '3n'"), ("3s_vs_8z", "no map with figures of the")]
)
def test_maps_without_figures_are_refused(name: str, sentence: str) -> None:
    with pytest.raises(PtdeError, match=sentence):
        calibrate(FEW, ["random"], [name])


def test_a_map_without_figures_for_this_play_is_refused() -> None:
    with pytest.raises(PtdeError, match="no map with figures of the real game named '27m_vs_30m'"):
        calibrate(FEW, ["random"], ["27m_vs_30m"])


def test_what_the_others_choose_is_judged_on_the_map_that_is_left_out() -> None:
    squares = {"a": {1.0: 0.0, 2.0: 9.0}, "b": {1.0: 5.0, 2.0: 1.0}, "c": {1.0: 4.0, 2.0: 3.0}}
    whole = choose(squares, None)  # sums: 9 and 13
    assert (whole.value, whole.square) == (1.0, 3.0)
    without_a = choose(squares, "a")  # 9 and 4
    assert (without_a.value, without_a.square) == (2.0, 9.0)
    without_b = choose(squares, "b")  # 4 and 12
    assert (without_b.value, without_b.square) == (1.0, 5.0)
    alone = choose({"a": squares["a"]}, "a")
    assert (alone.value, alone.square) == (None, None)


def test_leave_one_out_plays_every_value_where_it_matters() -> None:
    few = CalibrateSettings(episodes=4)
    squares = leave_one_out(["3m", "8m"], few)
    assert set(squares) == {"squeeze"}, "no enemy medivac"
    assert set(squares["squeeze"]) == {"3m", "8m"}
    assert all(tuple(of_map) == GRID["squeeze"] for of_map in squares["squeeze"].values())
    means = compare_means("3m", play_random(load_map("3m"), few.episodes, few.seed))
    agreed = agreement(means, "random")
    assert agreed is not None
    assert squares["squeeze"]["3m"][default_of("squeeze")] == agreed.mean_square
    table = left_out_table(squares, few)
    assert [row[0] for row in table.rows] == ["none", "3m", "8m"]
    with pytest.raises(PtdeError, match="with 3m left out no map is left"):
        leave_one_out(["3m"], few)


def test_the_rules_values_are_on_the_grid() -> None:
    for switch, values in GRID.items():
        assert default_of(switch) in values
