"""The memory that a training will need, told before it begins."""

from pathlib import Path
from typing import Any

import pytest

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.algorithms.value_decomposition import KEPT_BYTES
from ptde_core.base.events import Event, Note
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import build_environment
from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.pipeline.memory_needed import memory_in_words, memory_needed
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.policies.policy import Exploration
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import train_teacher_settings
from ptde_core.storage.replay_buffer import Replay, largest_replay
from ptde_core.storage.run_folder import RunFolder


def test_by_hand() -> None:
    """3 views of 4*(2*5 + 7) + 8 + 1 = 77 bytes and 2 steps of 2*2 + 4 = 8 bytes: 247 an episode."""
    assert largest_replay(10, steps=2, agents=2, actions=3, obs=5, state=7) == 2470


def test_no_episode_of_full_length_takes_more(tmp_path: Path) -> None:
    told: list[Event] = []
    settings = train_teacher_settings({"env": "game", "map": "personal-signal", "steps": 1000, "test_episodes": 0})
    train_teacher(settings, RunFolder(tmp_path / "run"), listen=told.append)
    spec = PersonalSignalGame.spec
    policy = Teacher(spec, NetworkSettings(global_info="none"))
    episodes = list(play(PersonalSignalGame(4), policy, episode_seeds(1, "t", 0, 4), Exploration()))
    assert all(episode.length == spec.episode_limit for episode in episodes)
    replay = Replay(3)
    replay.add(episodes)  # the first falls out
    sizes = (spec.episode_limit, spec.n_agents, spec.n_actions, spec.obs_size, spec.state_size)
    assert replay.nbytes <= largest_replay(3, *sizes)
    assert Note(memory_in_words(settings, spec, 1, together=False)) in told


def numbered(**changes: Any) -> TrainingSettings:
    return train_teacher_settings({"map": "3s_vs_5z", "global_info": "none", "steps": 10**9} | changes)


def test_what_a_training_needs_worked_by_hand() -> None:
    """3s_vs_5z: 3 agents, 11 actions, 48 numbers in a view and 68 in the state, 250 steps; 0.4 of a view changes."""
    needed = memory_needed(numbered(), build_environment("skirmish", "3s_vs_5z", 1).spec)
    of_episode = 251 * (4 * (3 * 48 + 68) + 4 * 8 + 5) + 250 * (2 * 3 + 4)
    assert needed.episodes == int((0.4 * 5000 * 250 + 8 * 250) * of_episode / 250)
    local = 48 + 11 + 3
    assert needed.update == 128 * 251 * 4 * 3 * (2 * local + 9 * 64)


@pytest.mark.parametrize(("views", "products"), [(100, 100 * 4 * 65 * 64), (128 * 251, KEPT_BYTES)])
def test_agent_specific_weights_add_what_is_kept_of_their_products(views: int, products: int) -> None:
    spec = build_environment("skirmish", "3s_vs_5z", 1).spec
    needed = memory_needed(numbered(global_info="agent-specific", steps=views), spec)
    assert needed.update == views * 4 * 3 * (2 * 62 + (9 + 16) * 64) + products


@pytest.mark.parametrize(
    ("changes", "more"),
    [({"global_info": "agent-specific"}, True), ({"replay_episodes": 128}, False), ({"n_envs": 64}, True)],
)
def test_what_takes_more_or_less(changes: dict[str, Any], more: bool) -> None:
    spec = build_environment("skirmish", "3s_vs_5z", 1).spec
    assert (memory_needed(numbered(**changes), spec).whole > memory_needed(numbered(), spec).whole) == more


def test_together_nothing_is_left_out_of_the_replays() -> None:
    spec = build_environment("skirmish", "3s_vs_5z", 1).spec
    apart, together = (memory_needed(numbered(), spec, 2, together=one).episodes for one in (False, True))
    assert apart < 0.42 * together
