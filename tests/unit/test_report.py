import csv
import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ptde_core.algorithms.table_names import student_name
from ptde_core.base.seeding import episode_seeds
from ptde_core.results.evaluation_table import evaluation_json, evaluation_tables
from ptde_core.results.formats import JSON_SCHEMA, render
from ptde_core.results.gather import report, retention_of
from ptde_core.results.sections import report_tables
from ptde_core.runs.recipes import departures
from ptde_core.runs.stage_settings import DistillSettings
from ptde_core.scores.intervals import MeanStd
from ptde_core.scores.tally import Tally
from ptde_core.storage.evaluation_file import (
    Distilled,
    EvaluationEntry,
    Played,
)
from tests.made_runs import (  # noqa: F401  its fixture too
    RUNS,
    _in_an_empty_folder,
    add_run,
    distilled,
    entry,
    many_runs,
    only_score,
    pipeline,
    played,
)


def test_a_row_keeps_its_parts() -> None:
    many_runs()
    score = only_score(report([RUNS]), map="3s_vs_5z", name="QMIX_SGI", z="sampled")
    assert [(one.train_seed, one.tally) for one in score.seeds] == [
        (1, Tally(310, 320)),
        (2, Tally(300, 320)),
        (3, Tally(290, 320)),
    ]
    assert score.tally == Tally(900, 960)
    assert score.over_seeds == pytest.approx((0.9375, 10 / 320))  # 290, 300, 310 of 320: deviation 10 episodes
    assert score.paper == MeanStd(0.992, 0.006)
    assert score.iqm == pytest.approx(0.9375)
    assert score.seeds[0].mean_return == pytest.approx((310 * 20 + 10 * 10) / 320)
    assert score.seeds[0].mean_length == pytest.approx((310 * 30 + 10 * 60) / 320)


def test_retention_pools_pairs_and_uses_the_teacher_with_z_sampled() -> None:
    many_runs()
    kept = only_score(report([RUNS]), map="3s_vs_5z", name="QMIX_ASGKD").retention
    assert kept is not None
    assert kept.teacher_name == "QMIX_SGI"
    assert (kept.student, kept.teacher) == (Tally(795, 960), Tally(900, 960))
    assert kept.ratio == pytest.approx(795 / 900)
    assert kept.interval is not None
    assert kept.interval.low < 795 / 900 < kept.interval.high
    assert kept.train_seeds == (1, 2, 3)


def test_the_papers_figure_stands_beside_z_sampled_only() -> None:
    many_runs()
    found = report([RUNS])
    assert only_score(found, map="3s_vs_5z", name="QMIX_SGI", z="mean").paper is None
    assert only_score(found, map="3m", name="QMIX_ASGKD").paper is None
    assert only_score(found, map="3s_vs_5z", name="QMIX_ASGKD").paper_retention == 0.894


def test_retention_is_undefined_where_the_teacher_never_wins() -> None:
    many_runs()
    found = report([RUNS])
    kept = only_score(found, map="3s_vs_8z", name="QMIX_ASGKD").retention
    assert kept is not None
    assert kept.ratio is None
    assert kept.interval is None
    text = render(found, "markdown")
    assert "No PRR for QMIX_ASGKD on 3s_vs_8z: its teacher won none of 320 episodes." in text


@pytest.mark.parametrize(
    "teacher",
    [
        entry("mean", 300),  # not sampled
        entry("sampled", 300, evaluation_seed=5),
        entry("sampled", 300, episodes=played(300, 321)),
    ],
    ids=["mean", "another seed", "another list"],
)
def test_a_student_is_compared_on_its_own_teachers_episodes_only(teacher: EvaluationEntry) -> None:
    add_run("a", [teacher, entry("student", 280)])
    found = report([RUNS])
    kept = only_score(found, name="QMIX_ASGKD").retention
    assert kept is not None
    assert kept.ratio is None
    assert kept.unpaired == (1,)
    assert "was not evaluated with z sampled on the same episodes" in render(found, "markdown")


def test_backends_and_their_versions_never_meet() -> None:
    add_run("a", [entry("sampled", 300)])
    add_run("b", [entry("sampled", 200, backend="smac", backend_version="2", train_seed=2)])
    add_run("c", [entry("sampled", 100, backend="smac", train_seed=3)])
    found = report([RUNS])
    places = [(one.backend, one.version, len(one.scores)) for one in found.sections]
    assert places == [("skirmish", "1", 1), ("smac", "1", 1), ("smac", "2", 1)]
    titles = [table.title for table in report_tables(found)]
    assert titles[0] == "Win rates on skirmish (not SMAC), version 1"
    assert "Win rates on smac, version 1" in titles


def test_runs_of_other_settings_are_another_row() -> None:
    add_run("a", [entry("sampled", 300)], n_envs=8, td_lambda=0.6)
    add_run("b", [entry("sampled", 310, train_seed=2)], n_envs=8, td_lambda=0.6, checkpoint_seconds=5.0)
    add_run("c", [entry("sampled", 100, train_seed=2)], n_envs=8, td_lambda=0.0)
    scores = report([RUNS]).sections[0].scores
    assert [(score.variant, score.tally) for score in scores] == [
        ("td_lambda=0.0", Tally(100, 320)),
        ("td_lambda=0.6", Tally(610, 640)),
    ]


def test_two_students_of_one_run_are_two_rows() -> None:
    add_run("a", [entry("sampled", 300), entry("student", 200), entry("student", 250, checkpoint="recurrent.pt")])
    table = report_tables(report([RUNS]))[0]
    assert [row[1] for row in table.rows] == [
        "QMIX_SGI",
        "QMIX_ASGKD (recurrent.pt)",
        "QMIX_ASGKD (student.pt)",
        "QMIX_ASGKD / QMIX_SGI (recurrent.pt)",
        "QMIX_ASGKD / QMIX_SGI (student.pt)",
    ]


def test_students_that_were_distilled_differently_are_never_pooled() -> None:
    for seed, steps in ((1, 100), (2, 100), (3, 900)):
        made = distilled(steps=steps, seed=seed)
        add_run(f"{seed}", [entry("student", 300, train_seed=seed, teacher_id=f"{seed}", distilled=made)])
    scores = report([RUNS]).sections[0].scores
    assert [(score.variant, [one.train_seed for one in score.seeds]) for score in scores] == [
        ("distill.steps=100", [1, 2]),
        ("distill.steps=900", [3]),
    ]


def test_a_student_that_is_not_the_papers_has_a_name_and_no_figure_of_the_papers() -> None:
    name = student_name("qmix", "agent-specific", departures(DistillSettings(student="recurrent", loss="values")))
    assert name == "QMIX_ASGKD (recurrent, values loss)"
    facts: dict[str, Any] = {"map": "3s_vs_5z", "teacher_id": "3s_vs_5z 1"}
    made = distilled(student="recurrent", loss="values")
    other = entry("student", 290, name=name, checkpoint="students/recurrent-values.pt", distilled=made, **facts)
    add_run("a", [*pipeline("3s_vs_5z", 1, 310, 312, 280), other])
    found = report([RUNS])
    assert only_score(found, name="QMIX_ASGKD").paper is not None
    score = only_score(found, name=name)
    assert (score.variant, score.paper, score.paper_retention) == ("", None, None)
    assert score.seeds[0].distilled == made.model_dump()
    assert [row[1] for row in report_tables(found)[0].rows if row[1].endswith("/ QMIX_SGI")] == [
        "QMIX_ASGKD / QMIX_SGI",
        "QMIX_ASGKD (recurrent, values loss) / QMIX_SGI",
    ]


def test_a_student_that_was_made_before_there_were_recipes_shares_a_row_with_the_papers() -> None:
    for seed in (1, 2):
        made = distilled()
        if seed == 1:
            made = made.model_copy(update={"settings": {k: v for k, v in made.settings.items() if k != "recipe"}})
        add_run(f"{seed}", [entry("student", 300, train_seed=seed, teacher_id=f"{seed}", distilled=made)])
    (score,) = report([RUNS]).sections[0].scores
    assert (score.variant, [one.train_seed for one in score.seeds]) == ("", [1, 2])


def test_a_student_that_recovers_nothing_of_z_is_told_and_one_that_was_fitted_to_values_is_not() -> None:
    def nothing(explained: float, **changes: Any) -> Distilled:
        made = distilled(**changes)
        return made.model_copy(update={"quality": made.quality | {"student_explained": explained}})

    entries = [
        entry("sampled", 300),
        entry("student", 20, distilled=nothing(0.012)),
        entry("student", 280, distilled=nothing(0.06), name="Z", checkpoint="z.pt"),
        entry("student", 280, distilled=nothing(-0.7, loss="values"), name="V", checkpoint="v.pt"),
    ]
    says = "QMIX_ASGKD{} recovers next to nothing of z (explained: 1.2 % of its variance on held-out episodes)"
    (table,) = evaluation_tables(entries)
    assert [note.startswith(says.format("")) for note in table.notes if "next to nothing" in note] == [True]
    add_run("a", entries)
    notes = report_tables(report([RUNS]))[0].notes
    assert [note.startswith(says.format(" on 3m")) for note in notes if "next to nothing" in note] == [True]


def gathered(mean: float, spread: float = 1.0, episodes: int = 40) -> Played:
    """Returns around a mean, half of them above it; nothing is won."""
    total = [mean + (spread if k % 2 else -spread) for k in range(episodes)]
    seeds = [int(one) for one in episode_seeds(0, "evaluate", 0, episodes)]
    return Played(seed=seeds, won=[False] * episodes, total_reward=total, length=[5] * episodes)


def without_wins(seed: int, teacher: float, student: float) -> list[EvaluationEntry]:
    facts: dict[str, Any] = {
        "backend": "pettingzoo",
        "backend_version": "gathering_v0",
        "map": "g",
        "can_be_won": False,
    }
    facts |= {"train_seed": seed, "teacher_id": f"g {seed}"}
    return [
        entry("sampled", 0, episodes=gathered(teacher), **facts),
        entry("student", 0, episodes=gathered(student), **facts),
    ]


def test_where_nothing_can_be_won_everything_is_about_returns() -> None:
    for seed, (teacher, student) in enumerate([(10.0, 8.0), (12.0, 10.0)], start=1):
        add_run(f"g{seed}", without_wins(seed, teacher, student))
    found = report([RUNS])
    (section,) = found.sections
    assert (section.measure, section.aggregates) == ("return", ())
    teacher_score, student_score = section.scores
    assert teacher_score.tally is None
    assert teacher_score.value == pytest.approx(11)
    assert teacher_score.over_seeds == pytest.approx((11, 2**0.5))
    kept = student_score.retention
    assert kept is not None
    assert (kept.student, kept.teacher_return, kept.student_return) == (None, 11, 9)
    assert kept.ratio == pytest.approx(9 / 11)
    assert kept.interval is not None
    assert kept.interval.low < 9 / 11 < kept.interval.high
    for name in ("markdown", "latex", "html"):
        for layout in ("full", "per-run"):
            text = render(found, name, layout)
            words = text.replace("cannot be won", "")
            assert not re.search(r"\b[Ww]in rate|\b[Ww]on\b|\bwins\b|PRR|0/|0\.000", words), text
    text = render(found, "markdown")
    assert "## Returns on pettingzoo, version gathering_v0" in text
    assert re.search(r"\| Return retention +\| QMIX_ASGKD / QMIX_SGI .*\| +81\.8 ± \d", text)
    assert "that a training seed of X has a higher mean return than one of Y" in text
    Draft202012Validator(json.loads(JSON_SCHEMA.read_text())).validate(json.loads(render(found, "json")))
    row = list(csv.DictReader(render(found, "csv").splitlines()))[1]
    assert (row["measure"], row["wins"], row["win_rate"], row["prr"]) == ("return", "", "", "")
    assert (row["return"], row["return_retention"]) == ("9", repr(9 / 11))
    assert "win_rate" not in render(found, "marl-eval")


def test_a_return_that_is_not_above_0_has_no_retention_and_the_table_says_so() -> None:
    (table,) = evaluation_tables(without_wins(1, -2.0, -3.0))
    assert table.columns == ("Policy", "z", "Return", "Length")
    assert [row[2][:5] for row in table.rows] == ["-2.00", "-3.00"]
    says = "No return retention for QMIX_ASGKD: its teacher's mean return is -2.00, not above 0."
    assert says in table.notes
    (table,) = evaluation_tables(without_wins(1, 0.1, 0.05))
    assert table.rows[1][-1] == "50.0 %"
    assert (
        "No interval of the return retention of QMIX_ASGKD: its teacher's mean return is 0.10, too near 0."
        in table.notes
    )
    value = json.loads(evaluation_json(without_wins(1, 10.0, 5.0)))["policies"][1]
    assert (value["wins"], value["win_rate"], value["prr"]) == (None, None, None)
    assert value["return_retention"] == 0.5


def test_a_student_that_won_nothing_is_told_beside_its_interval() -> None:
    (table,) = evaluation_tables([entry("sampled", 3), entry("student", 0)])
    assert "0.0 % [0.0, " in table.rows[1][-1]
    says = (
        "QMIX_ASGKD won none of 320 episodes, its teacher 3: the interval of its PRR says what so few wins leave open"
    )
    assert any(note.startswith(says) for note in table.notes)
    assert not any(
        "won none" in note for note in evaluation_tables([entry("sampled", 3), entry("student", 1)])[0].notes
    )


def test_of_several_seeds_a_note_says_of_which_it_is() -> None:
    both = [one for seed, wins in ((1, 0), (2, 3)) for one in pipeline("3m", seed, wins, wins, 0)]
    (table,) = evaluation_tables(both)
    notes = "\n".join(table.notes)
    assert "No PRR for QMIX_ASGKD, seed 1: its teacher won none of 320 episodes." in notes
    assert "QMIX_ASGKD, seed 2 won none of 320 episodes, its teacher 3: " in notes


def test_of_several_rows_of_a_name_a_note_says_of_which_it_is() -> None:
    for steps, wins in ((100, 0), (200, 3)):
        add_run(f"r{steps}", pipeline("3m", 1, wins, wins, 0, teacher_id=f"t{steps}"), steps=steps)
    notes = "\n".join(report_tables(report([RUNS]))[0].notes)
    assert "No PRR for QMIX_ASGKD (steps=100) on 3m: its teacher won none of 320 episodes." in notes
    assert "QMIX_ASGKD (steps=200) on 3m won none of 320 episodes, its teacher 3: " in notes


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)])
def test_of_checkpoints_with_equal_weights_a_student_names_its_own_teacher(order: tuple[int, ...]) -> None:
    """The last weights are the best in tests: all three teachers have one identity."""
    marks = ["", " (best in tests)", " (at 1,000 steps)"]
    endings = ["", "-best", "-0001000"]
    entries = []
    for k in order:
        for z, kind, name in (("sampled", "teacher", "QMIX_SGI"), ("student", "student", "QMIX_ASGKD")):
            place = f"{kind}{endings[k]}.pt"
            entries.append(entry(z, 300, name=f"{name}{marks[k]}", checkpoint=place))  # type: ignore[arg-type]
    of_recipe = "QMIX_ASGKD (best in tests, recipe recurrent)"
    entries.append(entry("student", 300, name=of_recipe, checkpoint="students-best/recurrent.pt"))
    found = {one.name: retention_of([one], entries, 0).teacher_name for one in entries if one.policy == "student"}
    own = {f"QMIX_ASGKD{mark}": f"QMIX_SGI{mark}" for mark in marks}
    assert found == own | {of_recipe: "QMIX_SGI (best in tests)"}


def test_the_mark_of_averaged_weights_is_explained_where_it_stands() -> None:
    add_run("plain", [entry("sampled", 310)])
    assert not [note for table in report_tables(report([RUNS])) for note in table.notes if "Averaged:" in note]
    add_run("averaged", [entry("sampled", 310, name="QMIX_SGI (averaged)", map="8m")], average_weights=0.99)
    notes = [note for note in report_tables(report([RUNS]))[0].notes if note.startswith("Averaged: ")]
    assert len(notes) == 1
    assert "average_weights" in notes[0]
