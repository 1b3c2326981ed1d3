"""Play: greedy and random choice among available actions, local inputs, episodes that depend on seeds alone."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import build_environment
from ptde_core.envs.interface import EnvSpec, FreeRows
from ptde_core.envs.small_games import PersonalSignalGame, TwoStepGame
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.policies.network_inputs import LocalInputs, Views, local_input
from ptde_core.policies.policy import Exploration, choose, greedy, perturbed
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.play import play, play_in_rounds
from ptde_core.rollout.play_freely import AHEAD
from tests.marks import needs_kernels


def teacher(global_info: str = "agent-specific", spec: EnvSpec = PersonalSignalGame.spec) -> Teacher:
    torch.manual_seed(0)
    return Teacher(spec, NetworkSettings.model_validate({"global_info": global_info}))


def same(one: Episode, other: Episode) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


def test_greedy_takes_the_best_available() -> None:
    values = np.array([[1.0, 5.0, 3.0], [-1.0, -2.0, -3.0]], np.float32)
    available = np.array([[True, False, True], [False, True, True]])
    assert greedy(values, available).tolist() == [2, 1]


@settings(deadline=None)  # the first example compiles
@given(seed=st.integers(0, 10_000), n=st.integers(1, 6), a=st.integers(1, 9), epsilon=st.floats(0, 1))
def test_explored_actions_are_available(seed: int, n: int, a: int, epsilon: float) -> None:
    chance = np.random.default_rng(seed)
    available = chance.random((n, a)) < 0.4
    available[np.arange(n), chance.integers(a, size=n)] = True
    values = torch.randn(1, n, a)
    (actions,) = choose(values, available[None], Exploration(), np.array([epsilon]), {0: chance})
    assert available[np.arange(n), actions].all()
    unexplored = choose(values, available[None], Exploration(), np.zeros(1), {0: chance})
    assert np.array_equal(unexplored, greedy(values.numpy(), available[None]))


def test_full_exploration_is_uniform_over_available_actions() -> None:
    chance, counts = np.random.default_rng(1), np.zeros(4)
    available = np.array([[True, False, True, True]])
    for _ in range(6000):
        (actions,) = choose(torch.zeros(1, 1, 4), available[None], Exploration(), np.ones(1), {0: chance})
        counts[actions[0]] += 1
    assert counts[1] == 0
    assert np.allclose(counts[[0, 2, 3]] / 6000, 1 / 3, atol=0.03)  # five standard deviations


def test_drawn_actions_follow_the_softmax_of_what_is_available() -> None:
    logits = np.log(np.array([[1.0, 5.0, 3.0]]))  # the second is not available: 1/4 and 3/4 are left
    available = np.array([[True, False, True]])
    drawn = np.random.default_rng(1).standard_exponential((20_000, 1, 3))
    actions = greedy(perturbed(logits, drawn), available)  # (20000, 1)
    assert np.allclose(np.bincount(actions[:, 0], minlength=3) / 20_000, [0.25, 0.0, 0.75], atol=0.015)


def test_local_inputs_while_playing_equal_those_while_learning() -> None:
    env = TwoStepGame(3)
    env.reset(episode_seeds(1, "t", 0, 3))
    inputs, everywhere = LocalInputs(env.spec, 3), slice(None)
    last = torch.full((3, 2), -1)
    assert torch.equal(inputs.of(everywhere, env.obs), local_input(torch.from_numpy(env.obs), last, 2))
    actions = np.array([[0, 1], [1, 0], [1, 1]])
    env.step(actions)
    inputs.acted(everywhere, actions)
    last = torch.from_numpy(actions)
    assert torch.equal(inputs.of(everywhere, env.obs), local_input(torch.from_numpy(env.obs), last, 2))
    inputs.acted([2, 0], np.array([[1, 0], [0, 0]]))
    inputs.begin(1)
    last = torch.tensor([[0, 0], [-1, -1], [1, 0]])
    for rows in (everywhere, slice(1, 3), [2, 1], np.array([0, 2])):
        own = torch.from_numpy(env.obs)[rows], last[rows]
        assert torch.equal(inputs.of(rows, env.obs), local_input(*own, 2))


def test_views_of_several_episodes_hold_the_local_inputs_of_each() -> None:
    """The final view too; the first action of an episode is not that of the one before."""
    game = TwoStepGame(3)
    episodes = list(play(game, teacher(spec=game.spec), episode_seeds(1, "t", 0, 3), Exploration(epsilon=1.0)))
    views = Views.of(EpisodeBatch.of(episodes))
    expected = []
    for episode in episodes:
        last = np.concatenate([np.full((1, 2), -1), episode.actions])  # (T+1, N)
        expected.append(local_input(torch.from_numpy(episode.obs), torch.from_numpy(last), 2))
    assert torch.equal(views.local, torch.cat(expected))
    assert views.lengths.tolist() == [episode.length + 1 for episode in episodes]


@needs_kernels
def test_a_policy_of_other_views_is_not_played() -> None:
    with pytest.raises(AssertionError, match="of other views"):
        list(play(TwoStepGame(3), teacher("none"), episode_seeds(1, "t", 0, 3), Exploration()))


def test_local_inputs_by_hand() -> None:
    """Observation, last action, identity; -1 is no action yet."""
    obs = torch.tensor([[[5.0, 6.0], [7.0, 8.0]]])  # (1, N, O)
    found = local_input(obs, torch.tensor([[-1, 2]]), 3)
    assert found.tolist() == [[[5, 6, 0, 0, 0, 1, 0], [7, 8, 0, 0, 1, 0, 1]]]


@pytest.mark.parametrize(
    "how", [Exploration(), Exploration(0.5), Exploration(actions="sampled", keep_noise=True)], ids=str
)
def test_episodes_depend_on_their_seeds_not_on_how_many_are_played_side_by_side(how: Exploration) -> None:
    seeds = episode_seeds(3, "t", 0, 7)
    alone = list(play(PersonalSignalGame(1), teacher(), seeds, how))
    together = list(play(PersonalSignalGame(4), teacher(), seeds, how))
    assert [e.seed for e in together] == [int(s) for s in seeds]
    assert all(same(a, b) for a, b in zip(alone, together, strict=True))
    assert not all(same(alone[0], other) for other in alone[1:])


class Dawdlers:
    """Games of one row each that answer when they like: `FreeRows` without processes.

    Row `last` answers only when no other is asked.
    """

    def __init__(self, count: int, last: int | None = None) -> None:
        self._games = [PersonalSignalGame(1) for _ in range(count)]
        self._last, self._chance, self._asked = last, np.random.default_rng(0), dict[int, Any]()
        self.spec, self.n_envs, self.restarts, self.begun = PersonalSignalGame.spec, count, 0, 0
        for name in ("obs", "state", "available", "reward", "terminated", "truncated", "won", "lost"):
            setattr(self, name, np.concatenate([getattr(game, name) for game in self._games]))

    def begin(self, row: int, seed: int) -> None:
        self.begun += 1
        self._asked[row] = partial(self._games[row].reset, np.array([seed], np.uint64))

    def ask(self, rows: list[int], actions: np.ndarray) -> None:
        self._asked |= {row: partial(self._games[row].step, own[None]) for row, own in zip(rows, actions, strict=True)}

    def answered(self) -> list[int]:
        able = [row for row in self._asked if row != self._last] or list(self._asked)
        rows = self._chance.permutation(able)[: self._chance.integers(1, len(able) + 1)].tolist()
        for row in rows:
            self._asked.pop(row)()
            for name in ("obs", "state", "available", "reward", "terminated", "truncated", "won"):
                getattr(self, name)[row] = getattr(self._games[row], name)[0]
        return rows

    def unused(self, *_: Any) -> None:
        raise AssertionError("play asked for lock-step")

    reset = step = snapshot = restore = close = unused


@pytest.mark.parametrize("how", [Exploration(0.5), Exploration(0.5, actions="sampled", keep_noise=True)], ids=str)
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_free_rows_play_the_episodes_of_lock_step(rows: int, how: Exploration) -> None:
    env, seeds = Dawdlers(rows), episode_seeds(3, "t", 0, 20)
    assert isinstance(env, FreeRows)
    in_lock_step = play(PersonalSignalGame(4), teacher(), seeds, how)
    assert all(same(a, b) for a, b in zip(play(env, teacher(), seeds, how), in_lock_step, strict=True))
    assert env.begun == 20


def test_an_episode_that_takes_long_does_not_let_the_others_fill_the_memory() -> None:
    env = Dawdlers(3, last=2)  # the row that gets the first seed
    playing = play(env, teacher(), episode_seeds(3, "t", 0, 100), Exploration())
    first = next(playing)
    assert first.seed == int(episode_seeds(3, "t", 0, 1)[0])
    assert env.begun == AHEAD * 3
    next(playing)
    assert env.begun == AHEAD * 3 + 1
    assert sum(1 for _ in playing) == 98


@pytest.mark.parametrize("episodes", [8, 5])
def test_a_policy_is_shown_those_that_still_play(episodes: int) -> None:
    """Also in a round that has fewer seeds than environments."""
    env, shown = build_environment("skirmish", "3m", 8), []
    torch.manual_seed(0)
    policy = Teacher(env.spec, NetworkSettings(global_info="agent-specific"))
    policy.acting.register_forward_pre_hook(lambda _, given: shown.append(len(given[2])))  # (k, N, L)
    played = list(play_in_rounds(env, policy, episode_seeds(3, "t", 0, episodes), Exploration(epsilon=0.9)))
    lengths = [e.length for e in played]
    assert shown == [sum(length > t for length in lengths) for t in range(max(lengths))]
    assert shown[-1] < episodes


def test_actions_played_are_those_of_the_unrolled_network() -> None:
    """Acting step by step and unrolling whole episodes are one network (with the mean of z, so without chance)."""
    policy = teacher()
    episodes = list(play(PersonalSignalGame(4), policy, episode_seeds(1, "t", 0, 4), Exploration(z="mean")))
    batch = EpisodeBatch.of(episodes)
    values = policy.unroll(Views.of(batch), None).values.detach().numpy()
    assert np.array_equal(greedy(values, batch.available.numpy())[batch.played], batch.actions.numpy())


def test_sampling_z_changes_play_and_its_mean_does_not_depend_on_chance() -> None:
    policy = teacher()
    assert policy.information is not None
    with torch.no_grad():
        policy.information.gaussian.log_variance[-1].bias.fill_(3.0)
    seeds = episode_seeds(1, "t", 0, 8)
    env = PersonalSignalGame(8)
    sampled = list(play(env, policy, seeds, Exploration()))
    mean = list(play(env, policy, seeds, Exploration(z="mean")))
    assert not all(same(a, b) for a, b in zip(sampled, mean, strict=True))
    assert all(np.array_equal(a.state, b.state) for a, b in zip(sampled, mean, strict=True))


def test_a_teacher_without_global_information_is_never_shown_the_state() -> None:
    policy = teacher("none")
    assert not policy.reads_state
    episodes = list(play(PersonalSignalGame(2), policy, episode_seeds(1, "t", 0, 2), Exploration()))
    assert len({tuple(e.actions.ravel()) for e in episodes}) == 1  # it sees nothing, so it always does the same


def test_the_noise_kept_is_the_noise_that_z_was_sampled_with() -> None:
    """Unrolled with it, the network takes the actions that were played; without it, not all of them."""
    policy = teacher()
    assert policy.information is not None
    with torch.no_grad():
        policy.information.gaussian.log_variance[-1].bias.fill_(3.0)
    how = Exploration(keep_noise=True)
    batch = EpisodeBatch.of(list(play(PersonalSignalGame(4), policy, episode_seeds(1, "t", 0, 8), how)))
    assert batch.noise is not None
    noise = torch.zeros(len(batch.obs), *batch.noise.shape[1:])  # (R, N, Z), nothing was drawn for the final views
    noise[batch.played] = batch.noise

    def actions(noise: torch.Tensor | None) -> np.ndarray:
        values = policy.unroll(Views.of(batch), noise).values.detach().numpy()
        return greedy(values, batch.available.numpy())[batch.played]

    assert np.array_equal(actions(noise), batch.actions.numpy())
    assert not np.array_equal(actions(None), batch.actions.numpy())
    assert next(play(PersonalSignalGame(1), policy, episode_seeds(1, "t", 0, 1), Exploration())).noise is None
