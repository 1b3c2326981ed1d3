"""Numbers and names in files that no run of ours writes: refused, or spelled out, where they are read."""

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest

from benchmarks.fuzz import teacher_content, write_a_replay, write_rows
from ptde_core.base.errors import PtdeError
from ptde_core.base.untrusted import parse_json, parse_toml
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.results.compare_runs import compare_runs, comparison_json
from ptde_core.results.formats import DATA_FORMATS, TABLE_FORMATS, render
from ptde_core.results.gather import report
from ptde_core.runs.stage_settings import EvaluateSettings, train_teacher_settings
from ptde_core.storage.checkpoint import load_checkpoint, save_checkpoint
from ptde_core.storage.curve_file import metrics_of, write_curve
from ptde_core.storage.episode_file import read_contents
from ptde_core.storage.evaluation_file import EvaluationEntry, read_evaluation
from ptde_core.storage.metrics_file import LINE
from ptde_core.storage.metrics_file import LINES as MOST_LINES
from ptde_core.storage.replay_file import read_replay
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_status
from ptde_core.storage.training_log import TrainingLog
from ptde_core.viewing.replays.chosen_episodes import Shown
from ptde_core.viewing.replays.page import replay_page
from tests.made_runs import RUNS, _in_an_empty_folder, add_run, distilled, pipeline  # noqa: F401  its fixture too

LINES = {
    "a win rate above 1": {"env_steps": 3, "test_win_rate": 1e300},
    "a win rate below 0": {"env_steps": 3, "train_win_rate": -0.5},
    "a student's": {"env_steps": 3, "student_test_win_rate": 1.5},
    "a return that no sum holds": {"env_steps": 3, "test_return": 1e99},
    "no steps": {"test_win_rate": 0.5},
    "steps that no training takes": {"env_steps": 9 * 10**18, "test_win_rate": 0.5},
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", LINES)
def test_a_line_that_no_training_logs_is_refused(name: str, packed: bool, tmp_path: Path) -> None:
    run, line = RunFolder(tmp_path), LINES[name]
    if packed:
        run.curve.write_bytes(gzip.compress(f"{','.join(line)}\n{','.join(map(repr, line.values()))}\n".encode()))
    else:
        run.metrics.write_text(json.dumps(line) + "\n")
    with pytest.raises(PtdeError, match=r"metrics\.jsonl, line 1|is not a curve"):
        metrics_of(run)


MANY = {
    "lines": b"env_steps\n" + b"0\n" * (MOST_LINES + 1),
    "columns": b"env_steps," + b"a," * LINE + b"\n0\n",
    "cells": b"env_steps\n0" + b",1" * LINE + b"\n",
}


@pytest.mark.parametrize("name", MANY)
def test_a_small_curve_that_unpacks_into_many_lines_or_cells_is_refused(name: str, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.curve.write_bytes(gzip.compress(MANY[name], 1))
    with pytest.raises(PtdeError, match="is not a curve of ptde"):
        metrics_of(run)


def test_a_log_of_more_lines_than_are_read_is_refused_and_not_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, rows = RunFolder(tmp_path), [{"env_steps": float(k)} for k in range(4)]
    for module in ("metrics_file", "curve_file"):
        monkeypatch.setattr(f"ptde_core.storage.{module}.LINES", 3)
    write_curve(run.curve, rows[:3])
    assert metrics_of(run) == rows[:3]
    with pytest.raises(PtdeError, match="would have 4 lines, and at most 3 are read"):
        write_curve(run.curve, rows)
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(PtdeError, match=r"metrics\.jsonl has 4 lines, and at most 3 are read"):
        metrics_of(run)


def test_a_pipe_is_no_curve_and_no_log(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    os.mkfifo(run.curve)
    with pytest.raises(PtdeError, match="a device or a pipe"):
        metrics_of(run)
    os.mkfifo(run.metrics)
    with pytest.raises(PtdeError, match="a device or a pipe"):
        TrainingLog(run, {})


def a_run(name: str = "run") -> RunFolder:
    return add_run(name, pipeline("3m", 1, 312, 316, 300))


EVALUATIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a return that no sum holds": lambda one: one["episodes"].update(
        total_reward=[1e308] * len(one["episodes"]["won"])
    ),
    "a time that no speed has": lambda one: one.update(inference=one["inference"] | {"seconds": 1e-320}),
    "networks without end": lambda one: one.update(parameters={f"n{k}": 1 for k in range(20_000)}),
    "a network of a long name": lambda one: one.update(parameters={"n" * 8000: 1}),
    "a machine without end": lambda one: one.update(machine="N " * 40_000),
    "a policy of a long name": lambda one: one.update(name="N" * 301),
    "more than a lifetime": lambda one: one.update(inference=one["inference"] | {"seconds": 1e30}),
}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_an_evaluation_that_none_can_be_is_left_out_and_named(name: str, tmp_path: Path) -> None:
    run = a_run()
    value = json.loads(run.evaluation.read_text())
    for one in value["entries"]:
        EVALUATIONS[name](one)
    run.evaluation.write_text(json.dumps(value))
    with pytest.raises(PtdeError, match=r"evaluation\.json is not"):
        read_evaluation(run.evaluation)
    found = report([RUNS])
    assert [one.state for one in found.left_out] == ["unreadable"]


@pytest.mark.parametrize("seconds", [5e-324, 1e300, -1.0])
def test_a_status_with_a_time_that_nothing_takes_is_refused(seconds: float, tmp_path: Path) -> None:
    run = a_run()
    run.status.write_text(json.dumps(json.loads(run.status.read_text()) | {"seconds": seconds}))
    with pytest.raises(PtdeError, match=r"status\.json is not"):
        read_status(run)


@pytest.mark.parametrize("text", ["1e100", "[-1e300]", '{"a": 1e308}'])
def test_no_number_of_a_file_is_so_large_that_sums_are_not_finite(text: str) -> None:
    with pytest.raises(ValueError, match=r"a number of 1e\+100 or more"):
        parse_json(text.encode())


@pytest.mark.parametrize("value", [1e100, 1e308, "1e200"])
def test_nor_is_a_setting(value: object) -> None:
    with pytest.raises(PtdeError, match=r"gradient_clip = .* is too large; give less than"):
        train_teacher_settings({"env": "game", "map": "two-step", "gradient_clip": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e200])
def test_nor_a_students_quality(value: float, tmp_path: Path) -> None:
    content = {**teacher_content(), "teacher_file": "teacher.pt", "quality": {"student_explained": value}}
    save_checkpoint(tmp_path / "s.pt", "student", content)
    with pytest.raises(PtdeError, match="not a whole student"):
        load_checkpoint(tmp_path / "s.pt", "student")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("train_seed", 7, "says seed = 7, and that has 1"),
        ("env_steps", 99_999_999, "says env_steps = 99999999"),
        ("alg", "copa", "says alg = 'copa', and that has 'qmix'"),
        ("global_info", "unified", "says global_info = 'unified'"),
        ("evaluation_seed", 5, "is not of the episodes of its seed 5"),
    ],
)
def test_an_evaluation_that_says_something_else_than_its_checkpoint_is_not_counted(
    field: str, value: object, says: str, tmp_path: Path
) -> None:
    run = a_run()
    held = json.loads(run.evaluation.read_text())
    for one in held["entries"]:
        one[field] = value
        one["digest"] = EvaluationEntry(**{key: one[key] for key in one if key != "digest"}).digest
    run.evaluation.write_text(json.dumps(held))
    found = report([RUNS])
    assert not found.sections
    assert {one.state for one in found.left_out} == {"stale"}
    assert all(says in one.why for one in found.left_out)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "QPLEX_ASGKD", "says name = 'QPLEX_ASGKD', and that has 'QMIX_ASGKD'"),
        ("distilled", distilled(recipe="recurrent").model_dump(), "says distill.recipe = 'recurrent'"),
        ("distilled", None, "says distilled = False, and that has True"),
    ],
)
def test_of_several_evaluations_just_the_one_that_says_something_else_is_left_out(
    field: str, value: object, says: str
) -> None:
    run = a_run()
    held = json.loads(run.evaluation.read_text())
    changed = next(one for one in held["entries"] if one["policy"] == "student")
    changed[field] = value
    run.evaluation.write_text(json.dumps(held))
    found = report([RUNS])
    assert len(found.left_out) == 1
    assert says in found.left_out[0].why
    assert {score.policy for one in found.sections for score in one.scores} == {"teacher"}


@pytest.mark.parametrize("form", [*TABLE_FORMATS, *DATA_FORMATS, "compare"])
def test_names_in_files_turn_no_text_in_any_format(form: str, tmp_path: Path) -> None:
    run = a_run()
    held = json.loads(run.evaluation.read_text())
    for one in held["entries"]:
        one["name"] += "\u202e\x1b[31m\u2028"
    run.evaluation.write_text(json.dumps(held))
    text = comparison_json(compare_runs(run, a_run("other"))) if form == "compare" else render(report([RUNS]), form)
    assert not set(text) & {"\u202e", "\x1b", "\u2028"}


def test_a_folder_whose_name_is_not_utf_8_holds_a_run(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xff"))
    folder.mkdir()
    save_checkpoint(folder / "teacher.pt", "teacher", teacher_content())
    assert load_checkpoint(folder / "teacher.pt", "teacher")["kind"] == "teacher"


def test_no_text_of_a_file_has_a_zero_byte_as_no_path_can(tmp_path: Path) -> None:
    for parse, text in ((parse_json, b'{"map": "a\\u0000b"}'), (parse_toml, 'out = "a\\u0000b"')):
        with pytest.raises(ValueError, match="zero byte"):
            parse(text)  # type: ignore[operator]
    content = teacher_content()
    content["settings"] |= {"map": "a\0b.toml"}
    save_checkpoint(tmp_path / "t.pt", "teacher", content)
    with pytest.raises(PtdeError, match="zero byte"):
        load_checkpoint(tmp_path / "t.pt", "teacher")


@pytest.mark.parametrize("place", ["metrics.jsonl", "tensorboard/events.out.tfevents.ptde", "tensorboard"])
def test_a_log_that_is_a_link_is_not_written_through(place: str, tmp_path: Path) -> None:
    run, elsewhere = RunFolder(tmp_path / "run"), tmp_path / "elsewhere"
    target = elsewhere / "events.out.tfevents.ptde"
    for folder in (run.path, elsewhere, *((run.path / "tensorboard",) if "/" in place else ())):
        folder.mkdir()
    target.write_text("mine")
    (run.path / place).symlink_to(elsewhere if place == "tensorboard" else target)
    with pytest.raises(PtdeError, match="it is a link"):
        TrainingLog(run, {})
    assert target.read_text() == "mine"


def test_an_evaluation_that_cannot_be_locked_is_told_before_it_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path / "teacher.pt", "teacher", teacher_content())
    (tmp_path / ".evaluation.json.lock").mkdir()
    monkeypatch.setattr("ptde_core.pipeline.evaluate.play_episodes", lambda *_: pytest.fail("it was played"))
    with pytest.raises(PtdeError, match="as a lock"):
        evaluate([tmp_path / "teacher.pt"], EvaluateSettings(episodes=1))


def test_names_in_a_replay_turn_no_text_on_its_page(tmp_path: Path) -> None:
    write_a_replay(tmp_path / "r.h5")
    replay = read_replay(tmp_path / "r.h5")
    header = replay.header.model_copy(update={"map": "hill\u202e", "names": {"teacher": "QMIX\u202e"}})
    page = replay_page([Shown(replace(replay, header=header), replay.episodes[0])])
    assert "\u202e" not in page
    assert r"on hill\u202e" in page


def test_a_return_that_no_sum_holds_is_refused_in_episodes_too(tmp_path: Path) -> None:
    write_rows(tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "a") as file:
        file["episodes/total_reward"][...] = 3e38
    with pytest.raises(PtdeError, match="total_reward holds numbers"):
        read_contents(tmp_path / "e.h5", with_rows=False)
