"""Evaluations stand beside each other, the one that is meant is counted, and each lies beside its checkpoint."""

import json
import shutil
from pathlib import Path

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.results.chosen_evaluation import Wanted
from ptde_core.results.formats import render
from ptde_core.results.gather import report
from ptde_core.runs.stage_settings import (
    EvaluateSettings,
)
from ptde_core.storage.evaluation_file import add_entries, read_evaluation
from ptde_core.storage.run_folder import RunFolder, write_json
from ptde_core.storage.status import moment
from ptde_core.viewing.algorithm_curves import win_rates
from tests.pipelines import EVALUATE, SETTINGS, pipeline


def sizes(run: RunFolder) -> list[tuple[str, int, int]]:
    entries = read_evaluation(run.evaluation).entries
    return sorted((entry.z, len(entry.episodes.seed), entry.evaluation_seed) for entry in entries)


def test_evaluations_accumulate_and_the_largest_with_the_default_seed_is_counted(run: RunFolder) -> None:
    evaluate([run.student], EvaluateSettings(episodes=4))
    evaluate([run.student], EvaluateSettings(episodes=16, seed=7))
    expected = [(z, n, seed) for z in ("mean", "sampled", "student") for n, seed in ((4, 0), (8, 0), (16, 7))]
    assert sizes(run) == expected
    for wanted, episodes, seed in (
        (Wanted(), 8, 0),
        (Wanted(seed=7), 16, 7),
        (Wanted(episodes=4), 4, 0),
        (Wanted(seed=7, episodes=16), 16, 7),
    ):
        scores = report([run.path], wanted=wanted).sections[0].scores
        assert len(scores) == 3
        counted = {(one.episodes, one.evaluation_seed) for score in scores for one in score.seeds}
        assert counted == {(episodes, seed)}
    found = report([run.path], wanted=Wanted(seed=3))
    assert not found.sections
    assert "`ptde evaluate" in found.left_out[0].why
    assert "--seed 3" in found.left_out[0].why
    raw = json.loads(render(report([run.path]), "marl-eval"))
    (algorithms,) = raw["game 1"].values()
    assert {len(runs["seed_1"]["absolute_metrics"]["return"]) for runs in algorithms.values()} == {8}


def test_the_same_evaluation_made_again_stands_there_once(run: RunFolder) -> None:
    before = sizes(run)
    evaluate([run.student], EVALUATE)
    assert sizes(run) == before


def test_unequal_evaluations_are_never_pooled(run: RunFolder, tmp_path: Path) -> None:
    for seed, evaluating in ((2, EVALUATE), (3, EvaluateSettings(episodes=4))):
        other = RunFolder(tmp_path / f"seed{seed}")
        pipeline(other, settings=SETTINGS.model_copy(update={"seed": seed}), evaluating=evaluating)
    scores = [one for one in report([tmp_path]).sections[0].scores if one.z == "sampled"]
    assert [(score.variant, [one.train_seed for one in score.seeds]) for score in scores] == [
        ("4 episodes of seed 0", [3]),
        ("8 episodes of seed 0", [1, 2]),
    ]


def test_evaluations_of_weights_that_are_gone_are_kept_but_not_counted(run: RunFolder) -> None:
    held = read_evaluation(run.evaluation).entries
    newer = [entry.model_copy(update={"policy_id": "newer"}) for entry in held if entry.checkpoint == "student.pt"]
    found = add_entries(run.evaluation, newer)
    assert [entry.policy_id for entry in found.entries if entry.checkpoint == "student.pt"] == ["newer"]
    assert [entry.checkpoint for entry in found.superseded] == ["student.pt"]
    back = add_entries(run.evaluation, [entry for entry in held if entry.checkpoint == "student.pt"])
    assert [entry.policy_id for entry in back.superseded] == ["newer"]
    assert len(back.entries) == 3


def test_an_edited_evaluation_is_refused(run: RunFolder) -> None:
    text = run.evaluation.read_text()
    run.evaluation.write_text(text.replace('"map": "personal-signal"', '"map": "common-signal"'))
    assert text != run.evaluation.read_text()
    with pytest.raises(PtdeError, match=r"evaluation\.json is not an evaluation of ptde"):
        read_evaluation(run.evaluation)


@pytest.mark.parametrize("folder", ["kept", "students", "students-of-mine", "checkpoints"])
def test_a_student_that_lies_elsewhere_is_evaluated_beside_itself(
    folder: str, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "run" / "..")
    Path(folder).mkdir()
    shutil.copy(run.student, Path(folder) / "mine.pt")
    (entry,) = evaluate([Path(folder) / "mine.pt"], EVALUATE)
    assert entry.checkpoint == "mine.pt"
    assert Path(folder, "evaluation.json").exists()
    assert not Path("evaluation.json").exists()


def test_a_student_in_its_run_is_evaluated_in_its_run(run: RunFolder) -> None:
    run.students.mkdir()
    shutil.copy(run.student, run.students / "mine.pt")
    assert evaluate([run.students / "mine.pt"], EVALUATE)[-1].checkpoint == "students/mine.pt"
    assert not (run.students / "evaluation.json").exists()


def test_times_are_compared_as_times(run: RunFolder, tmp_path: Path) -> None:
    """20:00 in New York is later than 23:00 in Berlin, whatever its text says."""
    later = RunFolder(shutil.copytree(run.path, tmp_path / "later"))
    for one, time in ((run, "2026-01-01T23:00:00+0100"), (later, "2026-01-01T20:00:00-0500")):
        status = json.loads(one.status.read_text())
        write_json(one.status, status | {"time": time})
    assert [one.why for one in report([tmp_path]).left_out] == [f"repeats seed 1 of {later.path}, which is newer"]
    assert [one.run for one in win_rates([tmp_path]).left_out] == [str(run.path)]
    with pytest.raises(PtdeError, match="which is none with its zone"):
        moment("2026-01-01T20:00:00", "status.json")
