import pytest

from ptde_core.scores.intervals import MeanStd
from ptde_core.scores.published import benchmark_for, benchmarks, published_retention, published_win_rate


def test_figures_of_both_tables() -> None:
    assert published_win_rate("smac", "3s_vs_8z", "QMIX_SGI") == MeanStd(0.990, 0.002)
    assert published_win_rate("smac", "6h_vs_8z", "CSRL") == MeanStd(0.502, 0.373)
    assert published_win_rate("football", "academy_counterattack_hard", "QMIX") == MeanStd(0.184, 0.174)
    assert published_retention("smac", "3s_vs_8z", "QMIX_ASGKD") == 0.582
    assert published_retention("football", "academy_3_vs_2_with_keeper", "QMIX_ASGKD") == 1.102


def test_skirmish_may_show_smacs_figures_under_smacs_name() -> None:
    assert published_win_rate("skirmish", "3s_vs_5z", "QPLEX") == published_win_rate("smac", "3s_vs_5z", "QPLEX")
    found = benchmark_for("skirmish")
    assert found is not None
    assert found.label == "paper, SMAC"


def test_what_the_paper_does_not_have() -> None:
    assert published_win_rate("skirmish", "3m", "QMIX_SGI") is None
    assert published_win_rate("skirmish", "3s_vs_5z", "VDN_SGI") is None
    assert published_win_rate("pettingzoo", "3s_vs_5z", "QMIX_SGI") is None
    assert published_retention("skirmish", "3s_vs_5z", "QMIX_SGI") is None
    assert published_retention("skirmish", "3m", "QMIX_ASGKD") is None


def test_all_rows_are_there() -> None:
    smac, football = benchmarks()
    assert [len(rates) for rates in smac.win_rates.values()] == [7] * 6
    assert [len(rates) for rates in football.win_rates.values()] == [4] * 5


def test_the_printed_retention_is_the_ratio_of_the_printed_win_rates() -> None:
    for benchmark in benchmarks():
        for name, rates in benchmark.win_rates.items():
            ratio = rates["QMIX_ASGKD"].mean / rates["QMIX_SGI"].mean
            assert benchmark.retention[name] == pytest.approx(ratio, abs=0.00051), name
