"""Rounds of skirmish in compiled code are the plain loop's, bit for bit; and what they do when they cannot go on."""

import threading
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest
import torch

from ptde_core import kernels
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import build_environment
from ptde_core.envs.interface import BatchedEnv
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.policies.policy import Exploration, TimedPolicy
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout import compiled_play, play
from ptde_core.rollout.compiled_play import AHEAD, compiled_weights
from ptde_core.rollout.play import play_in_rounds
from tests.marks import needs_kernels

HOWS = {
    "greedy": Exploration(),
    "explores": Exploration(0.3),
    "always random": Exploration(1.0),
    "keeps noise": Exploration(0.1, keep_noise=True),
    "mean of z": Exploration(0.1, z="mean"),
    "drawn": Exploration(actions="sampled", keep_noise=True),
    "drawn, explores": Exploration(0.2, actions="sampled"),
}


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def teacher_of(env: BatchedEnv, info: str, rank: int = 0) -> Teacher:
    torch.manual_seed(0)
    return Teacher(env.spec, NetworkSettings.model_validate({"global_info": info, "info_rank": rank}))


def check_equal(ones: list[Episode], others: list[Episode]) -> None:
    """In every array and number, in their types too."""
    assert len(ones) == len(others)
    for one, other in zip(ones, others, strict=True):
        for field in fields(Episode):
            a, b = getattr(one, field.name), getattr(other, field.name)
            assert type(a) is type(b), field.name
            assert getattr(a, "dtype", None) == getattr(b, "dtype", None), field.name
            assert np.array_equal(a, b), field.name


@needs_kernels
@pytest.mark.parametrize("how", HOWS.values(), ids=HOWS)
@pytest.mark.parametrize(("info", "rank"), [("none", 0), ("agent-specific", 0)])
def test_equals_the_plain_loop(info: str, rank: int, how: Exploration) -> None:
    env = build_environment("skirmish", "3m", 4)
    teacher = teacher_of(env, info, rank)
    assert compiled_weights(env, teacher, how)
    seeds = episode_seeds(2, "t", 0, 11)
    played = list(play.play(env, teacher, seeds, how))
    check_equal(played, list(play_in_rounds(env, teacher, seeds, how)))
    assert how.epsilon < 0.2 or len({one.length for one in played}) > 1
    assert (played[0].noise is not None) == (how.keep_noise and info != "none" and how.z == "sampled")


@pytest.mark.parametrize("map_name", ["2s3z", "MMM2", "corridor"])
def test_equals_it_on_other_maps(map_name: str) -> None:
    """Shields, healers, walls."""
    env, how = build_environment("skirmish", map_name, 3), Exploration(0.5)
    teacher, seeds = teacher_of(env, "none"), episode_seeds(1, "b", 0, 4)
    played = list(play.play(env, teacher, seeds, how))
    check_equal(played, list(play_in_rounds(env, teacher, seeds, how)))


def test_equals_it_where_time_is_up() -> None:
    env, how = build_environment("skirmish", "3m", 3), Exploration()
    teacher, seeds = teacher_of(env, "none"), episode_seeds(2, "t", 0, 4)
    played = list(play.play(env, teacher, seeds, how))
    assert not any(one.terminated for one in played)
    check_equal(played, list(play_in_rounds(env, teacher, seeds, how)))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("environments", [1, 3, 8])
@pytest.mark.parametrize("episodes", [1, 8, 21])
def test_neither_threads_nor_environments_change_an_episode(count: int, environments: int, episodes: int) -> None:
    env, alone, how = (*(build_environment("skirmish", "3m", n) for n in (environments, 1)), Exploration(0.3))
    teacher, seeds = teacher_of(env, "agent-specific"), episode_seeds(4, "t", 0, episodes)
    torch.set_num_threads(count)
    check_equal(list(play.play(env, teacher, seeds, how)), list(play_in_rounds(alone, teacher, seeds, how)))
    assert torch.get_num_threads() == count


def test_an_environment_plays_again_after_it() -> None:
    """Its flags say how its battles ended, and a second list of seeds starts from nothing."""
    env, how = build_environment("skirmish", "3m", 4), Exploration(0.5)
    teacher, seeds = teacher_of(env, "none"), episode_seeds(5, "t", 0, 4)
    first = list(play.play(env, teacher, seeds, how))
    assert (env.terminated | env.truncated).all()
    assert env.won.tolist() == [one.won for one in first]
    check_equal(list(play.play(env, teacher, seeds, how)), first)
    check_equal(list(play_in_rounds(env, teacher, seeds, how)), first)


def test_weights_are_those_of_now() -> None:
    env, how = build_environment("skirmish", "3m", 2), Exploration(0.1)
    teacher, seeds = teacher_of(env, "agent-specific"), episode_seeds(5, "t", 0, 3)
    before = list(play.play(env, teacher, seeds, how))
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(-1.5)
    after = list(play.play(env, teacher, seeds, how))
    check_equal(after, list(play_in_rounds(env, teacher, seeds, how)))
    assert not np.array_equal(before[0].actions[:5], after[0].actions[:5])


@needs_kernels
def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more episodes are begun than `AHEAD` times the environments before the first is handed out."""
    env, how, begun = build_environment("skirmish", "3m", 2), Exploration(0.5), []
    real = compiled_play._Playing._begin
    monkeypatch.setattr(compiled_play._Playing, "_begin", lambda *given: begun.append(0) or real(*given))
    shown = play.play(env, teacher_of(env, "none"), episode_seeds(1, "t", 0, 5 * AHEAD), how)
    next(shown)
    assert len(begun) == 2 * AHEAD + 2  # the last two found none left
    assert sum(1 for _ in shown) == 5 * AHEAD - 1


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("count", [1, 2])
def test_values_that_are_not_finite_end_it_with_a_sentence(count: int) -> None:
    torch.set_num_threads(count)
    env, how = build_environment("skirmish", "3m", 4), Exploration()
    teacher, seeds = teacher_of(env, "none"), episode_seeds(5, "t", 0, 9)
    played = list(play.play(env, teacher, seeds, how))
    with torch.no_grad():
        kept = teacher.head.values.bias.clone()
        teacher.head.values.bias[3] = float("inf")
    with pytest.raises(PtdeError, match="not finite"):
        list(play.play(env, teacher, seeds, how))
    with torch.no_grad():
        teacher.head.values.bias.copy_(kept)
    check_equal(list(play.play(env, teacher, seeds, how)), played)  # nobody is left at work


@needs_kernels
@pytest.mark.usefixtures("threads")
def test_an_interruption_stops_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)
    env, how = build_environment("skirmish", "3s_vs_5z", 4), Exploration(0.5)
    teacher, seeds = teacher_of(env, "none"), episode_seeds(5, "t", 0, 8)
    real, main = compiled_play._Playing._draw, threading.current_thread()

    def interrupted(*given: object) -> None:
        if threading.current_thread() is main:
            raise KeyboardInterrupt
        real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(compiled_play._Playing, "_draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(play.play(env, teacher, seeds, how))
    monkeypatch.undo()
    clock = env.inside[1].clock.copy()  # type: ignore[attr-defined]
    threading.Event().wait(0.05)
    assert np.array_equal(env.inside[1].clock, clock)  # type: ignore[attr-defined]
    check_equal(list(play.play(env, teacher, seeds, how)), list(play_in_rounds(env, teacher, seeds, how)))


@needs_kernels
def test_who_goes_the_plain_way() -> None:
    """Environments and policies that are more than they look."""
    env, how = build_environment("skirmish", "3m", 2), Exploration()
    teacher = teacher_of(env, "agent-specific")
    assert compiled_weights(env, teacher, how)
    assert compiled_weights(build_environment("game", "personal-signal", 2), teacher, how) is None
    assert compiled_weights(env, TimedPolicy(teacher), how) is None
    assert compiled_weights(env, teacher, Exploration((0.1, 0.2))) is None
    assert compiled_weights(env, teacher.double(), how) is None


def test_with_kernels_off_it_goes_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    env, how = build_environment("skirmish", "3m", 2), Exploration(0.2)
    teacher = teacher_of(env, "agent-specific")
    monkeypatch.setattr("ptde_core.kernels.arrays._ON", False)
    assert not kernels.are_on()
    assert compiled_weights(env, teacher, how) is None
    assert all(one.length for one in play.play(env, teacher, episode_seeds(1, "t", 0, 2), how))
