"""CSRL and COPA: units' rows, intervals, acting as unrolled, the regulariser against a slow form, adaptive messages."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ptde_core.algorithms.building import build_teacher
from ptde_core.algorithms.catalogue import ALGORITHMS
from ptde_core.algorithms.instructions import InstructionRegulariser, of_segments
from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import build_environment
from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.learning.losses import gaussian_entropy, gaussian_log_density
from ptde_core.nets.coach_network import Coach, CoachedMixer, Recogniser, unit_rows
from ptde_core.nets.held_intervals import last_sent
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.policies.coach import CoachedTeacher
from ptde_core.policies.network_inputs import Views, local_input
from ptde_core.policies.policy import Exploration
from ptde_core.policies.teachers import AnyTeacher
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import EvaluateSettings, train_teacher_settings
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings

STATE = (
    *("ally_0.health", "ally_0.x", "ally_1.health", "ally_1.x", "enemy_0.health", "enemy_1.health"),
    *("ally_0.last_action stop", "ally_1.last_action stop"),
)


def teacher_of(alg: str, map_name: str = "3m", env: str = "skirmish", **changes: Any) -> AnyTeacher:
    settings = train_teacher_settings({"alg": alg, "env": env, "map": map_name}, changes)
    torch.manual_seed(5)
    return build_teacher(settings, build_environment(env, map_name, 1).spec)


def test_units_rows_are_read_from_the_names() -> None:
    assert unit_rows(STATE, 2) == ([[0, 1, 6], [2, 3, 7]], [[4], [5]])
    spec = build_environment("skirmish", "2s3z", 1).spec
    rows = unit_rows(spec.state_names, spec.n_agents)
    assert sorted(index for of_kind in rows for row in of_kind for index in row) == list(range(spec.state_size))
    first = [spec.state_names[index] for index in rows.allies[0]]
    assert first[0] == "ally_0.health"
    assert first[-spec.n_actions :] == [f"ally_0.last_action {name}" for name in spec.action_names]


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ((*STATE, "time"), "'time' is no unit's"),
        (STATE[:2], "1 allies for 2 agents"),
        (STATE[:-1], "unequal length"),
    ],
)
def test_a_state_that_is_not_made_of_units_is_refused(names: tuple[str, ...], why: str) -> None:
    with pytest.raises(PtdeError, match=f"COPA's coach needs a state made of units' features.*{why}.*--alg csrl"):
        unit_rows(names, 2)


def test_the_last_broadcast_of_each_row() -> None:
    assert last_sent(torch.tensor([6, 1, 3]), 4).tolist() == [0, 0, 0, 0, 4, 4, 6, 7, 7, 7]
    assert last_sent(torch.tensor([2, 3]), 1).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("alg", ["csrl", "copa"])
@pytest.mark.parametrize("every", [1, 4])
def test_acting_step_by_step_gives_the_values_of_the_unrolled_network(alg: str, every: int) -> None:
    policy = teacher_of(alg, info_every=every)
    env = build_environment("skirmish", "3m", 8)
    episodes = list(play(env, policy, episode_seeds(1, "t", 0, 8), Exploration(epsilon=0.9)))
    batch = EpisodeBatch.of(episodes)
    assert len(set(batch.length.tolist())) > 1, "rows are laid end to end only where lengths differ"
    noise = torch.randn(len(batch.obs), 3, policy.noise_size) if policy.noise_size else None
    unrolled = policy.unroll(Views.of(batch), noise).values.detach()  # (R, N, A)
    local = local_input(batch.obs, batch.last_actions, policy.n_actions)  # (R, N, L)
    for episode in torch.arange(len(batch.obs)).split(batch.views.tolist()):
        memory: Any = None
        state = batch.state[episode[:1]].clone()
        with torch.no_grad():
            for at in episode.split(1):
                state.copy_(batch.state[at])  # as an environment does: over the last one
                values, memory, _ = policy.step(local[at], memory, state, None if noise is None else noise[at])
                torch.testing.assert_close(values, unrolled[at], rtol=0, atol=1e-5)


@pytest.mark.parametrize("alg", ["csrl", "copa"])
def test_the_z_of_a_step_is_that_of_inform_whenever_the_state_is_shown(alg: str) -> None:
    policy = teacher_of(alg, info_every=2)
    memory: Any = None
    with torch.no_grad():
        for t in range(4):
            local, state = torch.randn(2, 3, policy.trunk.encode.in_features), torch.randn(2, 48)
            acted = policy.step(local, memory, state, None)
            memory, informed = acted.memory, policy.inform(local, state)
            assert acted.z is not None
            assert torch.equal(acted.z, informed.mean) == (t % 2 == 0)
            assert (informed.sigma is None) == (alg == "csrl")


@pytest.mark.parametrize("alg", ["csrl", "copa"])
def test_between_broadcasts_the_state_changes_nothing(alg: str) -> None:
    policy = teacher_of(alg, info_every=4)
    local = torch.randn(2, 3, policy.trunk.encode.in_features)
    memory: Any = None
    with torch.no_grad():
        for t in range(9):
            one, other = torch.randn(2, 2, 48).unbind()
            noise = torch.zeros(2, 3, policy.noise_size) if policy.noise_size else None
            acted, again = (policy.step(local, memory, state, noise) for state in (one, other))
            assert torch.equal(acted.values, again.values) == (t % 4 != 0)
            memory = acted.memory


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(PtdeError, match="coach_heads = 3 does not divide coach_size = 128"):
        teacher_of("copa", coach_heads=3)


def test_the_coach_treats_its_units_as_a_set() -> None:
    """Enemies in another order change nothing; allies in another order change the order of the instructions."""
    torch.manual_seed(0)
    coach = Coach(unit_rows(STATE, 2), size=8, heads=2, info_size=3)
    state = torch.randn(4, 8)
    mean, sigma = coach(state)
    enemies_swapped, _ = coach(state[:, [0, 1, 2, 3, 5, 4, 6, 7]])
    allies_swapped, _ = coach(state[:, [2, 3, 0, 1, 4, 5, 7, 6]])
    torch.testing.assert_close(mean, enemies_swapped)
    torch.testing.assert_close(mean.flip(1), allies_swapped)
    assert (sigma <= 1).all()
    assert (sigma >= math.exp(-5)).all()


def test_the_coachs_attention_is_softmax_over_units() -> None:
    torch.manual_seed(0)
    coach = Coach(unit_rows(STATE, 2), size=4, heads=2, info_size=3).double()
    state = torch.randn(8, dtype=torch.float64)
    allies = torch.relu(coach.encode_ally(state[coach.allies]))
    assert coach.encode_enemy is not None
    units = torch.cat([allies, torch.relu(coach.encode_enemy(state[coach.enemies]))])
    slow = []
    for ally in range(2):
        heads = []
        for head in range(2):
            part = slice(2 * head, 2 * head + 2)
            query = coach.query(allies)[ally, part]
            key, value = coach.key_and_value(units)[:, :4][:, part], coach.key_and_value(units)[:, 4:][:, part]
            heads.append(((key @ query) / math.sqrt(2)).softmax(0) @ value)
        slow.append(allies[ally] + coach.joined(torch.cat(heads)))
    torch.testing.assert_close(coach.encode(state), torch.stack(slow))


def test_the_coached_mixer_never_falls_when_an_agents_value_rises_and_teaches_the_coach() -> None:
    torch.manual_seed(0)
    coach = Coach(unit_rows(STATE, 2), size=8, heads=2, info_size=3)
    mixer = CoachedMixer(coach, embed=4, hyper=5)
    taken = torch.randn(50, 2, requires_grad=True)
    team = mixer(taken, taken, torch.zeros(50, 2), torch.randn(50, 8))
    assert team.shape == (50,)
    slope, of_coach = torch.autograd.grad(team.sum(), [taken, coach.encode_ally.weight])
    assert (slope >= 0).all()
    assert of_coach.abs().sum() > 0


def test_density_and_entropy_by_hand() -> None:
    """N(0, 1) at 0 and 2: -0.919 and -2.919; N(0, e^-10) at 0 has log density +4.08, counted as 0."""
    z = torch.tensor([0.0, 2.0])
    assert gaussian_log_density(z, torch.zeros(2), torch.zeros(2)).item() == pytest.approx(-math.log(2 * math.pi) - 2)
    assert gaussian_log_density(z[:1], torch.zeros(1), torch.tensor([-10.0])).item() == 0.0
    assert gaussian_entropy(torch.tensor([1.0, 2.0])).item() == pytest.approx(2 * 1.4189385 + math.log(2), abs=1e-6)


def test_the_log_density_of_a_segment_is_the_sum_over_its_steps() -> None:
    """T = 4; an episode of 6 steps: segments 1 + 2 + 3 + 4 = 10 and 5 + 6 = 11; one of 4 steps: 4 * 7 = 28.

    The mean over the 10 steps is (4 * 10 + 2 * 11 + 4 * 28) / 10 = 17.4, where the mean of single steps is 4.9. Where
    all segments are full, it is their mean: (10 + 28) / 2.
    """
    of_steps = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 7.0, 7.0, 7.0])[:, None]  # (P, N), one agent
    found = of_segments(of_steps, last_sent(torch.tensor([6, 4]), 4))
    assert found.flatten().tolist() == [10.0] * 4 + [11.0] * 2 + [28.0] * 4
    assert float(found.mean()) == pytest.approx(17.4)
    full = of_segments(torch.cat([of_steps[:4], of_steps[6:]]), last_sent(torch.tensor([4, 4]), 4))
    assert float(full.mean()) == (10 + 28) / 2
    assert of_segments(of_steps, last_sent(torch.tensor([6, 4]), 1)).equal(of_steps), "T = 1: every step is a segment"


def test_the_regulariser_is_the_mean_over_real_steps_of_their_segments() -> None:
    """Episodes of three steps, T = 2: segments of two steps and of one."""
    policy = teacher_of("copa", "personal-signal", "game", info_every=2)
    assert isinstance(policy, CoachedTeacher)
    episodes = list(play(PersonalSignalGame(3), policy, episode_seeds(1, "t", 0, 3), Exploration()))
    batch = EpisodeBatch.of(episodes)
    noise = torch.randn(12, 2, policy.noise_size)
    views = Views.of(batch)
    unrolled = policy.unroll(views, noise)
    recogniser = Recogniser(policy.local_size, policy.n_actions, 8, policy.noise_size)
    loss, log = InstructionRegulariser(recogniser, policy.n_actions, 2, 0.5, 0.25)(batch, views, unrolled)
    assert unrolled.z is not None
    assert unrolled.sigma is not None
    local = local_input(batch.obs, batch.last_actions, policy.n_actions)
    slow, entropies = [], []
    densities: dict[tuple[int, int, int], Any] = {}
    for b in range(3):
        for t in range(3):
            for n in range(2):
                action = torch.eye(policy.n_actions)[batch.actions[3 * b + t, n]]
                held = 4 * b + t
                mean, log_variance = recogniser(local[held, n], action)
                density = torch.distributions.Normal(mean, (0.5 * log_variance).exp()).log_prob(unrolled.z[held, n])
                densities[b, t, n] = density.clamp_max(0).sum()
                entropies.append(torch.distributions.Normal(0.0, unrolled.sigma[held, n]).entropy().sum())
    for b, t, n in densities:
        segment = (0, 1) if t < 2 else (2,)
        slow.append(sum(densities[b, other, n] for other in segment))
    entropy = torch.stack(entropies).mean()
    torch.testing.assert_close(log["z_log_q"], torch.stack(slow).mean().detach())
    torch.testing.assert_close(loss, -0.5 * torch.stack(slow).mean() - 0.25 * entropy)


def test_the_instruction_is_held_with_its_noise() -> None:
    policy = teacher_of("copa", "personal-signal", "game", info_every=3)
    batch = EpisodeBatch.of(list(play(PersonalSignalGame(2), policy, episode_seeds(1, "t", 0, 2), Exploration())))
    z = policy.unroll(Views.of(batch), torch.randn(8, 2, policy.noise_size)).z
    assert z is not None
    assert torch.equal(z[0], z[1])
    assert torch.equal(z[0], z[2])
    assert not torch.equal(z[0], z[3])
    assert not torch.equal(z[0], z[4])


def episode_of(states: np.ndarray) -> Episode:
    """An episode of personal-signal's sizes in which nothing counts but its states (T+1, S)."""
    t = len(states) - 1
    return Episode(
        seed=0,
        obs=np.zeros((t + 1, 2, 1), np.float32),
        state=states.astype(np.float32),
        available=np.ones((t + 1, 2, 3), np.bool_),
        actions=np.zeros((t, 2), np.int16),
        reward=np.zeros(t, np.float32),
        terminated=True,
        won=False,
    )


def test_messages_are_sent_only_where_the_instruction_moved() -> None:
    policy = teacher_of("copa", "personal-signal", "game", info_every=2)
    assert isinstance(policy, CoachedTeacher)
    with torch.no_grad():  # each ally's mean is what its own row makes of it, without attention to the other
        policy.coach.joined.weight.zero_()
    a, b = [1, 0, 0, 1, 0, 0], [1, 0, 0, 0, 1, 0]  # ally 1 differs
    states = np.array([a, b, a, b, b, a, b, b])  # looks at 0, 2, 4, 6: a, a, b, b
    assert policy.messages(episode_of(states)) == (8, 8)
    policy.threshold = 1e-6
    assert policy.messages(episode_of(states)) == (3, 8), "two first ones, and ally 1's at step 4"
    policy.threshold = 1e6
    assert policy.messages(episode_of(states)) == (2, 8)


@pytest.mark.parametrize("threshold", [0.05, 1e6])
def test_play_holds_what_was_not_sent(threshold: float) -> None:
    policy = teacher_of("copa", info_every=1)
    assert isinstance(policy, CoachedTeacher)
    policy.threshold = threshold
    local, memory, last = torch.randn(1, 3, policy.local_size), None, None
    with torch.no_grad():
        for _ in range(6):
            state = torch.rand(1, 48)
            mean, _ = policy.coach(state)
            if last is None:
                last = mean
            else:
                last = torch.where((mean - last).norm(dim=-1, keepdim=True) > threshold, mean, last)
            _, memory, z = policy.step(local, memory, state, None)
            assert torch.equal(z, last)


@pytest.fixture(scope="module")
def coached_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = RunFolder(Path(tmp_path_factory.mktemp("copa")) / "run")
    train_teacher(game_settings(alg="copa", steps=300, info_every=1), run)
    return run


def test_evaluation_counts_messages(coached_run: RunFolder) -> None:
    sampled, mean = evaluate([coached_run.teacher], EvaluateSettings(episodes=10))
    assert (sampled.name, sampled.z, mean.z) == ("COPA", "sampled", "mean")
    assert sampled.messages is not None
    assert (sampled.messages.sent, sampled.messages.offered) == (60, 60), "10 episodes of 3 steps and 2 players"
    silent, _ = evaluate([coached_run.teacher], EvaluateSettings(episodes=10, message_threshold=1e6))
    assert silent.messages is not None
    assert (silent.messages.sent, silent.messages.offered) == (20, 60)


def test_a_threshold_is_refused_where_nothing_is_sent(trained_run: RunFolder) -> None:
    with pytest.raises(PtdeError, match="has no coach, so message_threshold = 2 means nothing; leave it out"):
        evaluate([trained_run.teacher], EvaluateSettings(episodes=10, message_threshold=2))


@pytest.mark.parametrize("alg", ["csrl", "copa"])
def test_they_take_no_other_information(alg: str) -> None:
    with pytest.raises(PtdeError, match=r"global_info = 'unified'.*should be 'co"):
        train_teacher_settings({"alg": alg, "global_info": "unified"})
    with pytest.raises(PtdeError, match="global_info = 'coach'"):
        train_teacher_settings({"alg": "qmix", "global_info": "coach"})
    assert alg in ALGORITHMS
