"""CTDS: the student's loss by hand, what counts in it, who learns from it, what each of the two policies sees."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ptde_core.algorithms.building import build_learner
from ptde_core.algorithms.ctds_learner import OnlineDistillationLearner, value_distillation_loss
from ptde_core.algorithms.learner import TeachesOnline
from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import build_environment, sight_in_words
from ptde_core.envs.small_games import CommonSignalGame, PersonalSignalGame
from ptde_core.envs.two_views import Sights, StateBesideView, columns_of, one_view
from ptde_core.policies.network_inputs import Views
from ptde_core.policies.policy import Exploration
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import train_teacher_settings

GAME = "personal-signal"


def learner_of(seed: int = 1) -> OnlineDistillationLearner:
    settings = train_teacher_settings({"alg": "ctds", "env": "game", "map": GAME})
    learner = build_learner(settings, build_environment("game", GAME, 1, Sights()).spec, seed)
    assert isinstance(learner, OnlineDistillationLearner)
    return learner


def played(count: int, seed: int = 0) -> list[Episode]:
    env = StateBesideView(PersonalSignalGame(count), Sights())
    return list(play(env, learner_of().teacher, episode_seeds(seed, "t", 0, count), Exploration(epsilon=0.5)))


def weights(policy: torch.nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


def test_the_loss_by_hand() -> None:
    """One agent, two steps of two; three actions, of which the second step offers only the first and the last.

    Squared errors: 1, 4, 9 in the first step, 16 and 0 in the second (25 does not count), so the mean is 30 / 5 = 6.
    """
    batch = EpisodeBatch(
        obs=torch.zeros(3, 1, 1),
        state=torch.zeros(3, 1),
        available=torch.tensor([[[True, True, True]], [[True, False, True]], [[True, True, True]]]),
        actions=torch.zeros(2, 1, dtype=torch.int64),
        reward=torch.zeros(2),
        terminated=torch.tensor([False, True]),
        length=torch.tensor([2]),
    )
    teacher = torch.tensor([[[0.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]], [[7.0, 7.0, 7.0]]], requires_grad=True)
    student = torch.tensor([[[1.0, 2.0, 3.0]], [[5.0, 6.0, 1.0]], [[9.0, 9.0, 9.0]]], requires_grad=True)
    loss = value_distillation_loss(student, teacher, batch)
    assert loss.detach() == 6.0
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad.flatten().tolist() == pytest.approx([0.4, 0.8, 1.2, 1.6, 0.0, 0.0, 0.0, 0.0, 0.0])


def test_neighbours_change_no_values() -> None:
    learner, (first, second) = learner_of(), played(2)
    episodes = [first, cut_or_lengthened(second, 2)]
    with torch.no_grad():
        for policy in (learner.teacher, learner.student):
            together, *apart = (
                values_of(policy, EpisodeBatch.of(some)) for some in (episodes, *([e] for e in episodes))
            )
            torch.testing.assert_close(together, torch.cat(apart), rtol=1e-4, atol=1e-7)


def values_of(policy: Teacher, batch: EpisodeBatch) -> Tensor:
    """Action values (R, N, A)."""
    return policy.unroll(Views.of(batch), None).values


def cut_or_lengthened(episode: Episode, steps: int) -> Episode:
    """The episode with that many steps: its rows over and over as far as they are needed."""
    rows = {"obs": steps + 1, "state": steps + 1, "available": steps + 1, "actions": steps, "reward": steps}
    return replace(episode, **{name: np.concatenate([getattr(episode, name)] * 4)[:n] for name, n in rows.items()})


def updated(learner: OnlineDistillationLearner, batch: list[Episode]) -> dict[str, Tensor]:
    """One step of student and teacher, as `learn` takes them."""
    return learner._distill(batch) | learner._teaching.update(batch)


def test_the_student_changes_nothing_of_its_teacher() -> None:
    """Trained with or without a student, the teacher is the same bit for bit."""
    with_student, alone = learner_of(), learner_of()
    for step in range(3):
        batch = played(4, seed=step)
        before = weights(with_student.student)
        log = updated(with_student, batch)
        alone._teaching.update(batch)
        assert not torch.equal(weights(with_student.student), before)
        assert float(log["student_value_loss"]) > 0
    assert torch.equal(weights(with_student.teacher), weights(alone.teacher))
    assert (with_student.updates, alone.updates) == (3, 3)


def test_threads_share_a_batch_and_the_student_learns_the_same() -> None:
    """Five episodes of unequal length on three threads: shares of one, two and two."""
    chance = np.random.default_rng(1)
    cut = [cut_or_lengthened(one, n) for one, n in zip(played(5), (4, 2, 7, 1, 3), strict=True)]
    batch = [replace(one, available=chance.random(one.available.shape) < 0.6) for one in cut]

    def learned(threads: int) -> tuple[Tensor, dict[str, Tensor]]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        learner = learner_of()
        torch.set_num_threads(before)
        log = updated(learner, batch)
        return torch.cat([p.grad.flatten() for p in learner.student.parameters() if p.grad is not None]), log

    (alone, alone_log), (shared, shared_log) = learned(1), learned(3)
    torch.testing.assert_close(shared, alone, rtol=1e-4, atol=1e-7)
    for key in ("student_value_loss", "student_gradient_norm"):
        torch.testing.assert_close(shared_log[key], alone_log[key], rtol=1e-4, atol=1e-7)


def test_the_student_regresses_its_teacher_as_it_is_before_its_own_step() -> None:
    learner, episodes = learner_of(), played(4)
    batch = EpisodeBatch.of(episodes)
    with torch.no_grad():
        goal, own = (values_of(policy, batch) for policy in (learner.teacher, learner.student))
    expected = value_distillation_loss(own, goal, batch)
    assert float(updated(learner, episodes)["student_value_loss"]) == pytest.approx(float(expected))


def test_each_reads_its_own_view_and_nothing_of_the_other() -> None:
    learner, batch = learner_of(), EpisodeBatch.of(played(4))
    spec = build_environment("game", GAME, 1, Sights()).spec
    for policy, view in ((learner.teacher, "own"), (learner.student, "wide")):
        other = columns_of(spec, view)  # type: ignore[arg-type]  # one of the two words
        noisy = batch.obs.clone()
        noisy[..., other] = torch.randn_like(noisy[..., other])
        with torch.no_grad():
            values, unmoved = (values_of(policy, replace(batch, obs=obs)) for obs in (batch.obs, noisy))
            moved = values_of(policy, replace(batch, obs=torch.randn_like(batch.obs)))
        assert torch.equal(values, unmoved)
        assert not torch.allclose(values, moved)
        assert not policy.reads_state


def test_two_views_of_a_game_are_its_view_with_the_state_and_its_view() -> None:
    env, plain = StateBesideView(PersonalSignalGame(2), Sights()), PersonalSignalGame(2)
    seeds = episode_seeds(1, "t", 0, 2)
    env.reset(seeds)
    plain.reset(seeds)
    env.step(np.zeros((2, 2), np.int64))
    plain.step(np.zeros((2, 2), np.int64))
    wide, own = env.obs[..., columns_of(env.spec, "wide")], env.obs[..., columns_of(env.spec, "own")]
    assert np.array_equal(own, plain.obs)
    assert np.array_equal(wide[:, 1], np.concatenate([plain.obs[:, 1], plain.state], axis=-1))
    assert one_view(env.spec, "own").obs_size == plain.spec.obs_size
    with pytest.raises(PtdeError, match=r"game common-signal has no distances, so no sight of 4; leave"):
        StateBesideView(CommonSignalGame(1), Sights(4.0, "own"))


def test_sights_in_words() -> None:
    assert [sight_in_words("skirmish", sight) for sight in ("all", "own", 2.0, 7.5)] == ["all", "9", "2", "7.5"]
    assert sight_in_words("game", "own") == "own"


def test_who_trains_a_student_online() -> None:
    assert isinstance(learner_of(), TeachesOnline)
    settings = train_teacher_settings({"alg": "qmix", "map": GAME})
    assert not isinstance(build_learner(settings, PersonalSignalGame.spec, 1), TeachesOnline)
