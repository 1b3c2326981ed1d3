"""A search by optuna: what it tries, hands over and scores, how it goes on, and what it refuses."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptde_cli.commands.sweep import work_through
from ptde_core.base.errors import PtdeError
from ptde_core.experiments.sweeps.cells import state_of
from ptde_core.experiments.sweeps.search import Search, score_of, space_of
from ptde_core.experiments.sweeps.sweep import here, sweep
from ptde_core.experiments.sweeps.sweep_file import SampleSettings, cells_of
from ptde_core.storage.cell_file import write_cell
from ptde_core.storage.evaluation_file import add_entries
from tests.made_runs import entry, played
from tests.unit.test_sweep import Pretended
from tests.unit.test_sweep_elsewhere import TINY, needs, tiny


@pytest.mark.parametrize("of", ["teacher", "student"])
def test_a_search_scores_the_evaluation_that_its_settings_ask_for(tmp_path: Path, of: str) -> None:
    """Others of the same policy, and of other checkpoints of the run, do not count."""
    settings = {**TINY, "evaluate": {"episodes": 20}, "recipe": ["paper"]}
    [cell] = cells_of(tiny(tmp_path, 1, settings=settings), {})
    cell.run.path.mkdir(parents=True)
    facts = {"evaluation_seed": 0, "backend": "game"}
    add_entries(
        cell.run.evaluation,
        [
            *(entry(z, 0, episodes=played(1, 8), **facts) for z in ("sampled", "student")),
            *(entry(z, 0, episodes=played(2, 20), checkpoint=f"{z}-best.pt", **facts) for z in ("sampled", "student")),
            *(entry(z, 0, episodes=played(10, 20), **facts) for z in ("mean", "sampled")),
            entry("student", 0, episodes=played(10, 20), **facts),
            *(
                entry(z, 0, episodes=played(3, 20, 5), **{**facts, "evaluation_seed": 5})
                for z in ("sampled", "student")
            ),
        ],
    )
    assert score_of(cell, SampleSettings(of=of, trials=1, settings=SPACE)) == 0.5


SPACE = {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "batch_episodes": {"low": 4, "high": 8, "step": 2}}


@needs("optuna", "tune")
def test_a_search_tries_as_many_as_it_was_told_and_goes_on(tmp_path: Path) -> None:
    file = tiny(tmp_path, 1, sample={"trials": 3, "sampler": "random", "settings": SPACE})
    search = Search(file, "s")
    first = search.begin(1)
    assert len(first) == 1
    again = Search(file, "s")  # killed before its cell had ended
    assert again.begin(1) == first
    ended = sweep(first, here(1), following=again.following)
    assert [state.state for _, state in ended] == ["done"] * 3
    assert len({cell.run.path for cell, _ in ended}) == 3
    for cell, _ in ended:
        training = cell.pipeline.training.model_dump()
        assert 1e-4 <= training["learning_rate"] <= 1e-2
        assert training["batch_episodes"] in {4, 6, 8}
        assert f"learning_rate={training['learning_rate']:g}" in str(cell.run.path)
    table = Search(file, "s").table()
    assert [row[1] for row in table.rows] == ["complete"] * 3
    assert Search(file, "s").begin(1) == [], "all have been tried"
    scores = [float(row[-1]) for row in table.rows]
    assert scores == sorted(scores, reverse=True)


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, **values: Any) -> Callable[[], Search]:
    """A search of three trials whose cells are never trained; each call is a process that begins with it."""
    monkeypatch.setattr("ptde_core.experiments.sweeps.cells.stale", lambda _: "")
    monkeypatch.setattr("ptde_core.experiments.sweeps.search.score_of", lambda *_: 0.5)
    file = tiny(folder, sample={"trials": 3, "sampler": "random", "settings": SPACE} | values)
    return lambda: Search(file, "s")


def states(search: Search) -> list[str]:
    return [str(row[1]) for row in search.table().rows]


@needs("optuna", "tune")
def test_a_trial_that_was_interrupted_is_told_although_its_first_cell_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = pretend(tmp_path, monkeypatch)
    first, second = search().begin(1)
    write_cell(first.run.cell, "done", first.digest, 1)
    again = search()
    begun = again.begin(1)
    assert begun == [first, second]
    work = Pretended()
    assert len(sweep(begun, work.engine, following=again.following)) == 3 * 2
    assert states(again) == ["complete"] * 3
    assert [seed for seed, _ in work.begun].count(1) == 2, "what is done is not begun again"


@needs("optuna", "tune")
def test_a_search_hands_over_the_cells_of_all_its_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    search = pretend(tmp_path, monkeypatch)
    file = tiny(tmp_path, sample={"trials": 3, "sampler": "random", "settings": SPACE})
    cells = work_through(file, "s", False, Pretended().engine, True)
    assert [state_of(cell).state for cell in cells] == ["done"] * 3 * 2, "as `--keep` copies them"
    assert cells == search().cells
    assert capsys.readouterr().out.count("complete") == 3


@needs("optuna", "tune")
def test_two_processes_may_end_one_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = pretend(tmp_path, monkeypatch, trials=1)
    ours, theirs = search(), search()
    cells = ours.begin(1)
    assert theirs.begin(1) == cells
    for cell in cells:
        write_cell(cell.run.cell, "done", cell.digest, 1)
    for one in (ours, theirs):
        assert [list(one.following(cell)) for cell in cells] == [[], []]
    assert states(ours) == ["complete"]


@needs("optuna", "tune")
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"trials": 5}, ""),
        ({"sampler": "tpe"}, ""),
        ({"settings": {"learning_rate": [1e-3, 1e-4]}}, "holds the trials of another search"),
        ({"settings": {**SPACE, "learning_rate": {"low": 1e-5, "high": 1e-2}}}, "holds the trials of another search"),
    ],
)
def test_a_search_that_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], told: str
) -> None:
    begun = pretend(tmp_path, monkeypatch)().begin(1)
    search = pretend(tmp_path, monkeypatch, **changed)
    if told:
        with pytest.raises(PtdeError, match=told):
            search()
    else:
        assert search().begin(1) == begun


@needs("optuna", "tune")
@pytest.mark.parametrize("there", [False, True])
def test_a_log_of_trials_is_not_written_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """optuna appends to the file of that name, wherever it lies."""
    other = tmp_path / "other.log"
    if there:
        pretend(tmp_path, monkeypatch)()
        (tmp_path / "s.trials.log").rename(other)
    (tmp_path / "s.trials.log").symlink_to(other)
    before = other.read_bytes() if there else None
    with pytest.raises(PtdeError, match=r"cannot use .*s\.trials\.log: it is a link"):
        pretend(tmp_path, monkeypatch)()
    assert (other.read_bytes() if other.exists() else None) == before


@needs("optuna", "tune")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello\n", "is not a readable log of trials: line 1 is broken"),
        ('{"a": 1}\n', "is not a readable log of trials: line 1 is broken"),
        ('{"op_code": 0}', "is not a readable log of trials: line 1 is broken"),
        ('{"op_code": 0}\n', "is not a readable log of trials"),
    ],
)
def test_a_log_of_trials_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    (tmp_path / "s.trials.log").write_text(text)
    with pytest.raises(PtdeError, match=sentence):
        pretend(tmp_path, monkeypatch)()
    assert (tmp_path / "s.trials.log").read_text() == text


@needs("optuna", "tune")
@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        ({"settings": {"learning_rate": [1e-3, -1]}}, "learning_rate = -1"),
        ({"settings": {"gamma": {"low": 0.5, "high": 1.5}}}, "gamma = 1.5"),
        ({"settings": {"td_lambda": [0.5], "map": ["two-step"], "learning_rat": [1]}}, "no setting named 'learning_r"),
        ({"of": "student", "settings": {"gamma": [0.9]}}, "of = 'student', and QMIX has none"),
    ],
)
def test_values_that_cannot_be_are_told_before_any_trial(tmp_path: Path, sample: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PtdeError, match=sentence):
        Search(tiny(tmp_path, sample=sample), "s")
    assert list(tmp_path.iterdir()) == []


@needs("optuna", "tune")
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"gamma": {"low": 2, "high": 1}}, "gamma = .* cannot be sampled"),
        ({"gamma": {"low": 0.1, "high": 1, "logs": True}}, "gamma = .* cannot be sampled"),
        ({"gamma": 3}, "gamma = 3 cannot be sampled"),
        ({"gamma": []}, "gamma = .* cannot be sampled"),
        ({"gamma": {"low": 0.1}}, "gamma = .* is no list of values"),
        ({"gamma": {"low": 0.1, "high": 1.0, "step": 1e-40}}, r"gamma = .* \(there are more than 1,000,000,000 steps"),
        ({"gamma": {"low": 0.1, "high": 1.0, "step": math.nan}}, r"gamma = .* \(low, high and step must be finite"),
        ({"gamma": {"low": -math.inf, "high": math.inf}}, r"gamma = .* \(low, high and step must be finite"),
        ({"hidden_size": {"low": 1, "high": 2**64 - 1}}, r"hidden_size = .* below 2\*\*63"),
    ],
)
def test_a_space_that_makes_no_sense(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PtdeError, match=sentence):
        space_of(SampleSettings(settings=settings))
