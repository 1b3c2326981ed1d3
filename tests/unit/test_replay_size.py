"""The memory that replay will need, told before training, is what full-length episodes take."""

from pathlib import Path

from ptde_core.base.events import Event, Note
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.policies.policy import Exploration
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import train_teacher_settings
from ptde_core.storage.replay_buffer import Replay, largest_replay
from ptde_core.storage.run_folder import RunFolder


def test_by_hand() -> None:
    """3 views of 4*2*5 + 4*7 + 2*3 = 74 bytes and 2 steps of 2*2 + 4 = 8 bytes: 238 an episode."""
    assert largest_replay(10, steps=2, agents=2, actions=3, obs=5, state=7) == 2380


def test_episodes_of_full_length_take_what_was_estimated(tmp_path: Path) -> None:
    told: list[Event] = []
    settings = train_teacher_settings({"env": "game", "map": "personal-signal", "steps": 1, "test_episodes": 0})
    train_teacher(settings, RunFolder(tmp_path / "run"), listen=told.append)
    spec = PersonalSignalGame.spec
    policy = Teacher(spec, NetworkSettings(global_info="none"))
    episodes = list(play(PersonalSignalGame(4), policy, episode_seeds(1, "t", 0, 4), Exploration()))
    assert all(episode.length == spec.episode_limit for episode in episodes)
    replay = Replay(3)
    replay.add(episodes)  # the first falls out
    sizes = (spec.episode_limit, spec.n_agents, spec.n_actions, spec.obs_size, spec.state_size)
    assert replay.nbytes == largest_replay(3, *sizes)
    most = largest_replay(5000, *sizes)
    expected = f"replay memory: up to {most / 1e9:.2g} GB, if 5000 episodes last {spec.episode_limit} steps each"
    assert Note(expected) in told
