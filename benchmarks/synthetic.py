"""A learner and a batch of the sizes that other libraries were measured with, filled with random numbers."""

from dataclasses import replace

import numpy as np

from ptde_core.algorithms.building import build_learner
from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.batch import Episode
from ptde_core.envs.interface import EnvSpec
from ptde_core.runs.stage_settings import train_teacher_settings

EPISODES, STEPS = 128, 70
SPEC: EnvSpec = EnvSpec(
    backend="synthetic",
    version="1",
    map="8 agents",
    n_agents=8,
    n_actions=14,
    obs_size=136,
    state_size=230,
    episode_limit=STEPS,
    obs_names=tuple(f"obs_{k}" for k in range(136)),
    state_names=(
        *(f"state_{k}" for k in range(230 - 8 * 14)),
        *(f"ally_{agent}.last_action action_{k}" for agent in range(8) for k in range(14)),
    ),
    action_names=tuple(f"action_{k}" for k in range(14)),
)

# The same sizes, but of the state nothing is said to be a one-hot.
DENSE = replace(SPEC, state_names=tuple(f"state_{k}" for k in range(SPEC.state_size)))


def learner_of(alg: str, global_info: str, **more: object) -> ValueDecompositionLearner:
    """A fresh learner for `SPEC`, with more settings."""
    return learner_for(SPEC, alg, global_info, **more)


def learner_for(spec: EnvSpec, alg: str, global_info: str, **more: object) -> ValueDecompositionLearner:
    """A fresh learner for an environment."""
    settings = train_teacher_settings({"alg": alg, "global_info": global_info}, more)
    learner = build_learner(settings, spec, seed=1)
    assert isinstance(learner, ValueDecompositionLearner)
    return learner


def full_batch() -> list[Episode]:
    """128 episodes of 70 steps each."""
    return batch_of(SPEC, np.full(EPISODES, STEPS))


def uneven_batch() -> list[Episode]:
    """128 episodes of 26 to 70 steps, 48 on average, as battles that end when they are won or lost."""
    return batch_of(SPEC, np.linspace(26, STEPS, EPISODES).round().astype(np.int64))


def batch_of(spec: EnvSpec, lengths: np.ndarray) -> list[Episode]:
    """Episodes of an environment of these lengths, filled with random numbers."""
    chance = np.random.default_rng(0)
    return [_episode(spec, int(length), chance) for length in lengths]


def _episode(spec: EnvSpec, length: int, chance: np.random.Generator) -> Episode:
    n, a = spec.n_agents, spec.n_actions
    available = chance.random((length + 1, n, a)) < 0.5
    available[..., 0] = True
    actions = np.where(available[:-1, :, 1], 1, 0)  # (T, N)
    state = chance.random((length + 1, spec.state_size), np.float32)
    if spec.state_one_hot:  # zeros before the first action, as in SMAC
        last = np.concatenate([np.zeros((1, n, a)), np.eye(a)[actions]])  # (T+1, N, A)
        state[:, -spec.state_one_hot :] = last.reshape(length + 1, -1)
    return Episode(
        seed=0,
        obs=chance.random((length + 1, n, spec.obs_size), np.float32),
        state=state,
        available=available,
        actions=actions.astype(np.int16),
        reward=chance.random(length, np.float32),
        terminated=True,
        won=False,
    )
