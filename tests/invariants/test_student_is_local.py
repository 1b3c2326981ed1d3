"""The claim itself: a student acts on its own local history alone."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.interface import BatchedEnv
from ptde_core.envs.small_games import PersonalSignalGame, TwoStepGame
from ptde_core.envs.two_views import Sights, StateBesideView, columns_of
from ptde_core.nets.network_settings import NetworkSettings, StudentKind, StudentSettings, TwoViewSettings
from ptde_core.policies.ctds_views import OneViewAgents
from ptde_core.policies.network_inputs import LocalInputs, local_input_size
from ptde_core.policies.policy import Exploration
from ptde_core.policies.student import Student
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.play import play


def student(seed: int, kind: StudentKind = "two-layer") -> Student:
    torch.manual_seed(seed)
    return Student(Teacher(TwoStepGame.spec, NetworkSettings()), StudentSettings(student=kind, hidden_size=16))


class NoiseInTheState(TwoStepGame):
    """The same game, whose state array holds noise."""

    def _show(self, row: int, place: int) -> None:
        super()._show(row, place)
        self.state[row] = np.random.default_rng(row + place).normal(size=self.spec.state_size)


KINDS = st.sampled_from(get_args(StudentKind))


@given(seed=st.integers(0, 1000), kind=KINDS)
@settings(max_examples=30, deadline=None)
def test_noise_in_place_of_the_state_changes_no_action(seed: int, kind: StudentKind) -> None:
    seeds = episode_seeds(seed, "t", 0, 4)

    def actions(env: BatchedEnv) -> list[list[list[int]]]:
        return [e.actions.tolist() for e in play(env, student(seed, kind), seeds, Exploration())]

    assert actions(TwoStepGame(4)) == actions(NoiseInTheState(4))


@given(seed=st.integers(0, 1000), agent=st.integers(0, 1), kind=KINDS)
@settings(max_examples=40, deadline=None)
def test_what_the_others_see_changes_no_value_of_an_agent(seed: int, agent: int, kind: StudentKind) -> None:
    policy, spec = student(seed, kind), TwoStepGame.spec
    size = local_input_size(spec.obs_size, spec.n_actions, spec.n_agents)
    views = torch.randn(3, 2, spec.n_agents, size)  # 3 environments, 2 steps
    elsewhere = torch.randn_like(views)
    elsewhere[:, :, agent] = views[:, :, agent]

    def values(local: torch.Tensor) -> torch.Tensor:
        hidden, found = None, []
        for t in range(local.shape[1]):
            q, hidden, _ = policy.step(local[:, t], hidden, None, None)
            found.append(q[:, agent])
        return torch.stack(found)

    torch.testing.assert_close(values(views), values(elsewhere), rtol=1e-6, atol=1e-6)
    assert not torch.allclose(values(views), values(torch.randn_like(views)))


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_noise_in_place_of_the_wide_view_changes_no_action_of_a_ctds_student(seed: int) -> None:
    torch.manual_seed(seed)
    spec = StateBesideView(TwoStepGame(1), Sights()).spec
    own, wide = (OneViewAgents(spec, TwoViewSettings(), view) for view in ("own", "wide"))
    seeds = episode_seeds(seed, "t", 0, 4)

    class NoiseInTheWideView(StateBesideView):
        """The same game, whose wide view holds noise."""

        def _show(self) -> None:
            super()._show()
            seen = self.obs[..., columns_of(spec, "wide")]
            seen[...] = np.random.default_rng(seed).normal(size=seen.shape)

    def actions(policy: OneViewAgents, env: BatchedEnv) -> list[list[list[int]]]:
        return [e.actions.tolist() for e in play(env, policy, seeds, Exploration())]

    def values(policy: OneViewAgents, env: BatchedEnv) -> torch.Tensor:
        env.reset(seeds)
        return policy.step(LocalInputs(env.spec, env.n_envs).of(slice(None), env.obs), None, None, None).values

    plain, noisy = StateBesideView(TwoStepGame(4), Sights()), NoiseInTheWideView(TwoStepGame(4), Sights())
    assert actions(own, plain) == actions(own, noisy)
    assert torch.equal(values(own, plain), values(own, noisy))
    assert not torch.equal(values(wide, plain), values(wide, noisy))


def test_a_student_that_is_shown_the_state_objects() -> None:
    policy, spec = student(0), PersonalSignalGame.spec
    local = torch.zeros(1, 2, local_input_size(spec.obs_size, spec.n_actions, spec.n_agents))
    with pytest.raises(AssertionError, match="shown the state"):
        policy.step(local, None, torch.zeros(1, spec.state_size), None)


@pytest.mark.parametrize("kind", get_args(StudentKind))
def test_acting_step_by_step_is_what_was_fitted_over_whole_episodes(kind: StudentKind) -> None:
    policy, spec = student(0, kind), TwoStepGame.spec
    lengths = torch.tensor([3, 1, 4])
    local = torch.randn(8, 2, local_input_size(spec.obs_size, spec.n_actions, spec.n_agents))  # (R, N, L)
    values = policy.head(policy.trunk.unroll(local, lengths), policy.network.unroll(local, lengths))  # (R, N, A)
    at = 0
    for length in lengths.tolist():
        hidden = None
        for row in range(at, at + length):
            acted, hidden, _ = policy.step(local[row : row + 1], hidden, None, None)
            torch.testing.assert_close(acted[0], values[row], rtol=1e-5, atol=1e-5)
        at += length


def test_only_a_recurrent_student_remembers() -> None:
    spec = TwoStepGame.spec
    size = local_input_size(spec.obs_size, spec.n_actions, spec.n_agents)
    one, other, now = torch.randn(3, 1, 2, size)

    def z(kind: StudentKind, before: torch.Tensor) -> torch.Tensor:
        network = student(0, kind).network
        found: torch.Tensor = network(now, network(before)[1])[0]
        return found

    assert torch.equal(z("two-layer", one), z("two-layer", other))
    assert not torch.allclose(z("recurrent", one), z("recurrent", other))
