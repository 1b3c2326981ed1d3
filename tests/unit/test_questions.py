"""RQ1 to RQ5: the words follow from the numbers."""

import re
from collections.abc import Sequence

import numpy as np
import pytest

from ptde_core.experiments.reproduction_page import head_text, page_text
from ptde_core.results.agreement import agreement_of, agreement_words, pairs_beside_paper
from ptde_core.results.gather import report
from ptde_core.results.questions import Answer, answers
from ptde_core.results.sections import report_tables
from ptde_core.scores.comparisons import seeds_difference_interval
from ptde_core.scores.tally import Tally
from ptde_core.storage.evaluation_file import ZSource
from tests.made_runs import RUNS, _in_an_empty_folder, add_run, entry, pipeline, played  # noqa: F401  its fixture too

WHOLE = {"env_steps": 10_000_000}  # no fewer than the paper's on any map


def plain(map_name: str, wins: Sequence[int], **changes: object) -> None:
    for seed, won in enumerate(wins, start=1):
        facts = {"map": map_name, "train_seed": seed, **WHOLE, **changes}
        add_run(f"{map_name} {changes} none {seed}", [entry("none", won, **facts)])


def unified(map_name: str, wins: Sequence[int], **changes: object) -> None:
    for seed, won in enumerate(wins, start=1):
        facts = {"map": map_name, "train_seed": seed, "global_info": "unified", "name": "QMIX_UGI", **WHOLE}
        add_run(
            f"{map_name} {changes} unified {seed}",
            [entry("sampled", won, teacher_id=f"u{seed}", **{**facts, **changes})],
        )


def specific(map_name: str, wins: Sequence[int], student: int = 200, **changes: object) -> None:
    for seed, won in enumerate(wins, start=1):
        add_run(
            f"{map_name} {changes} specific {seed}", pipeline(map_name, seed, won, won, student, **WHOLE, **changes)
        )


def found() -> dict[int, Answer]:
    return {answer.number: answer for answer in answers(report([RUNS]))}


def test_without_runs_of_a_question_it_is_not_answered() -> None:
    plain("3s_vs_5z", [10, 20])
    words = {number: answer.words for number, answer in found().items()}
    assert words[1] == "Not answered: no map has both QMIX_UGI and QMIX."
    assert all(text.startswith("Not answered: ") for text in words.values())
    assert all(answer.tables == () for answer in found().values())


@pytest.mark.parametrize(
    ("ours", "theirs", "lead", "verdict"),
    [
        ([300, 302, 304], [100, 102, 104], "Yes, on every map that was run.", "higher"),
        ([100, 102, 104], [300, 302, 304], "No: wherever the runs tell the two apart, it is worse.", "lower"),
        ([300, 100, 200], [200, 300, 90], "Open: the runs tell the two apart on no map.", "not told apart"),
        ([300], [10], "Open: the runs tell the two apart on no map.", "one seed"),
    ],
)
def test_a_verdict_takes_an_interval_without_0_and_two_seeds(
    ours: list[int], theirs: list[int], lead: str, verdict: str
) -> None:
    unified("3s_vs_5z", ours)
    plain("3s_vs_5z", theirs)
    answer = found()[1]
    assert answer.words.startswith(lead)
    (table,) = answer.tables
    (row,) = table.rows
    assert row[:3] == ("skirmish (not SMAC)", "3s_vs_5z", "QMIX_UGI - QMIX")
    assert row[4] == verdict
    assert row[6] == "+0.740", "the paper's 0.868 - 0.128"


def test_maps_that_differ_and_the_papers_order() -> None:
    unified("3s_vs_5z", [300, 301])
    plain("3s_vs_5z", [10, 11])
    unified("3s_vs_8z", [300, 301])
    plain("3s_vs_8z", [10, 11])
    unified("5m_vs_6m", [10, 11])
    plain("5m_vs_6m", [300, 301])
    words = found()[1].words
    assert words == (
        "It depends on the map. QMIX_UGI beside QMIX: higher on 3s_vs_5z, 3s_vs_8z; lower on 5m_vs_6m. "
        "The paper has the same order on 3s_vs_5z; the other order on 3s_vs_8z, 5m_vs_6m."
    )


def test_where_the_papers_rates_are_equal_it_has_no_order() -> None:
    unified("3s5z_vs_3s7z", [10, 11])
    plain("3s5z_vs_3s7z", [300, 301])
    assert found()[1].words == (
        "No: wherever the runs tell the two apart, it is worse. QMIX_UGI beside QMIX: lower on 3s5z_vs_3s7z. "
        "The paper has equal win rates on 3s5z_vs_3s7z."
    )


def test_what_students_keep() -> None:
    specific("3s_vs_5z", [300, 300], student=290)
    specific("5m_vs_6m", [300, 300], student=60)
    specific("3s_vs_8z", [0, 0], student=0)
    specific("6h_vs_8z", [300, 300, 20], student=20)
    plain("5m_vs_6m", [200, 202])
    answer = found()[3]
    assert answer.words == (
        "QMIX_ASGKD keeps more than half on 3s_vs_5z (96.7 ± 0.0 %); has nothing to keep on 3s_vs_8z, where its "
        "teacher won nothing; keeps less than half on 5m_vs_6m (20.0 ± 0.0 %); is open on 6h_vs_8z (9.7 ± 53.9 %), "
        "whose seeds do not decide it. Beside the algorithm without global information: QMIX_ASGKD beside QMIX: lower "
        "on 5m_vs_6m."
    )
    kept, beside = answer.tables
    assert [row[-1] for row in kept.rows] == ["89.4 %", "58.2 %", "85.6 %", "73.6 %"]
    assert kept.rows[3][4] == "6.7 %, 6.7 %, 100.0 %", "each seed's own"
    assert [row[:3] for row in beside.rows] == [("skirmish (not SMAC)", "5m_vs_6m", "QMIX_ASGKD - QMIX")]


def test_a_student_without_its_teacher_on_the_same_episodes_keeps_nothing_that_is_known() -> None:
    specific("3s_vs_5z", [300, 300], student=290)
    for seed in (1, 2):
        teacher, student = pipeline("5m_vs_6m", seed, 300, 300, 200, **WHOLE)[::2]
        elsewhere = student.model_copy(update={"evaluation_seed": 5, "episodes": played(200, 320, 5)})
        add_run(f"5m_vs_6m {seed}", [teacher, elsewhere])
    assert "5m_vs_6m" not in found()[3].words


def test_a_seed_whose_teacher_won_nothing_has_no_prr_of_its_own_and_decides_nothing() -> None:
    for seed, teacher, student in ((1, 300, 150), (2, 0, 50)):
        add_run(f"{seed}", pipeline("3s_vs_5z", seed, teacher, teacher, student, **WHOLE))
    answer = found()[3]
    assert answer.words.startswith("QMIX_ASGKD is open on 3s_vs_5z (66.7 % [")
    assert answer.tables[0].rows[0][4:7] == ("50.0 %, —", "open", "2")
    notes = report_tables(report([RUNS]))[0].notes
    assert any("of training seed 2 alone there is none, for its teacher earned nothing to keep" in one for one in notes)
    assert not any("of one training" in one for one in notes if one.startswith("PRR")), "two are pooled in its interval"


def test_trainings_shorter_than_the_papers_are_told_in_every_answer() -> None:
    plain("3s_vs_5z", [10, 20], env_steps=2_000)
    unified("3s_vs_5z", [300, 301])
    told = "Trained for fewer steps than in the paper: QMIX on 3s_vs_5z (2k of 2.00M steps)."
    assert found()[1].words.endswith(told)
    assert found()[2].words == "Not answered: no map has both QMIX_SGI and QMIX_UGI."


def test_pairs_in_the_papers_order_and_in_the_other() -> None:
    plain("3s_vs_5z", [10, 20])
    unified("3s_vs_5z", [300, 301])
    specific("3s_vs_5z", [100, 102], student=90)
    plain("5m_vs_6m", [100])
    specific("5m_vs_6m", [300, 301], student=250)
    (section,) = report([RUNS]).sections
    found_pairs = pairs_beside_paper(section)
    said = {(one.map, one.first, one.second): agreement_of(one) for one in found_pairs}
    assert said["3s_vs_5z", "QMIX_SGI", "QMIX_UGI"] == "differs"
    assert said["3s_vs_5z", "QMIX_UGI", "QMIX"] == "agrees"
    assert said["5m_vs_6m", "QMIX_SGI", "QMIX"] == "one seed"
    assert len(said) == 6 + 3
    words = agreement_words(found_pairs)
    assert "QMIX_UGI wins more than QMIX_SGI on 3s_vs_5z" in words
    assert agreement_words(found_pairs) in page_text([], report([RUNS]))
    plain("3s5z_vs_3s7z", [1, 2])
    unified("3s5z_vs_3s7z", [300, 301])
    (section,) = report([RUNS]).sections
    assert pairs_beside_paper(section) == found_pairs, "equal in the paper: no order to agree with"
    counts = [int(count) for count in re.findall(r"(\d+) (?:in|not)", words)]
    assert counts == [list(said.values()).count("agrees"), list(said.values()).count("differs"), 9 - sum(counts[:2])]


def test_one_environment_does_not_answer_the_fourth_and_two_do() -> None:
    specific("3s_vs_5z", [300, 301])
    unified("3s_vs_5z", [10, 11])
    assert found()[4].words.startswith("Not answered: there are runs of one environment only. On skirmish (not SMAC), ")
    football = {"backend": "football", "backend_version": "9"}
    specific("academy_counterattack_easy", [300, 301], **football)
    unified("academy_counterattack_easy", [10, 11], **football)
    words = found()[4].words
    assert "On skirmish (not SMAC), QMIX_SGI beside QMIX_UGI: higher on 3s_vs_5z." in words
    assert "On football, QMIX_SGI beside QMIX_UGI: higher on academy_counterattack_easy." in words


def test_other_algorithms() -> None:
    specific("3s_vs_5z", [300, 301], alg="vdn", name="VDN_SGI")
    unified("3s_vs_5z", [10, 11], alg="vdn", name="VDN_UGI")
    assert found()[5].words == "Yes, on every map that was run. VDN_SGI beside VDN_UGI: higher on 3s_vs_5z."


def test_one_seed_says_what_it_is() -> None:
    unified("3s_vs_5z", [300])
    plain("3s_vs_5z", [10])
    unified("5m_vs_6m", [10, 12])
    plain("5m_vs_6m", [300])
    unified("3s_vs_8z", [10])
    plain("3s_vs_8z", [10])
    specific("3s_vs_5z", [300], student=290)
    assert found()[1].words == (
        "Open: the runs tell the two apart on no map. QMIX_UGI beside QMIX: open on 3s_vs_5z, 3s_vs_8z, 5m_vs_6m, "
        "where a side has one training alone (these trainings alone: it won more on 3s_vs_5z and less on 5m_vs_6m)."
    )
    assert found()[3].words.startswith("QMIX_ASGKD has one training alone on 3s_vs_5z (96.7 % [")


@pytest.mark.parametrize(("theirs", "told"), [([10, 20], False), ([10, 20, 30], True), ([10], True)])
def test_the_page_warns_of_unequal_numbers_of_seeds(theirs: list[int], told: bool) -> None:
    unified("3s_vs_5z", [300, 301])
    plain("3s_vs_5z", theirs)
    text = page_text([], report([RUNS]))
    assert ("The numbers of seeds are unequal" in text) == told
    assert f"{2 + len(theirs)} runs on 3s_vs_5z; " in text
    assert "The paper has 3 of each: what one training gave, another may not" in text, "one side has two"


def test_the_head_of_the_table_has_what_was_run_alone() -> None:
    plain("5m_vs_6m", [10])
    head = head_text(report([RUNS]))
    assert head.splitlines()[0].replace(" ", "") == "|Algorithm|5m_vs_6m|"
    assert [line.split("|")[1].strip() for line in head.splitlines()[2:] if "|" in line] == ["QMIX", "↳ paper, SMAC"]
    assert "(1 of 3 seeds" in head


def test_the_head_shows_what_is_averaged_or_of_another_recipe_alone_too() -> None:
    teacher, _, student = pipeline("3s_vs_5z", 1, 300, 300, 200, **WHOLE)
    names = ("QMIX_SGI (averaged)", "QMIX_ASGKD (averaged, recipe recurrent)")
    renamed = zip((teacher, student), names, strict=True)
    add_run("a", [one.model_copy(update={"name": name}) for one, name in renamed])
    rows = [line.split("|")[1].strip() for line in head_text(report([RUNS])).splitlines() if line.startswith("| ")]
    assert {*names, "PRR (averaged, recipe recurrent)"} <= {*rows}


def test_without_the_papers_maps_the_head_says_so() -> None:
    plain("3m", [10])
    assert head_text(report([RUNS])) == "None of the paper's trainings has ended yet."


def test_a_cell_of_the_papers_table_says_what_is_less_than_the_papers() -> None:
    plain("3s_vs_5z", [10], env_steps=2_000)
    plain("5m_vs_6m", [10, 20, 30], env_steps=2_000_100)
    (table,) = report_tables(report([RUNS]), "paper-table2")
    row = dict(zip(table.columns, next(row for row in table.rows if row[0] == "QMIX"), strict=True))
    assert row["3s_vs_5z"].endswith(" (1 of 3 seeds, 2k of 2.00M steps)")
    assert row["5m_vs_6m"] == "0.062 ± 0.031"
    plain("3s_vs_8z", [10, 20, 30, 40])
    (table,) = report_tables(report([RUNS]), "paper-table2")
    row = dict(zip(table.columns, next(row for row in table.rows if row[0] == "QMIX"), strict=True))
    assert row["3s_vs_8z"].endswith(" (4 seeds)")


def test_the_interval_over_seeds_holds_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        sides = [
            [Tally(int(chance.binomial(320, p)), 320) for p in chance.normal(mean, 0.05, 3)] for mean in (0.5, 0.3)
        ]
        interval = seeds_difference_interval(*sides)
        assert interval is not None
        held += interval.low <= 0.2 <= interval.high
    assert 0.92 < held / 400 <= 0.99


def test_no_interval_of_a_difference_reaches_beyond_1() -> None:
    unified("3s_vs_5z", [181, 320])
    plain("3s_vs_5z", [0, 0])
    (row,) = found()[1].tables[0].rows
    assert row[3] == "+0.783 [-1.000, +1.000]"


def test_seeds_that_all_won_everything_still_have_a_width() -> None:
    interval = seeds_difference_interval([Tally(320, 320)] * 3, [Tally(320, 320)] * 3)
    assert interval is not None
    assert interval.low < 0 < interval.high
    assert seeds_difference_interval([Tally(1, 2)], [Tally(1, 2)] * 3) is None


def test_settings_that_differ_besides_the_information_are_told() -> None:
    trained: list[tuple[str, str, ZSource, float]] = [
        ("QMIX", "none", "none", 1.0),
        ("QMIX_UGI", "unified", "sampled", 1.0),
        ("QMIX_SGI", "agent-specific", "sampled", 0.5),
    ]
    for name, info, z, factor in trained:
        one = entry(z, 200, **{"map": "3s_vs_5z", "teacher_id": name, "global_info": info, "name": name, **WHOLE})
        add_run(name, [one], td_loss_factor=factor, td_lambda=0.6)
    (section,) = report([RUNS]).sections
    told = [note for note in report_tables(report([RUNS]))[0].notes if "other settings" in note]
    assert told == [
        "On 3s_vs_5z these were trained with other settings too, so their information alone does not explain what they "
        "won: td_loss_factor = 1.0 (QMIX_UGI, QMIX), 0.5 (QMIX_SGI)."
    ]
    assert {score.settings["td_loss_factor"] for score in section.scores} == {1.0, 0.5}
    words = {number: answer.words for number, answer in found().items()}
    tables = {number: answer.tables for number, answer in found().items()}
    assert "differ too" not in words[1], "QMIX_UGI and QMIX share all others"
    assert words[2].endswith("; on 3s_vs_5z other settings differ too.")
    assert words[4].endswith("; on 3s_vs_5z other settings differ too.")
    assert len(tables[1][0].notes) == 1
    assert tables[2][0].notes[1].endswith("td_loss_factor = 0.5 (QMIX_SGI), 1.0 (QMIX_UGI).")
    assert "QMIX), 0.5 (QMIX" in head_text(report([RUNS])).splitlines()[-1]


def test_settings_that_the_names_of_rows_tell_are_not_told_again() -> None:
    plain("3s_vs_5z", [10])
    for rank in (0, 4):
        one = entry("sampled", 200, map="3s_vs_5z", teacher_id=f"rank {rank}")
        add_run(f"rank {rank}", [one], info_rank=rank)
    assert not [note for note in report_tables(report([RUNS]))[0].notes if "other settings" in note]
