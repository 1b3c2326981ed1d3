import os
from pathlib import Path
from typing import Any

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.results.formats import FORMATS, render
from ptde_core.results.gather import report
from ptde_core.results.sections import report_tables
from ptde_core.scores.tally import Tally
from ptde_core.storage.run_folder import RunFolder, find_runs_here, write_json
from ptde_core.storage.status import write_status
from tests.made_runs import (
    RUNS,
    _in_an_empty_folder,  # noqa: F401  a fixture
    add_run,
    distilled,
    entry,
    many_runs,
    one_run,
    only_score,
    pipeline,
    played,
)


def test_the_parameters_of_every_network_are_shown() -> None:
    add_run("3m", pipeline("3m", 1, 312, 316, 300))
    add_run("plain", [entry("none", 100)])
    (table,) = (one for one in report_tables(report([RUNS])) if one.title.startswith("Parameters"))
    assert table.columns == (
        "Map",
        "Algorithm",
        "trunk",
        "information",
        "student",
        "head",
        "all that act",
        "training only",
    )
    assert table.rows == (
        ("3m", "QMIX_SGI", "30,000", "200,000", "—", "5,000", "235,000", "20,000"),
        ("", "QMIX_ASGKD", "30,000", "—", "8,000", "5,000", "43,000", "—"),
        ("", "QMIX", "30,000", "—", "—", "5,000", "35,000", "20,000"),
    )


def test_an_evaluation_of_an_older_schema_is_not_counted_and_told_how_to_mend() -> None:
    run = add_run("old", [entry("sampled", 300)])
    run.evaluation.write_text(run.evaluation.read_text().replace('"schema_number": 3', '"schema_number": 1'))
    [left_out] = report([RUNS]).left_out
    assert "has schema 1, this ptde reads 3; evaluate anew: `ptde evaluate" in left_out.why


def test_a_half_written_run_is_listed_and_not_counted() -> None:
    run = add_run("whole", [entry("sampled", 300)])
    half = add_run("half", [entry("sampled", 10, train_seed=2)])
    half.status.rename(half.provenance)
    cut = add_run("cut", [entry("sampled", 10, train_seed=3)])
    cut.evaluation.write_text(cut.evaluation.read_text()[:500])
    found = report([RUNS])
    assert [one.run for one in only_score(found, name="QMIX_SGI").seeds] == [str(run.path)]
    assert [(one.run, one.state) for one in found.left_out] == [
        (str(cut.path), "unreadable"),
        (str(half.path), "half-written"),
    ]


def test_a_repeat_of_a_run_is_no_further_seed() -> None:
    old = add_run("z-older", [entry("sampled", 100)])
    write_json(old.status, {"state": "finished", "reason": "", "pid": 1, "time": "2026-01-01T00:00:00+0000"})
    add_run("newer", [entry("sampled", 300)])
    found = report([RUNS])
    assert only_score(found, name="QMIX_SGI").tally == Tally(300, 320)
    assert [(one.run, one.why) for one in found.left_out] == [
        ("runs/z-older", "repeats seed 1 of runs/newer, which is newer")
    ]


def student_run(name: str, wins: int, seed: int = 1, **making: Any) -> RunFolder:
    """A run whose teacher is that of all others of its seed, with a student of its own."""
    teacher, _, student = pipeline("3m", seed, 312, 316, wins)
    made = {"distilled": distilled(**making), "policy_id": f"student of {name}"}
    return add_run(name, [teacher, student.model_copy(update=made)])


@pytest.mark.parametrize(
    ("other", "variant"),
    [
        ({"learning_rate": 0.01}, "distill.learning_rate=0.01"),
        ({"collected": {"episodes": 2}}, "collect.episodes=2"),
        ({"collected": {"epsilon": 1.0}}, "collect.epsilon=1.0"),
    ],
)
def test_students_of_one_teacher_that_were_made_otherwise_are_rows_of_their_own(
    other: dict[str, Any], variant: str
) -> None:
    student_run("one", 300)
    student_run("other", 200, **other)
    found = report([RUNS])
    rows = {score.variant: score.tally for score in found.sections[0].scores if score.policy == "student"}
    assert len(rows) == 2
    assert rows[variant] == Tally(200, 320)
    assert [len(score.seeds) for score in found.sections[0].scores] == [1, 1, 1], "the teacher counts once"
    assert not found.left_out


def test_seeds_of_students_that_were_made_otherwise_are_not_averaged() -> None:
    student_run("one", 300, seed=1, collected={"episodes": 100, "epsilon": 0.0, "seed": 1})
    student_run("two", 290, seed=2, collected={"episodes": 100, "epsilon": 0.0, "seed": 2})
    student_run("three", 200, seed=3, collected={"episodes": 2, "epsilon": 1.0, "seed": 3})
    rows = [score for score in report([RUNS]).sections[0].scores if score.policy == "student"]
    assert sorted(len(score.seeds) for score in rows) == [1, 2]
    assert sum("collect.episodes=2, collect.epsilon=1.0" in score.variant for score in rows) == 1


def test_a_student_made_again_is_no_further_seed_and_is_told() -> None:
    older = student_run("z-older", 100)
    write_json(older.status, {"state": "finished", "reason": "", "pid": 1, "time": "2026-01-01T00:00:00+0000"})
    student_run("newer", 300)
    found = report([RUNS])
    assert only_score(found, name="QMIX_ASGKD").tally == Tally(300, 320)
    assert [one.why for one in found.left_out] == ["repeats seed 1 of runs/newer, which is newer"]


def test_a_student_made_otherwise_counts_where_its_teacher_came_out_otherwise() -> None:
    add_run("newer", pipeline("3m", 1, 312, 316, 300))
    teacher, _, student = pipeline("3m", 1, 100, 100, 90, teacher_id="of other threads")
    teacher = teacher.model_copy(update={"policy_id": "teacher of other threads"})
    older = add_run("z-older", [teacher, student.model_copy(update={"distilled": distilled(steps=7)})])
    write_json(older.status, {"state": "finished", "reason": "", "pid": 1, "time": "2026-01-01T00:00:00+0000"})
    found = report([RUNS])
    scores = found.sections[0].scores
    assert [score.tally for score in scores if score.z == "sampled"] == [Tally(312, 320)]
    students = {score.variant: score for score in scores if score.policy == "student"}
    assert students["distill.steps=7"].retention.ratio == pytest.approx(0.9), "of its own teacher"
    assert [one.why for one in found.left_out] == ["repeats seed 1 of runs/newer, which is newer"]


def test_maps_of_one_name_and_other_content_share_no_row() -> None:
    facts = {"backend": "pettingzoo", "map": "game:Game"}
    add_run("one", [entry("none", 300, map_digest="a" * 16, **facts)])
    add_run("two", [entry("none", 100, map_digest="b" * 16, train_seed=2, **facts)])
    add_run("repeat", [entry("none", 50, map_digest="b" * 16, **facts)])  # the first one's seed
    found = report([RUNS])
    rows = {score.variant: [one.train_seed for one in score.seeds] for score in found.sections[0].scores}
    assert rows == {"map_digest=aaaaaaaa": [1], "map_digest=bbbbbbbb": [1, 2]}
    assert not found.left_out


def test_what_is_not_finished_or_not_readable_is_listed_and_never_counted() -> None:
    one_run()
    cut = add_run("cut", pipeline("3m", 2, 312, 316, 300))
    cut.evaluation.write_text(cut.evaluation.read_text()[:1000])
    write_status(add_run("failed", pipeline("3m", 3, 312, 316, 300)), "failed", "out of memory")
    write_status(add_run("running", pipeline("3m", 4, 312, 316, 300)), "running")
    write_json(add_run("foreign", pipeline("3m", 5, 312, 316, 300)).status, {"hello": 1})
    add_run("empty", [entry("sampled", 0, episodes=played(0, 0), train_seed=6)])
    found = report([RUNS])
    assert [(one.run, one.state) for one in found.left_out] == [
        ("runs/cut", "unreadable"),
        ("runs/empty", "finished"),
        ("runs/failed", "failed"),
        ("runs/foreign", "unreadable"),
        ("runs/running", "running"),
    ]
    assert [len(score.seeds) for score in found.sections[0].scores] == [1, 1, 1]


def test_only_what_is_below_the_given_folders() -> None:
    many_runs()
    found = report([RUNS / "3s_vs_5z-2"])
    assert {score.map for score in found.sections[0].scores} == {"3s_vs_5z"}
    assert all(len(score.seeds) == 1 for score in found.sections[0].scores)


def test_intervals_depend_on_the_seed_alone() -> None:
    one_run()
    alone = only_score(report([RUNS]), map="3m", name="QMIX_ASGKD").retention
    many_runs()
    among_others = only_score(report([RUNS]), map="3m", name="QMIX_ASGKD").retention
    assert alone == among_others
    assert alone != only_score(report([RUNS], seed=1), map="3m", name="QMIX_ASGKD").retention


def test_no_folder_and_no_runs() -> None:
    with pytest.raises(PtdeError, match="no folder at nowhere"):
        report([Path("nowhere")])
    with pytest.raises(PtdeError, match="no runs below runs; give their folder, or make one, for example `ptde run"):
        report([RUNS])


def test_nothing_but_left_out_runs() -> None:
    add_run("fresh", [])
    found = report([RUNS])
    assert [table.title for table in report_tables(found)] == ["Not counted"]
    assert all(render(found, name) for name in FORMATS)


def test_over_maps_and_which_is_better() -> None:
    for map_name, worse in (("3m", (100, 120)), ("8m", (200, 220))):
        for seed, wins in enumerate(worse, start=1):
            add_run(f"{map_name}{seed}", [entry("none", wins, map=map_name, train_seed=seed)])
            sgi = entry("sampled", wins + 60, map=map_name, train_seed=seed)
            add_run(f"{map_name}{seed}-sgi", [sgi])
    (section,) = report([RUNS]).sections
    plain = next(one for one in section.aggregates if one.name == "QMIX")
    assert (plain.maps, plain.runs, plain.tally) == (("3m", "8m"), 4, Tally(640, 1280))
    assert plain.mean == pytest.approx((110 + 210) / 2 / 320)
    assert plain.iqm == pytest.approx((120 + 200) / 2 / 320)  # the middle two of four
    assert plain.iqm_interval is not None
    (better,) = section.improvements
    assert (better.better, better.than, better.maps) == ("QMIX_SGI", "QMIX", ("3m", "8m"))
    assert (better.probability, better.interval) == (1.0, (1.0, 1.0))
    assert report([RUNS]) == report([RUNS])


def test_what_a_policy_cost_is_shown() -> None:
    add_run("3m", pipeline("3m", 1, 312, 316, 300))
    add_run("3m-2", pipeline("3m", 2, 312, 316, 300))
    write_status(RunFolder(RUNS / "3m-2"), "finished", seconds=100.0, engine_restarts=3)
    table = next(one for one in report_tables(report([RUNS])) if one.title.startswith("What they cost"))
    row = dict(zip(table.columns, table.rows[-1], strict=True))
    assert (row["Algorithm"], row["Training"], row["Engine restarts"]) == ("QMIX_ASGKD", "3.3 min", "3")
    assert row["Env steps/s"] == f"{2 * 150_020 / 400:,.0f}"
    assert (row["Error of z'"], row["Explained"], row["ms per step"]) == ("0.02", "0.900", "1.50")


def test_seeds_in_a_folder_here_are_found_and_what_is_private_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (1, 2):
        add_run(f"seed{seed}", [entry("sampled", 300, train_seed=seed)])
    RUNS.rename("mine")
    Path("private").mkdir()
    is_file, scandir = Path.is_file, os.scandir

    def private(path: Any) -> Any:
        if "private" in str(path):
            raise PermissionError(path)
        return path

    monkeypatch.setattr(Path, "is_file", lambda path: is_file(private(path)))
    monkeypatch.setattr(os, "scandir", lambda path: scandir(private(path)))
    assert [run.path for run in find_runs_here(RUNS)] == [Path("mine/seed1"), Path("mine/seed2")]
    assert only_score(report(), name="QMIX_SGI").tally == Tally(600, 640)


@pytest.mark.parametrize(
    ("students", "names"), [((), "run/teacher.pt"), (("a",), "run/students/a.pt"), (("a", "b"), "run")]
)
def test_what_was_not_evaluated_is_named_with_all_its_students(students: tuple[str, ...], names: str) -> None:
    run = add_run("run", [])
    run.students.mkdir()
    for name in students:
        (run.students / f"{name}.pt").touch()
    [left_out] = report([RUNS]).left_out
    assert left_out.why == f"not evaluated: `ptde evaluate runs/{names}`"
