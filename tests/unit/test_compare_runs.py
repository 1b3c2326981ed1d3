"""Two runs side by side: each difference is found, equal battles are paired, what does not compare is not compared."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.results.compare_runs import (
    Difference,
    compare_runs,
    comparison_json,
    comparison_tables,
)
from ptde_core.storage.evaluation_file import EvaluationEntry, Messages
from ptde_core.storage.provenance_file import Provenance, Sitting
from ptde_core.storage.run_folder import RunFolder, write_json
from ptde_core.storage.status import write_status
from ptde_core.viewing.result_text import text_of
from tests.made_runs import add_run, check_golden, distilled, entry, pipeline, world_1


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENTS, "skirmish", replace(ENVIRONMENTS["skirmish"], now=world_1))  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)


def provenance(run: RunFolder, version: str = "1", code: str = "0.1.0+1a2b3c4", torch: str = "2.13.0") -> None:
    sitting = Sitting(
        time="2026-01-01T00:00:00+0000",
        code=code,
        packages={"python": "3.11.7", "torch": torch},
        machine="2 cores, Some CPU, 8 GiB, Linux x86_64",
        threads=2,
    )
    made = Provenance(backend="skirmish", backend_version=version, sittings=(sitting,))
    write_json(run.provenance, made.model_dump())


def two_runs() -> tuple[RunFolder, RunFolder]:
    """A teacher with its student, and a plain QMIX of another seed, code and torch."""
    one = add_run("one", pipeline("3m", 1, 310, 312, 280), td_lambda=0.6)
    other = add_run("other", [entry("none", 250, train_seed=2, teacher_id="plain")], td_lambda=0.8)
    provenance(one)
    provenance(other, code="0.1.0+5d6e7f8", torch="2.12.0")
    one.metrics.write_text('{"env_steps": 150020, "test_win_rate": 0.96875, "test_return": 19.5}\n')
    return one, other


def test_every_format_is_as_kept() -> None:
    found = compare_runs(*two_runs())
    check_golden("compare.md", text_of(found))
    check_golden("compare.json", comparison_json(found))


def test_every_student_of_a_run_is_compared_with_its_like() -> None:
    runs = []
    for name, steps in (("one", 100), ("other", 200)):
        entries = pipeline("3m", 1, 310, 312, 280)
        made = distilled(student="recurrent", recipe="recurrent", steps=steps)
        facts = {"map": "3m", "teacher_id": "3m 1", "name": "QMIX_ASGKD (recipe recurrent)", "distilled": made}
        entries.append(entry("student", 300, checkpoint="students/recurrent.pt", **facts))
        runs.append(add_run(name, entries))
    found = compare_runs(*runs)
    assert found.settings == (Difference("students/recurrent.pt: distill.steps", "100", "200"),)
    assert [one.kind for one in found.outcomes] == ["teacher", "teacher, z mean", "student", "students/recurrent.pt"]
    assert found.outcomes[3].difference == 0


def test_what_differs_is_found_and_what_is_equal_is_not_shown() -> None:
    found = compare_runs(*two_runs())
    assert found.settings == (
        Difference("global_info", "agent-specific", "none"),
        Difference("seed", "1", "2"),
        Difference("student", "distilled", "none distilled"),
        Difference("td_lambda", "0.6", "0.8"),
    )
    assert found.made == (
        Difference("code", "ptde 0.1.0+1a2b3c4", "ptde 0.1.0+5d6e7f8"),
        Difference("package torch", "2.13.0", "2.12.0"),
    )


def test_students_differ_in_the_settings_of_their_distillation() -> None:
    one = add_run("one", [entry("sampled", 300), entry("student", 280, distilled=distilled(steps=100))])
    other = add_run("other", [entry("sampled", 300), entry("student", 290, distilled=distilled(steps=900))])
    assert compare_runs(one, other).settings == (Difference("distill.steps", "100", "900"),)


def test_equal_runs_differ_in_nothing() -> None:
    one = add_run("one", pipeline("3m", 1, 310, 312, 280))
    other = add_run("other", pipeline("3m", 1, 310, 312, 280))
    found = compare_runs(one, other)
    assert (found.settings, found.made) == ((), ())
    assert [(outcome.difference, outcome.battles) for outcome in found.outcomes] == [(0.0, "the same")] * 3
    assert text_of(found).count("| nothing") == 2


def test_equal_battles_are_paired_and_others_are_not() -> None:
    one, other = add_run("one", [entry("sampled", 300)]), add_run("other", [entry("sampled", 200, train_seed=2)])
    (paired,) = compare_runs(one, other).outcomes
    assert paired.battles == "the same"
    assert paired.difference == pytest.approx(-100 / 320)
    assert paired.interval is not None
    assert paired.interval.low < -100 / 320 < paired.interval.high < 0
    assert compare_runs(one, other).outcomes == (paired,)  # the same seed, the same draws
    elsewhere = add_run("elsewhere", [entry("sampled", 200, train_seed=2, evaluation_seed=9)])
    (apart,) = compare_runs(one, elsewhere).outcomes
    assert (apart.battles, apart.difference) == ("others", paired.difference)
    assert apart.interval is not None
    assert apart.interval.high - apart.interval.low > paired.interval.high - paired.interval.low


def test_policies_with_other_thresholds_of_messages_are_not_compared() -> None:
    def played_with(threshold: float, wins: int, **changes: Any) -> EvaluationEntry:
        return entry("mean", wins, messages=Messages(threshold=threshold, sent=1, offered=2), **changes)

    one = add_run("one", [played_with(0.0, 320), played_with(1000.0, 0)])
    other = add_run("other", [played_with(0.0, 20, train_seed=2)])
    found = {outcome.kind: outcome.difference for outcome in compare_runs(one, other).outcomes}
    assert found == {"teacher, z mean": -300 / 320, "teacher, z mean, message_threshold=1000": None}


def test_students_differ_in_how_their_episodes_were_collected() -> None:
    one, other = (
        add_run(name, [entry("sampled", 310), entry("student", 280, distilled=distilled({"episodes": episodes}))])
        for name, episodes in (("one", 100), ("other", 2))
    )
    assert compare_runs(one, other).settings == (Difference("collect.episodes", "100", "2"),)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"map": "8m"}, "of another map"),
        ({"backend": "smac"}, "by other rules"),
    ],
)
def test_what_does_not_compare_has_no_difference(changes: dict[str, Any], why: str) -> None:
    one, other = add_run("one", [entry("sampled", 300)]), add_run("other", [entry("sampled", 200, **changes)])
    (outcome,) = compare_runs(one, other).outcomes
    assert (outcome.difference, outcome.interval, outcome.battles) == (None, None, why)


def test_maps_of_one_name_and_other_content_are_not_compared() -> None:
    one, other = (
        add_run(name, [entry("none", 300, backend="pettingzoo", map="game:Game", map_digest=digest)])
        for name, digest in (("one", "a" * 16), ("other", "b" * 16))
    )
    (outcome,) = compare_runs(one, other).outcomes
    assert (outcome.difference, outcome.battles) == (None, "of a map of other content")


def test_a_run_that_has_just_begun_can_be_compared() -> None:
    one, _ = two_runs()
    begun = add_run("begun", [])
    write_status(begun, "failed", "OSError: disk full")
    found = compare_runs(one, begun)
    assert Difference("state", "finished", "failed: OSError: disk full") in found.made
    assert all(outcome.other is None for outcome in found.outcomes)
    assert "| teacher" in text_of(found)
    assert json.loads(comparison_json(found))["states"] == ["finished", "failed"]


def test_what_is_no_run_is_refused() -> None:
    one, _ = two_runs()
    with pytest.raises(PtdeError, match=r"nowhere is not a run folder: it has no config\.json; give a folder"):
        compare_runs(one, RunFolder(Path("nowhere")))
    write_json(Path("half/config.json"), {})
    with pytest.raises(PtdeError, match=r"half is not a run folder: it has no status\.json"):
        compare_runs(RunFolder(Path("half")), one)
    with pytest.raises(PtdeError, match="are the same run"):
        compare_runs(one, RunFolder(Path("runs/../runs/one")))


def test_a_note_says_of_which_run_it_is() -> None:
    one, other = add_run("one", pipeline("3m", 1, 0, 0, 0)), add_run("other", pipeline("3m", 2, 3, 3, 0))
    (results,) = [table for table in comparison_tables(compare_runs(one, other)) if table.title == "Results"]
    notes = "\n".join(results.notes)
    assert "No PRR for QMIX_ASGKD in A: its teacher won none of 320 episodes." in notes
    assert "QMIX_ASGKD in B won none of 320 episodes, its teacher 3: " in notes
