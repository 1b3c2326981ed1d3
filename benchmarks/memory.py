"""Memory of a training whose replay is full: its own size, beside padded episodes, and what the process holds."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.figures import Figure
from ptde_core.algorithms.building import build_learner
from ptde_core.algorithms.from_checkpoint import restore
from ptde_core.algorithms.training_settings import TrainValueDecompositionSettings
from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.batch import Episode
from ptde_core.base.machine_memory import keep_freed_memory
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import build_environment
from ptde_core.policies.policy import Exploration, Policy
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import train_teacher_settings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.zoo import in_place

SECTION = "memory"
UPDATES = 60
CASES = (  # map, information, checkpoint of the team that plays: an untrained one without
    ("3s_vs_5z", "none", ""),
    ("3s5z_vs_3s6z", "none", ""),
    ("3s_vs_5z", "unified", "zoo:3s_vs_5z/QMIX_UGI/seed1/teacher.pt"),
    ("3s_vs_5z", "agent-specific", "zoo:3s_vs_5z/QMIX_SGI/seed1/teacher.pt"),
)


def measure(quick: bool) -> Iterator[Figure]:
    """Megabytes, each case in a process of its own."""
    for map_name, info, team in CASES:
        episodes = 500 if quick else 5000
        words = [sys.executable, "-m", "benchmarks.memory", map_name, info, team, str(episodes)]
        found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        note = f"steps on average {found['steps']:.0f}; {found['replay'] / found['padded']:.0%} of padded float32"
        label = f"qmix {info}, {map_name}, {episodes} episodes of a{' ' if team else 'n un'}trained team"
        yield Figure(SECTION, f"{label}, replay", found["replay"] / 1e6, "MB", note)
        yield Figure(SECTION, f"{label}, resident", found["resident"] / 1e6, "MB", "with updates, whole process")


def full_replay(map_name: str, info: str, team: str, episodes: int) -> dict[str, float]:
    """Bytes after a learner's memory was filled and it has learned from it for a while, as training does.

    64 episodes are played; copies of them fill the memory and then, as new episodes of a training do, replace others.

    Args:
        map_name: of skirmish.
        info: the learner's global information.
        team: checkpoint of a teacher that plays with the least exploration; "": the learner's own, which is untrained
            and explores fully.
        episodes: of the replay.
    """
    keep_freed_memory()
    env = build_environment("skirmish", map_name, 8)
    settings = train_teacher_settings({"global_info": info, "map": map_name, "replay_episodes": episodes})
    assert isinstance(settings, TrainValueDecompositionSettings)
    learner = build_learner(settings, env.spec, seed=1)
    assert isinstance(learner, ValueDecompositionLearner)
    policy: Policy = learner.teacher
    if team:
        policy = restore(load_checkpoint(in_place(team), "teacher")).policy
    how = Exploration(settings.epsilon_end) if team else learner.exploration(0)
    played = list(play(env, policy, episode_seeds(1, "benchmark", 0, 64), how))
    learner.settings = settings.model_copy(update={"updates_per_round": 0})
    for k in range(0, episodes, settings.n_envs):
        learner.learn([_copy(played[place % len(played)]) for place in range(k, min(k + settings.n_envs, episodes))])
    learner.settings = settings
    chance = np.random.default_rng(1)
    for _ in range(UPDATES):
        learner.learn([_copy(played[place]) for place in chance.integers(len(played), size=settings.n_envs)])
    spec = env.spec
    steps = sum(episode.length for episode in played) / len(played)
    # Padded, as others store them: every episode as long as the limit, every number a float32.
    view = 4 * (spec.n_agents * (spec.obs_size + spec.n_actions) + spec.state_size)
    padded = episodes * ((spec.episode_limit + 1) * view + spec.episode_limit * 4 * (spec.n_agents + 1))
    return {
        "steps": steps,
        "replay": learner.replay.nbytes,
        "padded": padded,
        "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _copy(episode: Episode) -> Episode:
    arrays = {name: getattr(episode, name).copy() for name in ("obs", "state", "available", "actions", "reward")}
    return replace(episode, **arrays)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(full_replay(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))))
