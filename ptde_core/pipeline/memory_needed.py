"""How much memory a training takes at most, estimated before it begins; what does not fit is refused."""

from dataclasses import dataclass

import torch

from ptde_core.algorithms.building import build_teacher
from ptde_core.algorithms.catalogue import algorithm_named
from ptde_core.algorithms.learner_settings import MappoSettings, ValueDecompositionSettings
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.algorithms.value_decomposition import KEPT_BYTES
from ptde_core.base.device import device_of
from ptde_core.base.machine_memory import check_room
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.envs.interface import EnvSpec
from ptde_core.policies.parameter_counts import size_of
from ptde_core.storage.replay_buffer import largest_replay

COPIES = 6  # of a teacher's weights: its own, the target's, a gradient, two moments, one that plays or is saved
FLOAT = 4  # bytes
# How many vectors as long as z a gradient step keeps of each agent and view.
OF_Z = {"none": 0, "unified": 8, "agent-specific": 16}


@dataclass(frozen=True)
class Needed:
    """Bytes that a training takes at most, beside what Python and its packages take.

    Args:
        weights: networks, their gradients and the optimiser's moments.
        episodes: those that are learned from, and those of a round.
        update: what a gradient step keeps of a batch.
    """

    weights: int
    episodes: int
    update: int

    @property
    def whole(self) -> int:
        """All of it."""
        return self.weights + self.episodes + self.update


def memory_needed(settings: TrainingSettings, spec: EnvSpec, runs: int = 1, *, together: bool = False) -> Needed:
    """What some trainings take when every episode goes to its limit; no more is held than they play.

    Args:
        settings: of each training.
        spec: of its environment.
        runs: how many are trained at the same time.
        together: their replays lie on the device, where nothing is left out that repeats.
    """
    limit, sizes = spec.episode_limit, (spec.n_agents, spec.n_actions, spec.obs_size, spec.state_size)
    held, batch = settings.steps, 0  # env steps, views
    changing = 1.0
    if isinstance(settings, ValueDecompositionSettings):
        held = min(held, settings.replay_episodes * limit)
        batch = settings.batch_episodes * (limit + 1)
        changing = 1.0 if together else ENVIRONMENTS[spec.backend].changing
    elif isinstance(settings, MappoSettings):
        held = batch = min(held, settings.rollout_steps)
    of_episode = largest_replay(1, limit, *sizes)
    per_step = (changing * held + settings.n_envs * limit) * of_episode / limit
    return Needed(
        weights=COPIES * runs * FLOAT * size_of(lambda: build_teacher(settings, spec)),
        episodes=int(runs * per_step),
        update=runs * _of_batch(min(batch, settings.steps), settings, spec),
    )


def _of_batch(views: int, settings: TrainingSettings, spec: EnvSpec) -> int:
    """Bytes that a gradient step keeps of so many views. Settings of one's own may lack a size: then it counts nothing.

    The z of CSRL's commander and COPA's coach is part of `kept_vectors`.
    """
    local = spec.obs_size + spec.n_actions + spec.n_agents
    hidden, info = getattr(settings, "hidden_size", 0), getattr(settings, "info_size", 0)
    of_agent = (
        2 * local + algorithm_named(settings.alg).kept_vectors * hidden + OF_Z.get(settings.global_info, 0) * info
    )
    products = 0  # of states with the agents' own weights
    if settings.global_info == "agent-specific" and not getattr(settings, "info_rank", 0):
        products = views * FLOAT * (hidden + 1) * info
        if isinstance(settings, ValueDecompositionSettings):
            products = min(products, KEPT_BYTES)
    return views * FLOAT * spec.n_agents * of_agent + products


def check_memory(settings: TrainingSettings, runs: int, spec: EnvSpec, *, together: bool) -> None:
    """Refuse a training that may need more memory than is free.

    Raises:
        PtdeError: with what it can take, and what takes less.
    """
    device = device_of(settings)
    room = None if device.type == "cpu" else int(torch.cuda.mem_get_info(device)[0])
    needed = memory_needed(settings, spec, runs, together=together)
    check_room(needed.weights, "the networks", "make them smaller: --set hidden_size, info_size", room)
    parts = f"{needed.episodes / 1e9:,.1f} GB of episodes, {needed.update / 1e9:,.1f} GB for a gradient step"
    less = "--set replay_episodes (or rollout_steps, n_envs, batch_episodes) with a smaller number takes less"
    check_room(needed.whole, f"this training ({parts})", less, room)


def memory_in_words(settings: TrainingSettings, spec: EnvSpec, runs: int, *, together: bool) -> str:
    """What the episodes and a gradient step take at most."""
    needed = memory_needed(settings, spec, runs, together=together)
    episodes, update = (
        f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB" for size in (needed.episodes, needed.update)
    )
    limit = f"(if all last {spec.episode_limit} steps)"
    return f"memory: up to {episodes} for episodes and {update} for a gradient step {limit}"
