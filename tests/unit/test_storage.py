"""Checkpoints, replay and journal, HDF5 episodes, evaluation.json: what is saved returns, what is broken is refused."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import MadeFrom, World
from ptde_core.storage.cell_file import read_cell, write_cell
from ptde_core.storage.checkpoint import identity, load_checkpoint, save_checkpoint
from ptde_core.storage.episode_file import (
    Widths,
    read_about,
    read_contents,
    read_local_rows,
    read_origin,
    write_episodes,
)
from ptde_core.storage.evaluation_file import EvaluationEntry, Played, add_entries, read_evaluation
from ptde_core.storage.provenance_file import add_sitting, read_provenance
from ptde_core.storage.replay_buffer import Replay, ReplayJournal
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_state, write_status
from tests.hostile import TEACHER


def episode(seed: int, length: int = 3, *, noise: bool = False) -> Episode:
    chance = np.random.default_rng(seed)
    return Episode(
        seed=seed,
        obs=chance.normal(size=(length + 1, 2, 4)).astype(np.float32),
        state=chance.normal(size=(length + 1, 5)).astype(np.float32),
        available=(chance.random((length + 1, 2, 3)) < 0.5) | np.array([True, False, False]),
        actions=chance.integers(3, size=(length, 2)).astype(np.int16),
        reward=chance.normal(size=length).astype(np.float32),
        terminated=bool(seed % 2),
        won=bool(seed % 3),
        noise=chance.normal(size=(length, 2, 6)).astype(np.float32) if noise else None,
    )


def assert_same(one: Episode, other: Episode) -> None:
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(other, name))
        assert np.asarray(value).dtype == np.asarray(getattr(other, name)).dtype


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a" / "teacher.pt"
    save_checkpoint(path, "teacher", {**TEACHER, "networks": {"w": torch.eye(2)}, "n": 3})
    content = load_checkpoint(path, "teacher")
    assert torch.equal(content["networks"]["w"], torch.eye(2))
    assert content["n"] == 3
    assert [p.name for p in path.parent.iterdir()] == ["teacher.pt"]


def test_a_checkpoint_of_another_kind_or_schema_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "s.pt", "student", TEACHER)
    with pytest.raises(PtdeError, match="holds a student, not a teacher"):
        load_checkpoint(tmp_path / "s.pt", "teacher")
    torch.save({"schema": 99, "kind": "teacher"}, tmp_path / "future.pt")
    with pytest.raises(PtdeError, match="schema 99, this ptde reads 2"):
        load_checkpoint(tmp_path / "future.pt", "teacher")
    torch.save({"schema": 1, "kind": "training"}, tmp_path / "state.pt")
    with pytest.raises(PtdeError, match="schema 1, this ptde reads 3"):
        load_checkpoint(tmp_path / "state.pt", "training")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut", b"\x80\x04."])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(PtdeError, match=r"x\.pt"):
        load_checkpoint(tmp_path / "x.pt", "teacher")


def test_a_cut_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.pt"
    save_checkpoint(path, "teacher", {"w": torch.randn(1000)})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(PtdeError, match="not a readable checkpoint"):
        load_checkpoint(path, "teacher")


def test_someone_elses_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "theirs.pt")
    with pytest.raises(PtdeError, match="not a checkpoint of ptde"):
        load_checkpoint(tmp_path / "theirs.pt", "teacher")


def test_identity_changes_with_any_weight() -> None:
    one = {"a": torch.zeros(3), "b": torch.ones(2)}
    assert identity(one) == identity({key: one[key].clone() for key in ("b", "a")})
    assert identity(one) != identity(one | {"a": torch.tensor([0.0, 0.0, 1e-7])})


def test_replay_drops_the_oldest_and_samples_without_repeats() -> None:
    replay = Replay(4)
    replay.add([episode(k) for k in range(6)])
    sample = replay.sample(4, np.random.default_rng(0))
    assert sorted(e.whole().seed for e in sample) == [2, 3, 4, 5]


@pytest.mark.parametrize("noise", [False, True])
def test_journal_gives_back_the_newest_episodes_exactly_and_drops_old_segments(noise: bool, tmp_path: Path) -> None:
    journal = ReplayJournal(tmp_path)
    for first in (0, 3, 6):
        journal.append([episode(k, length=1 + k, noise=noise) for k in range(first, first + 3)], keep=4)
    journal.drop_old()
    assert len(list(tmp_path.iterdir())) == len(journal.segments) == 2
    back = ReplayJournal(tmp_path)
    for one, other in zip(
        back.load(journal.segments)[-4:], [episode(k, length=1 + k, noise=noise) for k in range(5, 9)], strict=True
    ):
        assert_same(one, other)


def test_leftovers_of_a_save_cut_short_are_ignored_and_overwritten(tmp_path: Path) -> None:
    journal = ReplayJournal(tmp_path)
    journal.append([episode(0)], keep=10)
    saved = list(journal.segments)
    journal.append([episode(1)], keep=10)  # killed before the list was saved
    again = ReplayJournal(tmp_path)
    assert len(again.load(saved)) == 1
    again.append([episode(2)], keep=10)
    assert [e.seed for e in ReplayJournal(tmp_path).load(again.segments)] == [0, 2]


COLLECTED = MadeFrom(
    stage="collect",
    world=World(environment="game", version="1", map="two-step"),
    settings={"episodes": 3},
    parents={"teacher": "abc"},
)
WIDTHS = Widths(agents=2, actions=3, obs=4, info=6)
NAMES = {
    "obs": [f"o{k}" for k in range(4)],
    "state": [f"ally_{k}.health µ" for k in range(5)],
    "action": ["stop", "north", "south"],
}


def write(path: Path, lengths: tuple[int, ...] = (3, 1, 5), with_state: bool = True) -> list[Episode]:
    episodes = [episode(k, length=n) for k, n in enumerate(lengths)]
    z = [np.full((n, 2, 6), k, np.float32) for k, n in enumerate(lengths)]
    about = {"teacher_id": "abc", "map": "3m", "n_actions": 3}
    write_episodes(path, episodes, z, z, about, NAMES, COLLECTED, with_state=with_state)
    return episodes


def test_episode_file_holds_real_rows_only(tmp_path: Path) -> None:
    episodes = write(tmp_path / "e.h5")
    rows = read_local_rows(tmp_path / "e.h5", WIDTHS)
    assert rows.obs.shape == (9, 2, 4)
    assert rows.length.tolist() == [3, 1, 5]
    np.testing.assert_array_equal(rows.obs, np.concatenate([e.obs[:-1] for e in episodes]))
    assert (rows.last_action[[0, 3, 4]] == -1).all()
    np.testing.assert_array_equal(rows.last_action[5:9], episodes[2].actions[:-1])
    assert rows.z_mean[:, 0, 0].tolist() == [0, 0, 0, 1, 2, 2, 2, 2, 2]
    about = read_about(tmp_path / "e.h5")
    assert {key: about[key] for key in ("schema", "teacher_id", "map", "n_actions")} == {
        "schema": 3,
        "teacher_id": "abc",
        "map": "3m",
        "n_actions": 3,
    }
    assert read_origin(tmp_path / "e.h5") == COLLECTED


@pytest.mark.parametrize("with_state", [True, False])
def test_episode_file_says_how_episodes_ended_and_where_they_led(with_state: bool, tmp_path: Path) -> None:
    lengths = (3, 1, 5)
    episodes = [replace(episode(k, length=n), terminated=k != 1) for k, n in enumerate(lengths)]
    z = [np.zeros((n, 2, 6), np.float32) for n in lengths]
    write_episodes(
        tmp_path / "e.h5", episodes, z, z, {"teacher_id": "a", "map": "3m"}, NAMES, COLLECTED, with_state=with_state
    )
    found = read_contents(tmp_path / "e.h5", with_rows=True)
    assert found.rows["terminated"].tolist() == [False, False, True, False, False, False, False, False, True]
    assert found.rows["truncated"].tolist() == [False] * 3 + [True] + [False] * 5
    np.testing.assert_array_equal(found.episodes["last_obs"], [e.obs[-1] for e in episodes])
    np.testing.assert_array_equal(found.episodes["last_available"], [e.available[-1] for e in episodes])
    kept = {"obs", "action", *(["state"] if with_state else [])}
    assert {name: list(texts) for name, texts in found.names.items()} == {name: NAMES[name] for name in kept}
    assert ("last_state" in found.episodes, "state" in found.rows) == (with_state, with_state)
    if with_state:
        np.testing.assert_array_equal(found.episodes["last_state"], [e.state[-1] for e in episodes])


def test_an_episode_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "r+") as file:
        file.attrs["schema"] = 1
    with pytest.raises(PtdeError, match=r"e\.h5 is not an episode file of schema 3; move it away and collect anew"):
        read_contents(tmp_path / "e.h5", with_rows=False)


@pytest.mark.parametrize("without", ["names", "episodes/length", "rows"])
def test_an_episode_file_with_a_part_missing_is_refused(without: str, tmp_path: Path) -> None:
    write(tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "r+") as file:
        del file[without]
    with pytest.raises(PtdeError, match="is not a whole HDF5 file of episodes"):
        read_contents(tmp_path / "e.h5", with_rows=False)


def test_the_state_is_kept_only_if_asked_for(tmp_path: Path) -> None:
    for keep in (True, False):
        write(tmp_path / f"{keep}.h5", with_state=keep)
        with h5py.File(tmp_path / f"{keep}.h5") as file:
            assert ("state" in file["rows"]) is keep


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.98])
def test_a_truncated_episode_file_is_refused(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "e.h5"
    write(path, lengths=(300, 500))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep >= 1 else keep * len(content))])
    with pytest.raises(PtdeError, match=r"e\.h5 is not"):
        read_local_rows(path, WIDTHS)


def entry(checkpoint: str, wins: int) -> EvaluationEntry:
    return EvaluationEntry(
        name="QMIX_SGI",
        policy="teacher",
        z="sampled",
        alg="qmix",
        global_info="agent-specific",
        checkpoint=checkpoint,
        teacher_id="abc",
        policy_id="abc",
        parameters={"trunk": 3},
        distilled=None,
        backend="skirmish",
        backend_version="1",
        map="3m",
        train_seed=1,
        env_steps=10,
        evaluation_seed=0,
        machine="m",
        code="c",
        episodes=Played(seed=[2**64 - 1, 2], won=[wins > 0, wins > 1], total_reward=[1.0, 2.0], length=[3, 4]),
    )


def test_the_same_evaluation_made_again_takes_its_own_place_only(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    add_entries(path, [entry("teacher.pt", 0), entry("student.pt", 1)])
    add_entries(path, [entry("teacher.pt", 2)])
    found = {e.checkpoint: sum(e.episodes.won) for e in read_evaluation(path).entries}
    assert found == {"teacher.pt": 2, "student.pt": 1}
    assert read_evaluation(path).entries[0].episodes.seed[0] == 2**64 - 1


def test_an_evaluation_of_an_older_schema_is_refused_and_a_new_one_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text('{"schema_number": 1, "entries": [{"name": "QMIX_SGI"}]}')
    with pytest.raises(PtdeError, match="schema 1, this ptde reads 3; evaluate anew"):
        read_evaluation(path)
    add_entries(path, [entry("teacher.pt", 0)])
    assert len(read_evaluation(path).entries) == 1
    aside = tmp_path / "evaluation-schema-1.json"
    assert "QMIX_SGI" in aside.read_text(), "nothing is lost"
    aside.write_text("the user's")
    (tmp_path / "evaluation-schema-1-2.json").symlink_to("nowhere")
    path.write_text('{"schema_number": 1, "entries": []}')
    add_entries(path, [entry("teacher.pt", 0)])
    assert aside.read_text() == "the user's"
    assert (tmp_path / "evaluation-schema-1-2.json").is_symlink()
    assert (tmp_path / "evaluation-schema-1-3.json").read_text() == '{"schema_number": 1, "entries": []}'


@pytest.mark.parametrize("text", ["", "{", '{"entries": [{}]}', '{"schema_number": 7}'])
def test_a_broken_evaluation_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(PtdeError, match=r"evaluation\.json"):
        read_evaluation(tmp_path / "evaluation.json")


def test_a_run_whose_process_is_gone_was_interrupted(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    write_status(run, "running")
    assert read_state(run) == "running"
    text = run.status.read_text()
    run.status.write_text(text.replace(f'"pid": {__import__("os").getpid()}', '"pid": 4194304'))
    assert read_state(run) == "interrupted"


def test_every_sitting_leaves_its_provenance_and_rules_never_change_within_a_run(tmp_path: Path) -> None:
    path = tmp_path / "run" / "provenance.json"

    def made_from(version: str) -> MadeFrom:
        world = World(environment="skirmish", version=version, map="3m")
        return MadeFrom(stage="train-teacher", world=world, settings={})

    add_sitting(path, made_from("4"), threads=2)
    add_sitting(path, made_from("4"), threads=1)
    found = read_provenance(path)
    assert (found.backend, found.backend_version, found.training) == ("skirmish", "4", made_from("4").digest)
    assert [sitting.threads for sitting in found.sittings] == [2, 1]
    assert "torch" in found.sittings[0].packages
    with pytest.raises(PtdeError, match="run was begun on skirmish 4, here it is skirmish 5"):
        add_sitting(path, made_from("5"), threads=1)
    assert read_provenance(path) == found
    path.write_text('{"backend": "skirmish"}')
    with pytest.raises(PtdeError, match="is not the provenance of a run"):
        read_provenance(path)


@pytest.mark.parametrize(
    ("key", "value"), [("pid", "9223372036854775808"), ("pid", "-1"), ("attempts", "-1"), ("seconds", "-3.0")]
)
def test_a_record_of_numbers_that_cannot_be_is_refused(tmp_path: Path, key: str, value: str) -> None:
    write_cell(tmp_path / "cell.json", "running", "d", 1)
    held = json.loads((tmp_path / "cell.json").read_text()) | {key: json.loads(value)}
    (tmp_path / "cell.json").write_text(json.dumps(held))
    with pytest.raises(PtdeError, match=r"cell\.json is not the record of a sweep's cell; delete it"):
        read_cell(tmp_path / "cell.json")
