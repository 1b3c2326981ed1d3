"""Several seeds at once: each equal to its training by itself; a replay on a device; no wait for the device."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ptde_core.algorithms.building import build_learner
from ptde_core.algorithms.stacked_learner import StackedLearner, clip_each, stacked_td_loss
from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.batch import Episode
from ptde_core.base.seeding import generator
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.policies.stacked_views import Layout, StackedViews
from ptde_core.storage.device_replay_buffer import Chosen, DeviceReplay
from ptde_core.storage.replay_buffer import Replay
from tests.conftest import game_settings

CPU = torch.device("cpu")
SPEC: EnvSpec = PersonalSignalGame.spec


def episode(length: int, number: int) -> Episode:
    chance = np.random.default_rng(number)
    n, a = SPEC.n_agents, SPEC.n_actions
    available = chance.random((length + 1, n, a)) < 0.5
    available[..., 0] = True
    return Episode(
        seed=number,
        obs=chance.random((length + 1, n, SPEC.obs_size), np.float32),
        state=chance.random((length + 1, SPEC.state_size), np.float32),
        available=available,
        actions=available[:-1].argmax(axis=-1).astype(np.int16),
        reward=chance.random(length, np.float32),
        terminated=bool(number % 2),
        won=False,
    )


def rounds(seed: int, count: int, size: int) -> list[list[Episode]]:
    chance = np.random.default_rng(seed)
    return [
        [episode(int(chance.integers(1, 9)), 1000 * seed + k * size + e) for e in range(size)] for k in range(count)
    ]


@given(lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=30), capacity=st.integers(1, 6))
def test_a_device_replay_holds_what_a_replay_holds(lengths: list[int], capacity: int) -> None:
    plain, replay = Replay(capacity), DeviceReplay(capacity, CPU)
    for number, length in enumerate(lengths):
        one = episode(length, number)
        plain.add([one])
        replay.add([one])
    chosen = replay.choose(len(plain), np.random.default_rng(0))
    sample = [one.whole() for one in plain.sample(len(plain), np.random.default_rng(0))]
    for one, start, length, terminated in zip(sample, *chosen, strict=True):
        assert (one.length, one.terminated) == (length, terminated)
        rows = slice(start, start + length)
        assert np.array_equal(replay.rows["obs"][start : start + length + 1], one.obs)
        assert np.array_equal(replay.rows["state"][start : start + length + 1], one.state)
        assert np.array_equal(replay.rows["actions"][rows], one.actions)
        assert np.array_equal(replay.rows["reward"][rows], one.reward)


def test_a_layout_worked_by_hand() -> None:
    """Lengths 1, 2 of one batch and 2, 1 of another: sorted both are 2, 1, so nothing is empty."""
    layout = Layout.of(np.array([[1, 2], [2, 1]]))
    assert layout.counts.tolist() == [2, 2, 1]  # both begin, both have a second view, one has a third
    assert layout.step.tolist() == [0, 0, 1, 1, 2]
    assert layout.rank.tolist() == [0, 1, 0, 1, 0]
    assert layout.own_rows.tolist() == [[2, 0, 3, 1, 4], [0, 3, 1, 4, 2]]  # episodes laid end to end
    assert layout.stepped.tolist() == [0, 1, 2]
    empty = Layout.of(np.array([[3], [1]]))
    assert empty.own_step.tolist() == [[0, 1, 2, 3], [0, 1, 1, 1]]  # the final view again and again


CASES = [{"alg": "vdn", "global_info": "none"}, {"alg": "qplex", "global_info": "none"}, {}, {"global_info": "unified"}]


OF_REFERENCES = {"alg": "vdn", "global_info": "none", "bootstrap_at_limit": False, "td_loss_factor": 0.5}


@pytest.mark.parametrize("changes", [*CASES, {"info_rank": 2}, OF_REFERENCES, {"average_weights": 0.9}], ids=str)
def test_each_seed_learns_as_by_itself(changes: dict[str, object]) -> None:
    settings = game_settings(**{"batch_episodes": 8, "target_every_episodes": 10, "replay_episodes": 20} | changes)

    def learner(seed: int) -> ValueDecompositionLearner:
        found = build_learner(settings, SPEC, seed)
        assert isinstance(found, ValueDecompositionLearner)
        return found

    alone, held = [learner(seed) for seed in (1, 2, 3)], [learner(seed) for seed in (1, 2, 3)]
    played = [rounds(seed, 8, 4) for seed in (1, 2, 3)]
    together = StackedLearner(held, CPU)
    for k in range(8):
        if k == 6:  # the second has finished
            together = together.only([0, 2])
        which = [0, 2] if k >= 6 else [0, 1, 2]
        logs = together.learn([played[seed][k] for seed in which])
        for seed, log in zip(which, logs, strict=True):
            own = alone[seed].learn(played[seed][k])
            assert own.keys() == log.keys()
            for key, value in own.items():
                assert float(log[key]) == pytest.approx(float(value), rel=1e-3, abs=1e-5), key
    together.write_back()
    for one, other in zip(alone, held, strict=True):
        assert one.counters == other.counters
        assert one.held == other.held == min(one.counters.episodes, 20)
        for name, tensor in one.online.state_dict().items():
            assert torch.allclose(tensor, other.online.state_dict()[name], atol=2e-4), name
        for name, tensor in one.target.state_dict().items():
            assert torch.allclose(tensor, other.target.state_dict()[name], atol=2e-4), name
        assert one.average.state().keys() == other.average.state().keys()
        for name, tensor in one.average.state().items():
            assert torch.allclose(tensor, other.average.state()[name], atol=2e-4), name


def test_each_seed_is_clipped_by_itself() -> None:
    parameter = torch.zeros(2, 2, requires_grad=True)
    parameter.grad = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    assert clip_each([parameter], 1.0).tolist() == pytest.approx([5.0, 0.5])
    assert torch.allclose(parameter.grad, torch.tensor([[0.6, 0.8], [0.3, 0.4]]), atol=1e-5)


@pytest.mark.parametrize("changes", CASES, ids=str)
def test_a_gradient_never_waits_for_the_device(changes: dict[str, object]) -> None:
    """On torch's "meta" device there are no numbers: whoever asks for one, or mixes devices, fails."""
    settings = game_settings(**changes)
    learner = build_learner(settings, SPEC, 1)
    assert isinstance(learner, ValueDecompositionLearner)
    meta = torch.device("meta")
    together = StackedLearner([learner], meta)
    replay = DeviceReplay(10, meta)
    replay.add([episode(length, length) for length in (3, 5, 2)])
    chosen = replay.choose(3, generator(1, "replay", 0))
    assert isinstance(chosen, Chosen)
    views = StackedViews.of([replay], [chosen], meta)
    size = learner.teacher.noise_size
    noise = torch.empty(2, *views.local.shape[:3], size, device=meta).unbind() if size else None
    loss, log = stacked_td_loss(together.online, together.target, views, noise, together.settings)
    loss.sum().backward()
    clip_each(list(together.online.parameters()), 1.0)
    assert all(value.device == meta for value in log.values())
