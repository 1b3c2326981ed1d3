"""The recorder cuts what environments show into episodes; stepping through an episode repeats what its player did."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ptde_core.algorithms.building import build_teacher
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import build_environment
from ptde_core.envs.two_views import Sights
from ptde_core.nets.network_settings import StudentSettings
from ptde_core.policies.network_inputs import local_inputs_of
from ptde_core.policies.policy import Exploration, greedy
from ptde_core.policies.student import Student
from ptde_core.policies.teacher import Teacher
from ptde_core.policies.teachers import AnyTeacher
from ptde_core.rollout.play import play
from ptde_core.rollout.recorder import Recorder
from ptde_core.rollout.step_through import step_through
from ptde_core.runs.stage_settings import train_teacher_settings


def environments(obs: float, reward: float, **ended: list[bool]) -> Any:
    """Three environments of one agent, in which all that is seen is one number."""
    facts = {name: np.array(ended.get(name, [False] * 3)) for name in ("terminated", "won", "lost")}
    return SimpleNamespace(
        obs=np.full((3, 1, 1), obs, np.float32),
        state=np.full((3, 1), -obs, np.float32),
        available=np.ones((3, 1, 2), np.bool_),
        reward=np.full(3, reward, np.float32),
        **facts,
    )


def test_episodes_of_unequal_length_are_cut_by_hand() -> None:
    """Of rows 1 and 2 the first runs for one step, the second for two; row 0 is another player's."""
    env = environments(obs=0, reward=9)
    recorder = Recorder(env, slice(1, 3), np.array([11, 12], np.uint64))
    assert not recorder.begun
    for step, running in enumerate(([True, True], [False, True]), start=1):
        noise = np.full((2, 1, 1), step, np.float32)
        recorder.acted(np.array([[0], [1]]), noise)
        noise[:] = np.nan  # the arrays are overwritten by the next step
        vars(env).update(
            vars(environments(obs=step, reward=step, terminated=[False, True, True], won=[True, True, False]))
        )
        recorder.stepped(np.array(running))
    assert recorder.begun
    short, long = recorder.episodes()
    assert short is not None
    assert long is not None
    assert (short.seed, short.length, short.won, short.terminated) == (11, 1, True, True)
    assert (long.seed, long.length, long.won, long.terminated) == (12, 2, False, True)
    assert short.obs[:, 0, 0].tolist() == [0, 1]
    assert long.obs[:, 0, 0].tolist() == [0, 1, 2]
    assert long.state[:, 0].tolist() == [0, -1, -2]
    assert long.reward.tolist() == [1, 2]
    assert long.actions.tolist() == [[1], [1]]
    assert long.noise is not None
    assert long.noise.ravel().tolist() == [1, 2]
    assert long.available.shape == (3, 1, 2)


def test_an_episode_whose_engine_broke_is_none() -> None:
    env = environments(obs=0, reward=0)
    recorder = Recorder(env, slice(0, 2), np.array([1, 2], np.uint64))
    recorder.acted(np.array([[0], [0]]), None)
    vars(env).update(vars(environments(obs=1, reward=0, lost=[True, False, False], terminated=[False, True, False])))
    recorder.stepped(np.ones(2, np.bool_))
    broken, whole = recorder.episodes()
    assert broken is None
    assert whole is not None
    assert whole.noise is None


def policy_of(alg: str, info: str = "none") -> tuple[AnyTeacher, Any]:
    changes = {} if alg in ("csrl", "copa", "ctds") else {"global_info": info}
    settings = train_teacher_settings({"alg": alg, "env": "skirmish", "map": "3m"}, changes)
    env = build_environment("skirmish", "3m", 2, Sights() if alg == "ctds" else None)
    torch.manual_seed(5)
    return build_teacher(settings, env.spec), env


@pytest.mark.parametrize(
    ("alg", "info"),
    [("qmix", "agent-specific"), ("qmix", "unified"), ("qmix", "none"), ("csrl", ""), ("copa", ""), ("ctds", "")],
)
def test_stepping_through_an_episode_repeats_its_play(alg: str, info: str) -> None:
    policy, env = policy_of(alg, info)
    how = Exploration(keep_noise=True)
    (episode,) = play(env, policy, episode_seeds(1, "t", 0, 1), how)
    acted = step_through(policy, episode, sampled=True)
    assert np.array_equal(greedy(acted.values.numpy(), episode.available[:-1]), episode.actions)
    with torch.no_grad():
        informed = policy.inform(local_inputs_of(episode), torch.from_numpy(episode.state[:-1]))
    assert (acted.z is None) == (informed is None) == (not policy.reads_state)
    if informed is not None and isinstance(policy, Teacher):
        assert informed.sigma is not None
        assert episode.noise is not None
        drawn = torch.addcmul(informed.mean, informed.sigma, torch.from_numpy(episode.noise))
        torch.testing.assert_close(acted.z, drawn, rtol=1e-4, atol=1e-5)
        mean = step_through(policy, episode, sampled=False).z
        torch.testing.assert_close(mean, informed.mean, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(drawn, informed.mean)


def test_a_student_is_told_nothing_of_the_state_and_steps_with_its_own_z() -> None:
    teacher, env = policy_of("qmix", "agent-specific")
    assert isinstance(teacher, Teacher)
    student = Student(teacher, StudentSettings())
    (episode,) = play(env, student, episode_seeds(1, "t", 0, 1), Exploration())
    local = local_inputs_of(episode)
    assert student.inform(local, torch.from_numpy(episode.state[:-1])) is None
    with torch.no_grad():
        predicted, _ = student.network(local)
    torch.testing.assert_close(step_through(student, episode, sampled=False).z, predicted, rtol=1e-4, atol=1e-5)
