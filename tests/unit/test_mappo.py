"""MAPPO: GAE, losses and value normalisation by hand and against slow forms; a ratio of exactly 1; padding; masks."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ptde_core.algorithms.building import build_learner
from ptde_core.algorithms.mappo_learner import (
    MappoLearner,
    log_policy,
    of_actions,
    policy_loss,
    policy_of,
    value_loss,
)
from ptde_core.algorithms.ppo_chunks import Rollout, build_rollout, part_of, starts
from ptde_core.algorithms.table_names import student_name, teacher_name
from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.nets.actor_critic import critic_input
from ptde_core.policies.network_inputs import local_input
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import train_teacher_settings

SPEC: EnvSpec = PersonalSignalGame.spec
INFOS = ("none", "unified", "agent-specific")
SIZE_OF_Z = 64


def learner_of(info: str = "agent-specific", **changes: Any) -> MappoLearner:
    values = {"alg": "mappo", "map": "personal-signal", "global_info": info, "chunk_steps": 2}
    settings = train_teacher_settings(values, changes)
    learner = build_learner(settings, SPEC, seed=1)
    assert isinstance(learner, MappoLearner)
    with torch.no_grad():  # far from uniform, so that differences show
        learner.teacher.head.values.weight.mul_(100.0)
    return learner


def episode(length: int, seed: int, *, noise: bool, terminated: bool = True) -> Episode:
    """Random views and rewards; each agent can do all, or after the first half (it is dead) only action 0."""
    chance = np.random.default_rng(seed)
    n, a = SPEC.n_agents, SPEC.n_actions
    available = np.ones((length + 1, n, a), np.bool_)
    available[length // 2 + 1 :, 0, 1:] = False
    actions = (chance.random((length, n, a)) * available[:-1]).argmax(axis=-1)
    return Episode(
        seed=seed,
        obs=chance.normal(size=(length + 1, n, SPEC.obs_size)).astype(np.float32),
        state=chance.normal(size=(length + 1, SPEC.state_size)).astype(np.float32),
        available=available,
        actions=actions.astype(np.int16),
        reward=chance.normal(size=length).astype(np.float32),
        terminated=terminated,
        won=False,
        noise=chance.normal(size=(length, n, SIZE_OF_Z)).astype(np.float32) if noise else None,
    )


def episodes_for(learner: MappoLearner) -> list[Episode]:
    """Episodes of 5, 2 and 3 steps, the last one cut off by time."""
    shapes, noise = ((5, True), (2, True), (3, False)), learner.teacher.noise_size > 0
    return [episode(n, seed, noise=noise, terminated=end) for seed, (n, end) in enumerate(shapes)]


def batch_for(learner: MappoLearner) -> EpisodeBatch:
    """The same as a batch."""
    return EpisodeBatch.of(episodes_for(learner))


def rollout_of(learner: MappoLearner, batch: EpisodeBatch) -> tuple[Rollout, Tensor]:
    """What the update looks at, and the log-probabilities of the actions played."""
    rollout = build_rollout(learner.teacher, learner.critic, learner.norm, batch, learner.settings)
    with torch.no_grad():
        return rollout, of_actions(policy_of(learner.teacher, rollout)[0], rollout)


def test_chunks_begin_with_the_memory_of_the_row_before() -> None:
    hidden = torch.arange(1.0, 8.0)[:, None, None]  # (R, 1, 1): episodes of 5 and 2 rows
    found = starts(hidden, torch.tensor([5, 2]), torch.tensor([2, 2, 1, 2]))
    assert found.flatten().tolist() == [0.0, 2.0, 4.0, 0.0]


def test_the_critic_sees_of_the_absent_their_identity_alone() -> None:
    local = torch.tensor([[[5.0, 6.0, 1.0, 0.0], [7.0, 8.0, 0.0, 1.0]]])  # (1, N, L)
    seen = critic_input(local, torch.tensor([[3.0, 4.0]]), torch.tensor([[True, False]]))
    assert seen.tolist() == [[[3.0, 4.0, 5.0, 6.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]]


@pytest.mark.parametrize("info", INFOS)
def test_the_ratio_is_exactly_one_before_the_first_step(info: str) -> None:
    learner = learner_of(info)
    rollout, played = rollout_of(learner, batch_for(learner))
    ratio = (of_actions(policy_of(learner.teacher, rollout)[0], rollout) - played).exp()
    assert torch.equal(ratio, torch.ones_like(ratio))
    if info != "none":  # and it is not, where z is another
        assert rollout.noise is not None
        other = replace(rollout, noise=rollout.noise + 1.0)
        assert not torch.allclose(of_actions(policy_of(learner.teacher, other)[0], other), played, atol=1e-3)


@pytest.mark.parametrize("info", INFOS)
def test_the_policy_that_acts_is_the_one_that_learns(info: str) -> None:
    """Step by step, from the environment's arrays, with the noise drawn then; and in chunks, with the noise kept."""
    learner = learner_of(info)
    seeds = episode_seeds(1, "t", 0, 6)
    batch = EpisodeBatch.of(list(play(PersonalSignalGame(4), learner.teacher, seeds, learner.exploration(0))))
    _, learned = rollout_of(learner, batch)
    seen, steps = (6, -1), len(batch.reward) // 6  # all six are equally long
    local = local_input(batch.obs, batch.last_actions, SPEC.n_actions).unflatten(0, seen)  # (B, T+1, N, L)
    state, available = batch.state.unflatten(0, seen), batch.available.unflatten(0, seen)
    actions = batch.actions.unflatten(0, seen)  # (B, T, N)
    noise = None if batch.noise is None else batch.noise.unflatten(0, seen)
    acted, hidden = [], None
    with torch.no_grad():
        for t in range(steps):
            told = state[:, t] if learner.teacher.reads_state else None
            logits, hidden, _ = learner.teacher.step(local[:, t], hidden, told, None if noise is None else noise[:, t])
            log_probs = log_policy(logits, available[:, t])
            acted.append(log_probs.gather(-1, actions[:, t, :, None])[..., 0])
    torch.testing.assert_close(torch.stack(acted, dim=1).flatten(0, 1), learned, rtol=0, atol=1e-5)


def test_losses_equal_a_slow_reference() -> None:
    """Agent by agent and step by step, through whole episodes; with chunks as long as these, also the gradients."""
    learner = learner_of(chunk_steps=5)
    teacher, critic, settings = learner.teacher, learner.critic, learner.settings
    batch = batch_for(learner)
    rollout, played = rollout_of(learner, batch)
    chance = torch.Generator().manual_seed(0)
    played = played + 0.3 * torch.randn(played.shape, generator=chance)  # as if some epochs had passed
    advantage, goal = (torch.randn(played.shape, generator=chance) for _ in range(2))
    rollout = replace(rollout, value=rollout.value + 0.3 * torch.randn(played.shape, generator=chance))

    surrogates, spreads, errors, row = [], [], [], 0
    assert batch.noise is not None
    local = local_input(batch.obs, batch.last_actions, SPEC.n_actions)  # (R, N, L)
    for b, length in enumerate(batch.length.tolist()):
        hidden = critic_hidden = None
        for _ in range(length):
            view = row + b  # every episode before has one more than steps
            state, own = batch.state[view], local[view]
            logits, hidden, _ = teacher.step(own[None], hidden, state[None], batch.noise[row][None])
            there = batch.available[view].sum(dim=-1) > 1  # (N,)
            seen = critic_input(own[None], state[None], there[None])
            critic_hidden = critic.trunk(seen, critic_hidden)
            value = critic.value(critic.norm(critic_hidden))[0, :, 0]  # (N,)
            for i in range(SPEC.n_agents):
                old = rollout.value[row, i]
                held = old + (value[i] - old).clamp(-settings.clip, settings.clip)
                errors.append(max((value[i] - goal[row, i]) ** 2, (held - goal[row, i]) ** 2) / 2)
                if there[i]:
                    policy = torch.distributions.Categorical(logits=logits[0, i])
                    ratio = (policy.log_prob(batch.actions[row, i]) - played[row, i]).exp()
                    clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
                    surrogates.append(-min(ratio * advantage[row, i], clipped * advantage[row, i]))
                    spreads.append(policy.entropy())
            row += 1
    slow_policy = torch.stack(surrogates).mean() - settings.entropy_weight * torch.stack(spreads).mean()
    slow_value = torch.stack(errors).mean()

    fast_policy, _ = policy_loss(teacher, rollout, played, advantage, settings)
    fast_value = value_loss(critic, rollout, goal, settings)
    for fast, slow, network in ((fast_policy, slow_policy, teacher), (fast_value, slow_value, critic)):
        torch.testing.assert_close(fast, slow)
        wanted = list(network.parameters())
        for one, other in zip(torch.autograd.grad(fast, wanted), torch.autograd.grad(slow, wanted), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("info", INFOS)
def test_neighbours_change_nothing_that_is_learned_from(info: str) -> None:
    learner = learner_of(info)
    together, *apart = (
        rollout_of(learner, EpisodeBatch.of(some))
        for some in (episodes_for(learner), *([one] for one in episodes_for(learner)))
    )
    torch.testing.assert_close(together[1], torch.cat([played for _, played in apart]), rtol=1e-5, atol=1e-6)
    for field in fields(Rollout):
        whole, *parts = (getattr(rollout, field.name) for rollout, _ in (together, *apart))
        if whole is not None:
            torch.testing.assert_close(whole, torch.cat(parts), rtol=1e-5, atol=1e-6)


def test_an_agent_without_a_choice_moves_no_policy() -> None:
    learner = learner_of("none")
    rollout, played = rollout_of(learner, batch_for(learner))
    assert not rollout.choosing.all()

    def loss(advantage: Tensor) -> float:
        return float(policy_loss(learner.teacher, rollout, played, advantage, learner.settings)[0].detach())

    advantage = torch.randn(played.shape)
    elsewhere = advantage.where(rollout.choosing, torch.randn(played.shape))
    assert loss(advantage) == loss(elsewhere)
    assert loss(advantage) != loss(advantage + 1.0)


@pytest.mark.parametrize("info", ["none", "agent-specific"])
def test_threads_share_a_rollout_and_learn_the_same(info: str) -> None:
    """Three episodes, alone and on two threads: shares of one and two, normalised together."""

    def learned(threads: int) -> tuple[Tensor, dict[str, Tensor]]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        learner = learner_of(info, epochs=2)
        torch.set_num_threads(before)
        log = learner.update(episodes_for(learner))
        networks = (learner.teacher, learner.critic)
        return torch.cat([p.grad.flatten() for net in networks for p in net.parameters() if p.grad is not None]), log

    (alone, alone_log), (shared, shared_log) = learned(1), learned(2)
    torch.testing.assert_close(shared, alone, rtol=1e-3, atol=1e-5)
    assert alone_log.keys() == shared_log.keys()
    for key, value in alone_log.items():
        torch.testing.assert_close(shared_log[key], value, rtol=1e-3, atol=1e-5)


def test_time_that_is_up_is_bootstrapped_and_an_end_is_not() -> None:
    learner = learner_of("none")
    batch = batch_for(learner)
    other = batch.obs.clone()
    other[batch.views.cumsum(0) - 1] += 1.0  # the final views
    one, changed = (rollout_of(learner, b)[0].returns for b in (batch, replace(batch, obs=other)))
    assert torch.equal(one[:7], changed[:7]), "the episodes of 5 and 2 steps ended"
    assert not torch.allclose(one[7:], changed[7:]), "the one of 3 steps was cut off"


def test_without_bootstrapping_at_the_limit_no_return_depends_on_the_final_view() -> None:
    """And the advantage of the last step is its reward minus the value of its view, ended or cut off."""
    learner = learner_of("none", bootstrap_at_limit=False)
    batch = batch_for(learner)
    other = batch.obs.clone()
    other[batch.views.cumsum(0) - 1] += 1.0
    one, changed = (rollout_of(learner, b)[0] for b in (batch, replace(batch, obs=other)))
    assert torch.equal(one.returns, changed.returns)
    worth = learner.norm.restore(one.value)
    torch.testing.assert_close(one.advantage[-1], batch.reward[-1] - worth[-1])


def test_minibatches_are_random_parts_of_all_chunks() -> None:
    """Episodes of 5, 2 and 3 steps in chunks of 2: 3 + 1 + 2 chunks; in parts of two, whatever the threads."""

    def parts(threads: int) -> list[list[list[int]]]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        learner = learner_of("none", minibatches=3)
        torch.set_num_threads(before)
        shares, _ = learner._shares(episodes_for(learner))
        assert sorted(int(k) for share in shares for k in share.numbers) == list(range(6))
        found = learner._minibatches(shares)
        for part in found:
            assert sum(share.of_steps for share in part) == pytest.approx(1.0)
            assert sum(share.of_choices for share in part) == pytest.approx(1.0)
            for share in part:
                assert len(share.value_target) == len(share.rollout.local) == int(share.rollout.chunks.sum())
                assert len(share.rollout.actor_start) == len(share.numbers)
        return [sorted(int(k) for share in part for k in share.numbers) for part in found]

    alone = parts(1)
    assert [len(part) for part in alone] == [2, 2, 2]
    assert sorted(k for part in alone for k in part) == list(range(6))
    assert parts(2) == alone


def test_of_some_chunks_the_losses_are_those_of_their_rows() -> None:
    """The loss of all chunks is the mean, by steps, of those of two parts; each part begins with its own memories."""
    learner = learner_of("agent-specific")
    rollout, _ = rollout_of(learner, batch_for(learner))
    goal = torch.randn(rollout.value.shape, generator=torch.Generator().manual_seed(0))
    chosen = torch.tensor([True, False, True, False, False, True])  # chunks of 2, 2, 1 | 2 | 2, 1 steps
    whole = value_loss(learner.critic, rollout, goal, learner.settings)
    losses = []
    for part in (chosen, ~chosen):
        rows = part.repeat_interleave(rollout.chunks)
        losses.append(value_loss(learner.critic, part_of(rollout, part), goal[rows], learner.settings))
    torch.testing.assert_close((4 * losses[0] + 6 * losses[1]) / 10, whole)
    assert not torch.allclose(losses[0], losses[1])


@pytest.mark.parametrize("threads", [1, 2])
def test_each_minibatch_is_a_gradient_step(threads: int) -> None:
    """Two epochs of three parts; on two threads the same steps as on one."""

    def learned(count: int) -> tuple[MappoLearner, Tensor]:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        learner = learner_of("none", epochs=2, minibatches=3)
        torch.set_num_threads(before)
        learner.update(episodes_for(learner))
        return learner, torch.cat([p.detach().flatten() for p in learner.teacher.parameters()])

    learner, weights = learned(threads)
    assert learner.updates == 6
    torch.testing.assert_close(weights, learned(1)[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("info", INFOS)
def test_the_gain_is_that_of_the_policys_last_layer(info: str) -> None:
    """A row of orthogonal weights has length 1; the rest is drawn as with another gain."""

    def fresh(gain: float) -> MappoLearner:
        settings = train_teacher_settings(
            {"alg": "mappo", "map": "personal-signal", "global_info": info, "policy_gain": gain}
        )
        learner = build_learner(settings, SPEC, seed=1)
        assert isinstance(learner, MappoLearner)
        return learner

    small, large = fresh(0.01), fresh(1.0)
    lengths = small.teacher.head.values.weight.norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 0.01))
    for one, other in ((small.teacher, large.teacher), (small.critic, large.critic)):
        for name, tensor in one.state_dict().items():
            scale = 100.0 if name == "head.values.weight" else 1.0
            torch.testing.assert_close(scale * tensor, other.state_dict()[name])


def test_rounds_are_collected_until_there_are_enough_steps_and_learned_from_once() -> None:
    learner = learner_of("none", rollout_steps=6, epochs=3)
    before = {key: value.clone() for key, value in learner.teacher.state_dict().items()}
    assert learner.learn([episode(5, 1, noise=False)]) == {}
    assert (learner.held, learner.updates) == (1, 0)
    assert learner.learn([episode(2, 2, noise=False)])
    assert (learner.held, learner.updates) == (0, 3)
    assert any(not torch.equal(before[key], value) for key, value in learner.teacher.state_dict().items())


def test_names_are_those_of_the_papers_tables() -> None:
    assert [teacher_name("mappo", info) for info in INFOS] == ["MAPPO", "MAPPO_UGI", "MAPPO_SGI"]
    assert student_name("mappo", "agent-specific") == "MAPPO_ASGKD"
