"""A batch of episodes: where they stand, which steps end one, last actions."""

import numpy as np
import torch

from ptde_core.base.batch import Episode, EpisodeBatch


def episode(length: int, terminated: bool, noise: float | None = None) -> Episode:
    return Episode(
        seed=1,
        obs=np.full((length + 1, 2, 1), length, np.float32),
        state=np.full((length + 1, 1), length, np.float32),
        available=np.zeros((length + 1, 2, 3), np.bool_),
        actions=np.full((length, 2), 2, np.int16),
        reward=np.full(length, 0.5, np.float32),
        terminated=terminated,
        won=False,
        noise=None if noise is None else np.full((length, 2, 4), noise, np.float32),
    )


def test_episodes_lie_end_to_end() -> None:
    batch = EpisodeBatch.of([episode(2, True), episode(3, False)])
    assert batch.views.tolist() == [3, 4]
    assert batch.obs[:, 0, 0].tolist() == batch.state[:, 0].tolist() == [2, 2, 2, 3, 3, 3, 3]
    assert batch.played.tolist() == [0, 1, 3, 4, 5]
    assert batch.last.tolist() == [False, True, False, False, True]
    assert batch.terminated.tolist() == [False, True, False, False, False]
    assert batch.reward.tolist() == [0.5] * 5


def test_the_last_action_of_the_first_view_is_none() -> None:
    batch = EpisodeBatch.of([episode(2, True), episode(1, True)])
    assert batch.last_actions[:, 0].tolist() == [-1, 2, 2, -1, 2]
    assert batch.last_actions.dtype == torch.int64


def test_the_return_is_the_sum_of_rewards() -> None:
    assert episode(3, True).total_reward == 1.5


def test_noise_is_kept_where_episodes_have_it() -> None:
    assert EpisodeBatch.of([episode(2, True)]).to("cpu").noise is None
    noise = EpisodeBatch.of([episode(2, True, noise=1.0), episode(3, False, noise=2.0)]).to("cpu").noise
    assert noise is not None
    assert noise[:, 0, 0].tolist() == [1.0, 1.0, 2.0, 2.0, 2.0]
