"""Functions of the user's own that look into a training: what they are told, that they change nothing, their errors."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import ptde_core as ptde
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_state

SMALL = {"env": "game", "steps": 300, "batch_episodes": 16, "test_every": 100, "test_episodes": 4, "epsilon_steps": 200}
WHEN = ("on_round", "on_update", "on_test")


def teacher_id(run: RunFolder) -> str:
    return str(load_checkpoint(run.teacher, "teacher")["teacher_id"])


def disturb(_: object) -> None:
    """What would move a training that leaned on global chance."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002


def test_they_are_told_what_happens_and_change_nothing(tmp_path: Path) -> None:
    seen: list[object] = []

    def look(record: object) -> None:
        seen.append(record)
        disturb(record)

    watched = ptde.train_teacher("personal-signal", out=tmp_path / "a", **dict.fromkeys(WHEN, look), **SMALL)
    plain = ptde.train_teacher("personal-signal", out=tmp_path / "b", **SMALL)
    assert teacher_id(watched) == teacher_id(plain)

    rounds = [one for one in seen if isinstance(one, ptde.Played)]
    updates = [one for one in seen if isinstance(one, ptde.Updated)]
    tests = [one for one in seen if isinstance(one, ptde.Tested)]
    assert [one.episodes for one in rounds] == [8 * k for k in range(1, len(rounds) + 1)]
    assert [one.env_steps for one in rounds] == list(np.cumsum([sum(one.lengths) for one in rounds]))
    assert all(len(one.returns) == len(one.lengths) == 8 and 0 <= one.won <= 8 for one in rounds)
    assert [one.updates for one in updates] == list(range(1, len(rounds)))  # the first round is no batch yet
    assert all({"td_loss", "gradient_norm"} <= set(one.metrics) for one in updates)
    lines = [json.loads(line) for line in watched.metrics.read_text().splitlines()]
    assert len(tests) == len(lines) > 2
    for one, line in zip(tests, lines, strict=True):
        assert {"env_steps": one.env_steps, **one.metrics} == {key: line[key] for key in ("env_steps", *one.metrics)}
    assert seen.index(rounds[1]) < seen.index(updates[0]) < seen.index(rounds[2])


@pytest.mark.parametrize("when", WHEN)
def test_an_error_in_one_is_told_as_the_users_and_the_training_goes_on_with_resume(when: str, tmp_path: Path) -> None:
    def fails(_: object) -> None:
        raise ZeroDivisionError("mine")

    wrong: dict[str, Callable[[object], None]] = {when: fails}
    with pytest.raises(ptde.PtdeError, match=rf"^{when} raised ZeroDivisionError: mine; .*error\.txt; mend it"):
        ptde.train_teacher("personal-signal", out=tmp_path / "a", **wrong, **SMALL)
    run = RunFolder(tmp_path / "a")
    assert "in fails\n" in run.error.read_text()
    assert read_state(run) == "failed"
    went_on = ptde.train_teacher("personal-signal", out=tmp_path / "a", resume=True, **SMALL)
    plain = ptde.train_teacher("personal-signal", out=tmp_path / "b", **SMALL)
    assert teacher_id(went_on) == teacher_id(plain)


def test_a_round_by_which_the_training_is_interrupted_goes_on(tmp_path: Path) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ptde.train_teacher("personal-signal", out=tmp_path / "a", on_test=stop, **SMALL)
    assert read_state(RunFolder(tmp_path / "a")) == "interrupted"
