"""The TD loss: a hand-worked number, double Q, what steps are told of others, and nothing from neighbours."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ptde_core.algorithms.building import build_learner
from ptde_core.algorithms.learner_settings import ValueDecompositionSettings
from ptde_core.algorithms.table_names import student_name, teacher_name
from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner, pick, td_loss
from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.nets.mixers import SumMixer
from ptde_core.policies.network_inputs import Views
from ptde_core.policies.teacher import Unrolled
from ptde_core.runs.stage_settings import train_teacher_settings

SPEC: EnvSpec = PersonalSignalGame.spec


def episode(length: int, seed: int, terminated: bool = True) -> Episode:
    chance = np.random.default_rng(seed)
    n, a = SPEC.n_agents, SPEC.n_actions
    available = chance.random((length + 1, n, a)) < 0.7
    available[..., 0] = True
    return Episode(
        seed=seed,
        obs=chance.normal(size=(length + 1, n, SPEC.obs_size)).astype(np.float32),
        state=chance.normal(size=(length + 1, SPEC.state_size)).astype(np.float32),
        available=available,
        actions=np.zeros((length, n), np.int16),
        reward=chance.normal(size=length).astype(np.float32),
        terminated=terminated,
        won=False,
    )


def learner_of(alg: str, seed: int = 1, **changes: Any) -> ValueDecompositionLearner:
    settings = train_teacher_settings({"alg": alg, "map": "personal-signal"}, changes)
    learner = build_learner(settings, SPEC, seed)
    assert isinstance(learner, ValueDecompositionLearner)
    return learner


class FixedValues(nn.Module):
    """Stands in for a teacher: the same action values whatever it sees."""

    noise_size = 0

    def __init__(self, values: list[list[float]]) -> None:
        super().__init__()
        self.values = torch.tensor(values)  # (R, A), one agent

    def unroll(self, views: Views, noise: Any) -> Unrolled:
        return Unrolled(self.values[:, None, :], None)


def test_double_q_by_hand() -> None:
    """One agent, one step, no end. The online net prefers action 1 next (0.9), but it is not available; of the rest it
    prefers 2 (0.5), which the target net values at 3: goal = 1 + 0.5 * 3 = 2.5; taken = 0.25; loss = 2.25^2 = 5.0625.
    """
    batch = EpisodeBatch(
        obs=torch.zeros(2, 1, 1),
        state=torch.zeros(2, 1),
        available=torch.tensor([[[True] * 3], [[True, False, True]]]),
        actions=torch.tensor([[1]]),
        reward=torch.tensor([1.0]),
        terminated=torch.tensor([False]),
        length=torch.tensor([1]),
    )
    online = Team(FixedValues([[0.0, 0.25, 0.0], [0.1, 0.9, 0.5]]), SumMixer())  # type: ignore[arg-type]  # a stand-in
    target = Team(FixedValues([[9.0, 9.0, 9.0], [7.0, 8.0, 3.0]]), SumMixer())  # type: ignore[arg-type]  # a stand-in
    loss, log = td_loss(online, target, batch, None, ValueDecompositionSettings(gamma=0.5))
    assert float(loss) == 5.0625
    assert {key: float(value) for key, value in log.items()} == {
        "td_loss": 5.0625,
        "td_error_abs": 2.25,
        "q_taken_mean": 0.25,
        "target_mean": 2.5,
    }


@pytest.mark.parametrize(("bootstrap", "loss"), [(True, 5.0625), (False, 0.5625)])
def test_what_follows_a_time_limit_is_valued_or_not(bootstrap: bool, loss: float) -> None:
    """One step of reward 1, then time is up at a view worth 3; gamma 0.5; taken = 0.25.

    On: goal = 1 + 0.5 * 3 = 2.5, loss 2.25^2 = 5.0625. Off: goal = 1, loss 0.75^2 = 0.5625. Where the world ended both
    are the latter.
    """
    online, target = one_step([[0.25], [0.0]]), one_step([[9.0], [3.0]])
    settings = ValueDecompositionSettings(gamma=0.5, bootstrap_at_limit=bootstrap)
    assert float(td_loss(online, target, one_step_batch(ended=False), None, settings)[0]) == loss
    assert float(td_loss(online, target, one_step_batch(ended=True), None, settings)[0]) == 0.5625


def test_the_losss_factor_scales_gradients_and_not_what_is_logged() -> None:
    """As above, 2.25^2 = 5.0625: with 0.5 the loss is 2.53125, its slope in Q_tot 0.25 - 2.5 and not twice that."""
    online, target = one_step([[0.25], [0.0]]), one_step([[9.0], [3.0]])
    values = online.teacher.values.requires_grad_()
    for factor, expected, slope in ((1.0, 5.0625, -4.5), (0.5, 2.53125, -2.25)):
        settings = ValueDecompositionSettings(gamma=0.5, td_loss_factor=factor)
        loss, log = td_loss(online, target, one_step_batch(ended=False), None, settings)
        assert float(loss.detach()) == expected
        assert float(log["td_loss"]) == 5.0625
        assert torch.autograd.grad(loss, values)[0].flatten().tolist() == [slope, 0.0]


def one_step(values: list[list[float]]) -> Team:
    """One agent with one action and these values in its two views."""
    return Team(FixedValues(values), SumMixer())  # type: ignore[arg-type]  # a stand-in


def one_step_batch(*, ended: bool) -> EpisodeBatch:
    """One step of reward 1, after which the world ended or time was up."""
    return EpisodeBatch(
        obs=torch.zeros(2, 1, 1),
        state=torch.zeros(2, 1),
        available=torch.ones(2, 1, 1, dtype=torch.bool),
        actions=torch.tensor([[0]]),
        reward=torch.tensor([1.0]),
        terminated=torch.tensor([ended]),
        length=torch.tensor([1]),
    )


class Seen(nn.Module):
    """Stands in for a mixer: the sum of the values taken; remembers what it was told."""

    def forward(self, taken: Tensor, best: Tensor, actions: Tensor, state: Tensor) -> Tensor:
        self.told = (taken.tolist(), best.tolist(), actions.tolist())
        return taken.sum(dim=-1)


def test_a_mixer_is_told_each_networks_own_best_among_the_available() -> None:
    batch = EpisodeBatch(
        obs=torch.zeros(2, 1, 1),
        state=torch.zeros(2, 1),
        available=torch.tensor([[[True, True, False]], [[True, False, True]]]),
        actions=torch.tensor([[0]]),
        reward=torch.tensor([1.0]),
        terminated=torch.tensor([False]),
        length=torch.tensor([1]),
    )
    online = Team(FixedValues([[0.0, 0.25, 7.0], [0.1, 0.9, 0.5]]), Seen())  # type: ignore[arg-type]  # a stand-in
    target = Team(FixedValues([[2.0, 1.0, 9.0], [7.0, 8.0, 3.0]]), Seen())  # type: ignore[arg-type]  # a stand-in
    td_loss(online, target, batch, None, ValueDecompositionSettings())
    assert [rows[0] for rows in online.mixer.told] == [[0.0], [0.25], [0]]  # what is told of the final view is dropped
    assert target.mixer.told == ([[1.0], [3.0]], [[2.0], [7.0]], [[1], [2]])


@pytest.mark.parametrize(
    ("alg", "info"),
    [
        *((alg, info) for alg in ("qmix", "qplex", "vdn") for info in ("none", "unified", "agent-specific")),
        *(("csrl", "commander"), ("copa", "coach")),
    ],
)
def test_neighbours_change_neither_loss_nor_gradients(alg: str, info: str) -> None:
    """Of two episodes together both are the means, by steps, of those of each alone."""
    learner = learner_of(alg, global_info=info)
    first, second = episode(4, 1), episode(2, 2, terminated=False)
    z = learner.teacher.noise_size
    noise = torch.randn(2, 5 + 3, SPEC.n_agents, z)  # 4 + 1 and 2 + 1 views were seen

    def loss_and_gradients(episodes: list[Episode], rows: slice) -> list[Tensor]:
        drawn = (noise[0, rows], noise[1, rows]) if z else None
        loss, _ = td_loss(learner.online, learner.target, EpisodeBatch.of(episodes), drawn, learner.settings)
        found = torch.autograd.grad(loss, list(learner.online.parameters()), allow_unused=True)
        return [loss, *(gradient for gradient in found if gradient is not None)]

    together = loss_and_gradients([first, second], slice(8))
    apart = loss_and_gradients([first], slice(5)), loss_and_gradients([second], slice(5, 8))
    for both, of_first, of_second in zip(together, *apart, strict=True):
        torch.testing.assert_close(both, (4 * of_first + 2 * of_second) / 6, rtol=1e-4, atol=1e-6)


def test_equal_seeds_give_equal_learners_and_others_do_not() -> None:
    def weights(seed: int) -> Tensor:
        learner = learner_of("qmix", seed)
        learner.update([episode(3, 1)])
        return torch.cat([p.flatten() for p in learner.online.parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


@pytest.mark.parametrize("info", ["none", "agent-specific"])
def test_threads_share_a_batch_and_learn_the_same(info: str) -> None:
    """Five episodes on three threads: shares of one, two and two."""
    batch = [episode(length, length, terminated=length > 2) for length in (4, 2, 7, 1, 3)]

    def learned(threads: int) -> tuple[Tensor, dict[str, Tensor]]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        learner = learner_of("qmix", global_info=info)
        torch.set_num_threads(before)
        log = learner.update(batch)
        return torch.cat([p.grad.flatten() for p in learner.online.parameters() if p.grad is not None]), log

    (alone, alone_log), (shared, shared_log) = learned(1), learned(3)
    torch.testing.assert_close(shared, alone, rtol=1e-4, atol=1e-6)
    assert alone_log.keys() == shared_log.keys()
    for key, value in alone_log.items():
        torch.testing.assert_close(shared_log[key], value, rtol=1e-4, atol=1e-6)


def test_no_gradient_reaches_the_target_networks() -> None:
    learner = learner_of("qmix")
    before = {key: value.clone() for key, value in learner.target.state_dict().items()}
    learner.update([episode(3, 1)])
    assert all(torch.equal(before[key], value) for key, value in learner.target.state_dict().items())
    learner.copy_to_target()
    online = learner.online.state_dict()
    assert all(torch.equal(online[key], value) for key, value in learner.target.state_dict().items())


def test_pick() -> None:
    assert pick(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), torch.tensor([[1, 0]])).tolist() == [[2.0, 3.0]]


def test_names_are_those_of_the_papers_tables() -> None:
    assert [teacher_name("qmix", info) for info in ("none", "unified", "agent-specific")] == [
        "QMIX",
        "QMIX_UGI",
        "QMIX_SGI",
    ]
    assert [
        teacher_name(*pair) for pair in (("qplex", "agent-specific"), ("csrl", "commander"), ("copa", "coach"))
    ] == [
        "QPLEX_SGI",
        "CSRL",
        "COPA",
    ]
    assert student_name("qmix", "agent-specific") == "QMIX_ASGKD"


def test_what_learns_beside_sees_each_batch_before_its_update_and_moves_nothing() -> None:
    """Three updates a round; targets are copied after the last of them, with or without somebody beside."""
    rounds = [[episode(length, seed=4 * k + length) for length in (2, 3, 1, 2)] for k in range(3)]
    changes = {"batch_episodes": 4, "updates_per_round": 3, "target_every_episodes": 8}
    beside, alone = learner_of("qmix", **changes), learner_of("qmix", **changes)
    seen: list[tuple[int, int]] = []

    def before_update(batch: list[Episode]) -> dict[str, Tensor]:
        seen.append((beside.updates, len(batch)))
        return {"beside": torch.tensor(float(beside.updates))}

    for number, played in enumerate(rounds):
        log = beside.learn(played, before_update)
        assert log.pop("beside") == 3 * number + 2
        assert log.keys() == alone.learn(played).keys()
    assert seen == [(update, 4) for update in range(9)]
    for network in ("online", "target"):
        one, other = (getattr(learner, network).state_dict() for learner in (beside, alone))
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert beside.counters == alone.counters
    assert beside.counters.last_copy == 8
