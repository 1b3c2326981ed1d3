"""Replays: they hold the episodes that were counted, what both policies made of them, and can be read again."""

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.pipeline.collect import collect
from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.pipeline.evaluate import evaluated as entry_of
from ptde_core.pipeline.recorded_replay import candidates_of, play_again
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.policies.policy import greedy
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, EvaluateSettings, train_teacher_settings
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.replay_file import Replay, read_replay, write_replay
from ptde_core.storage.run_folder import RunFolder
from ptde_core.viewing.replays.divergence import Parting, check_same_start, parting_of
from tests.unit.test_information import fresh

KEEP = EvaluateSettings(episodes=3, keep_replays=2)
FILES = {"sampled": "teacher-sampled.h5", "mean": "teacher-mean.h5", "student": "student.h5"}


def evaluated(checkpoints: list[Path], settings: EvaluateSettings) -> list[EvaluationEntry]:
    """The entries of these checkpoints' policies that have been evaluated just so."""
    found = (entry_of(candidate, settings) for path in checkpoints for candidate in candidates_of(path))
    return [entry for entry in found if entry is not None]


@pytest.fixture(scope="module")
def battles(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A hardly trained teacher on 3m and its student, evaluated with replays. Tests must not write into it."""
    run = RunFolder(tmp_path_factory.mktemp("battles") / "run")
    few = {"steps": 200, "test_episodes": 0, "batch_episodes": 4, "average_weights": 0.0}
    train_teacher(train_teacher_settings({"map": "3m", **few}), run)
    collect(run.teacher, CollectSettings(episodes=4))
    distill(run.teacher, DistillSettings(steps=20))
    evaluate([run.student], KEEP)
    return run


def replays_of(run: RunFolder) -> dict[str, Replay]:
    return {z: read_replay(run.path / "replays" / name) for z, name in FILES.items()}


def test_a_replay_holds_the_first_episodes_that_were_counted(battles: RunFolder) -> None:
    entries = evaluated([battles.teacher, battles.student], KEEP)
    assert [entry.z for entry in entries] == list(FILES)
    for entry, replay in zip(entries, replays_of(battles).values(), strict=True):
        assert len(replay.episodes) == 2
        for k, episode in enumerate(replay.episodes):
            counted = entry.episodes
            assert (episode.seed, episode.won, episode.length) == (counted.seed[k], counted.won[k], counted.length[k])
            assert episode.total_reward == counted.total_reward[k]
        assert (replay.header.name, replay.header.z) == (entry.name, entry.z)
        assert replay.header.policy_id == entry.policy_id


def test_who_played_would_act_as_it_did_and_the_other_is_asked_too(battles: RunFolder) -> None:
    for z, replay in replays_of(battles).items():
        assert replay.header.names == {"teacher": "QMIX_SGI", "student": "QMIX_ASGKD"}
        for episode in replay.episodes:
            own = episode.minds[replay.header.role]
            assert (greedy(own.values, episode.available) == episode.actions).all()
            teacher, student = episode.minds["teacher"], episode.minds["student"]
            shape = (*episode.actions.shape, 64)
            assert teacher.mean.shape == shape
            assert student.mean.shape == shape
            assert (teacher.sigma > 0.09).all()
            assert student.sigma is None
            assert (teacher.sampled is None) == (z != "sampled")


def test_a_sampled_z_lies_around_its_mean(battles: RunFolder) -> None:
    teacher = replays_of(battles)["sampled"].episodes[0].minds["teacher"]
    standard = (teacher.sampled - teacher.mean).astype(float) / teacher.sigma
    assert abs(standard.mean()) < 0.1
    assert 0.9 < standard.std() < 1.1


def test_units_begin_whole_and_whoever_lost_health_was_hit(battles: RunFolder) -> None:
    replay = replays_of(battles)["mean"]
    assert [look.side for look in replay.header.looks] == [0, 0, 0, 1, 1, 1]
    assert replay.header.sight == 9
    assert replay.floor.any()
    for episode in replay.episodes:
        units = episode.units
        assert (units.health[0] == 45).all()
        assert units.alive[0].all()
        sides = np.array([look.side for look in replay.header.looks])
        step, shooter, victim = units.hits.T
        assert (sides[shooter] != sides[victim]).all()
        assert units.alive[step, shooter].all()
        assert units.alive[step, victim].all()
        lost = np.argwhere(units.health[1:] < units.health[:-1])
        assert set(map(tuple, lost.tolist())) == set(zip(step.tolist(), victim.tolist(), strict=True))


def test_an_episode_played_now_is_the_one_that_was_counted(battles: RunFolder) -> None:
    kept = replays_of(battles)
    for candidate in [*candidates_of(battles.teacher), *candidates_of(battles.student)]:
        (again,) = play_again(candidate, KEEP.seed, 1).episodes
        episode = kept[candidate.z].episodes[1]
        assert again.seed == episode.seed
        assert (again.actions == episode.actions).all()


KINDS = ({"global_info": "none"}, {"alg": "ctds"}, {"alg": "copa"}, {"alg": "csrl"}, {"alg": "mappo"})


@pytest.mark.parametrize("changes", KINDS, ids=str)
def test_every_kind_of_policy_thinks_again_what_it_thought(changes: dict[str, str], tmp_path: Path) -> None:
    run = fresh(tmp_path, **changes)
    (episode,) = play_again(candidates_of(run.teacher)[0], 0, 0).episodes
    mind = episode.minds["teacher"]
    assert (greedy(mind.values, episode.available) == episode.actions).all()
    assert (mind.mean is None) == (changes in KINDS[:2])  # these have no z


def test_a_replay_is_read_as_it_was_written(battles: RunFolder, tmp_path: Path) -> None:
    replay = replays_of(battles)["sampled"]
    write_replay(tmp_path / "new" / "copy.h5", replay)
    again = read_replay(tmp_path / "new" / "copy.h5")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["copy.h5"]
    assert again.header == replay.header
    for one, other in zip(again.episodes, replay.episodes, strict=True):
        for mine, its in [(one, other), (one.units, other.units), *((one.minds[r], other.minds[r]) for r in one.minds)]:
            for name, value in vars(its).items():
                if isinstance(value, np.ndarray):
                    assert np.array_equal(getattr(mine, name), value)
                    assert getattr(mine, name).dtype == value.dtype
        assert (one.seed, one.won, one.terminated) == (other.seed, other.won, other.terminated)


def test_what_is_no_whole_replay_is_named(battles: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(PtdeError, match="no replay at"):
        read_replay(tmp_path / "missing.h5")
    cut = tmp_path / "cut.h5"
    cut.write_bytes((battles.path / "replays" / "student.h5").read_bytes()[:5000])
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["something"] = 1
    halved = Path(shutil.copy(battles.path / "replays" / "student.h5", tmp_path / "halved.h5"))
    with h5py.File(halved, "a") as file:
        del file["episodes/0/actions"]
    for path in (cut, other, halved):
        with pytest.raises(PtdeError, match=r"is not a whole replay of schema 2 \(.*\); make it anew: `ptde evaluate"):
            read_replay(path)


def test_an_evaluation_without_the_replays_asked_for_is_done_again(battles: RunFolder, tmp_path: Path) -> None:
    own = RunFolder(shutil.copytree(battles.path, tmp_path / "own"))
    assert len(evaluated([own.teacher], KEEP)) == 2
    assert not evaluated([own.teacher], KEEP.model_copy(update={"keep_replays": 3}))
    (own.path / "replays" / "teacher-mean.h5").unlink()
    assert [entry.z for entry in evaluated([own.teacher], KEEP)] == ["sampled"]


def test_a_replay_that_cannot_be_read_is_made_anew_by_the_command_that_its_error_names(
    battles: RunFolder, tmp_path: Path
) -> None:
    own = RunFolder(shutil.copytree(battles.path, tmp_path / "own"))
    broken = own.path / "replays" / "teacher-mean.h5"
    broken.write_bytes(broken.read_bytes()[:5000])
    assert len(evaluated([own.teacher], KEEP.model_copy(update={"keep_replays": 0}))) == 2  # asks for none
    evaluate([own.teacher], KEEP)
    assert len(read_replay(broken).episodes) == KEEP.keep_replays


def test_replays_of_other_episodes_and_of_fewer_replace_none(battles: RunFolder, tmp_path: Path) -> None:
    own = RunFolder(shutil.copytree(battles.path, tmp_path / "own"))
    before = {path.name: path.read_bytes() for path in (own.path / "replays").iterdir()}
    evaluate([own.teacher], EvaluateSettings(episodes=4, keep_replays=1, seed=7))
    evaluate([own.teacher], EvaluateSettings(episodes=2, keep_replays=1))
    after = {path.name: path.read_bytes() for path in (own.path / "replays").iterdir()}
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"teacher-sampled-seed7.h5", "teacher-mean-seed7.h5"}


def test_replays_of_coaches_whose_messages_have_a_threshold_lie_beside_the_others(tmp_path: Path) -> None:
    settings = {"alg": "copa", "env": "game", "map": "personal-signal", "steps": 20, "batch_episodes": 4}
    run = RunFolder(tmp_path / "run")
    train_teacher(train_teacher_settings({**settings, "test_episodes": 0}), run)
    for threshold in (0.0, 1000.0):
        evaluate([run.teacher], KEEP.model_copy(update={"message_threshold": threshold}))
    names = {path.name for path in (run.path / "replays").iterdir()}
    assert names == {f"teacher-{z}{mark}.h5" for z in ("sampled", "mean") for mark in ("", "-threshold1000")}


def test_games_keep_replays_without_places(trained_run: RunFolder, tmp_path: Path) -> None:
    own = RunFolder(shutil.copytree(trained_run.path, tmp_path / "own"))
    evaluate([own.teacher], EvaluateSettings(episodes=4, keep_replays=1))
    replay = read_replay(own.path / "replays" / "teacher-mean.h5")
    assert (replay.header.looks, replay.floor, replay.header.sight) == ((), None, None)
    assert replay.episodes[0].units is None
    assert list(replay.episodes[0].minds) == ["teacher"]


def test_where_two_episodes_part(battles: RunFolder) -> None:
    replay = replays_of(battles)["mean"]
    episode = replay.episodes[0]
    assert parting_of(episode, episode) == Parting(None)
    actions = episode.actions.copy()
    actions[3, [0, 2]] += 1
    actions[5, 1] += 1
    assert parting_of(episode, replace(episode, actions=actions)) == Parting(3, (0, 2))
    shorter = replace(episode, actions=episode.actions[:-2], reward=episode.reward[:-2])
    assert parting_of(episode, shorter) == Parting(episode.length - 2)
    with pytest.raises(PtdeError, match="do not begin alike: seeds"):
        check_same_start(replay, episode, replay, replay.episodes[1])
    elsewhere = replace(replay, header=replay.header.model_copy(update={"map": "8m"}))
    with pytest.raises(PtdeError, match=r"do not begin alike: skirmish .*, 3m and skirmish .*, 8m"):
        check_same_start(replay, episode, elsewhere, episode)
