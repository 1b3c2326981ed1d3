"""Collect and distill: what is collected is the teacher's, the split shares no episode, the state is never read."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ptde_core.algorithms.from_checkpoint import restore
from ptde_core.base.batch import EpisodeBatch
from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import episode_seeds
from ptde_core.pipeline.collect import collect
from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.student_dataset import Examples, split_by_episode
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.policies.network_inputs import local_input
from ptde_core.policies.policy import Exploration
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.episode_file import LocalRows, read_about, read_local_rows
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings

QUICK = DistillSettings(steps=200, batch_rows=64)


@pytest.fixture(scope="module")
def data(trained_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collect(trained_run.teacher, CollectSettings(episodes=12), tmp_path_factory.mktemp("data") / "e.h5")


def test_collected_z_is_the_teachers_mean_on_what_it_saw(trained_run: RunFolder, data: Path) -> None:
    trained = restore(load_checkpoint(trained_run.teacher, "teacher"))
    assert isinstance(trained.policy, Teacher)
    seeds = episode_seeds(1, "collect", 0, 12)
    batch = EpisodeBatch.of(list(play(trained.environment(12), trained.policy, seeds, Exploration())))
    local = local_input(batch.obs, batch.last_actions, trained.spec.n_actions)
    informed = trained.policy.inform(local, batch.state)
    assert informed is not None
    expected = informed.mean[batch.played]  # (P, N, Z)
    np.testing.assert_allclose(read_local_rows(data, trained.widths).z_mean, expected.numpy(), rtol=1e-4, atol=1e-5)
    assert read_about(data)["teacher_id"] == trained.teacher_id


@given(episodes=st.integers(2, 40), share=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_training_and_validation_share_no_episode(episodes: int, share: float, seed: int) -> None:
    owner = np.repeat(np.arange(episodes), 3)
    obs = np.broadcast_to(owner[:, None, None], (len(owner), 2, 1)).astype(np.float32)
    z = np.zeros((len(owner), 2, 4), np.float32)
    last, available = np.full((len(owner), 2), -1, np.int16), np.ones((len(owner), 2, 3), np.bool_)
    rows = LocalRows(obs, last, available, z, z, np.full(episodes, 3))
    split = split_by_episode(Examples.of(rows, 3), DistillSettings(validation_share=share, seed=seed))
    assert all(part.length.tolist() == [3] * (len(part.local) // 3) for part in split)
    train, held_out = (set(part.local[..., 0].flatten().tolist()) for part in split)
    assert not train & held_out
    assert train | held_out == set(range(episodes))
    assert train
    assert held_out


def test_the_student_does_not_depend_on_the_state_in_the_file(
    trained_run: RunFolder, data: Path, tmp_path: Path
) -> None:
    without = tmp_path / "without.h5"
    without.write_bytes(data.read_bytes())
    with h5py.File(without, "r+") as file:
        del file["rows/state"]
    one, other = (distill(trained_run.teacher, QUICK, path, tmp_path / f"{path.stem}.pt") for path in (data, without))
    first, second = (load_checkpoint(path, "student")["networks"] for path in (one, other))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not any("information" in key for key in first)


def test_trunk_and_head_are_the_teachers(trained_run: RunFolder, data: Path, tmp_path: Path) -> None:
    student = load_checkpoint(distill(trained_run.teacher, QUICK, data, tmp_path / "s.pt"), "student")["networks"]
    teacher = load_checkpoint(trained_run.teacher, "teacher")["networks"]
    shared = [key for key in student if not key.startswith("network.")]
    assert shared
    assert all(torch.equal(student[key], teacher[key]) for key in shared)


def test_the_student_recovers_what_local_views_tell(tmp_path: Path) -> None:
    """In the two-step game the views tell all that the state tells, so nearly all of z can be recovered."""
    run = RunFolder(tmp_path / "run")
    train_teacher(game_settings(map="two-step", steps=1000), run)
    data = collect(run.teacher, CollectSettings(episodes=50, epsilon=1.0))
    student = distill(run.teacher, DistillSettings(steps=3000, learning_rate=1e-3), data)
    assert load_checkpoint(student, "student")["quality"]["student_explained"] > 0.95


def test_what_cannot_be_distilled_is_refused(trained_run: RunFolder, data: Path, tmp_path: Path) -> None:
    plain, other = RunFolder(tmp_path / "plain"), RunFolder(tmp_path / "other")
    train_teacher(game_settings(steps=300, global_info="none"), plain)
    for path in (None, data):
        with pytest.raises(PtdeError, match="has no global information, so no z to collect or to distill"):
            distill(plain.teacher, QUICK, path)
    train_teacher(game_settings(steps=300), other)
    with pytest.raises(PtdeError, match="another teacher"):
        distill(other.teacher, QUICK, data)
    (tmp_path / "s.pt").write_text("mine")
    with pytest.raises(PtdeError, match="already exists"):
        distill(trained_run.teacher, QUICK, data, tmp_path / "s.pt")
    assert (tmp_path / "s.pt").read_text() == "mine"
