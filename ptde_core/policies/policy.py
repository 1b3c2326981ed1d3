"""From what agents see to what they do: what a policy is, how play departs from it, and the choice of actions."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptde_core import kernels
from ptde_core.base.errors import PtdeError
from ptde_core.envs.interface import BatchedEnv
from ptde_core.learning.finite import TRY

ZChoice = Literal["sampled", "mean"]
ActionChoice = Literal["greedy", "sampled"]
Rows = slice | list[int] | NDArray[np.intp]  # which of the E environments; a slice is not copied


class Policy(Protocol):
    """What can play: the teacher and the student."""

    @property
    def reads_state(self) -> bool:
        """Whether `step` is shown the global state; otherwise it gets None."""

    @property
    def noise_size(self) -> int:
        """Z: standard normals per agent and step that sampling takes; 0 where nothing is sampled."""

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> tuple[Tensor, Any]:
        """Action values, or a policy's logits, (E, N, A) and the new memory; at the episodes' first step it is None.

        The memory is None, a tensor, or a named tuple of tensors, all with the environments first. What an environment
        gets does not depend, in any bit, on which others there are: who plays chooses which are asked together.
        """


class DevicePolicy:
    """A policy whose networks are on a device, for play, which is on the CPU."""

    def __init__(self, policy: Policy, device: torch.device) -> None:
        self._policy, self._device = policy, device
        self.reads_state, self.noise_size = policy.reads_state, policy.noise_size

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> tuple[Tensor, Any]:
        """As the policy's; the memory stays on the device."""
        seen = [None if tensor is None else tensor.to(self._device) for tensor in (local, state, noise)]
        assert seen[0] is not None
        values, memory = self._policy.step(seen[0], memory, *seen[1:])
        return values.cpu(), memory


class TimedPolicy:
    """A policy that counts its calls and the wall time spent in them, and is else the policy it is given."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.seconds, self.calls = 0.0, 0

    @property
    def reads_state(self) -> bool:
        """As the policy's."""
        return self._policy.reads_state

    @property
    def noise_size(self) -> int:
        """As the policy's."""
        return self._policy.noise_size

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> tuple[Tensor, Any]:
        """As the policy's."""
        began = time.perf_counter()
        found = self._policy.step(local, memory, state, noise)
        self.seconds += time.perf_counter() - began
        self.calls += 1
        return found


@dataclass(frozen=True)
class Exploration:
    """How play departs from the greedy policy. An epsilon for each environment stands in a tuple."""

    epsilon: float | tuple[float, ...] = 0.0  # chance of a uniformly random available action, per agent and step
    z: ZChoice = "sampled"
    actions: ActionChoice = "greedy"  # the best available one, or one drawn from the softmax of the available ones
    keep_noise: bool = False  # whether episodes hold the standard normals that z was sampled with


def choose(
    values: Tensor,
    available: NDArray[np.bool_],
    how: Exploration,
    epsilon: NDArray[np.float64],
    chance: Mapping[int, np.random.Generator],
) -> NDArray[np.int64]:
    """Actions (E, N) from action values or logits (E, N, A).

    Args:
        values: of the policy.
        available: (E, N, A).
        how: greedy or sampled.
        epsilon: (E,) of the environments.
        chance: by place among the E, the stream of each episode; one without is an idle copy, whose actions are unused.

    Raises:
        PtdeError: values that are not finite.
    """
    scores: NDArray[np.float32] = values.numpy()
    if not np.isfinite(scores).all():
        raise not_finite()
    if how.actions == "sampled":
        drawn = np.ones(scores.shape)
        for place, stream in chance.items():
            stream.standard_exponential(out=drawn[place])
        scores = perturbed(scores, drawn)
    envs, agents, _ = scores.shape
    actions = np.empty((envs, agents), np.int64)
    draws = np.ones((envs, 2, agents))  # two of each agent whatever happens: streams stay aligned
    for place, stream in chance.items():
        if epsilon[place] > 0:
            stream.random(out=draws[place])
    if not kernels.are_on():
        return _chosen(scores, available, epsilon, draws)
    kernels.choose(scores, available, epsilon, draws, actions)
    return actions


def not_finite() -> PtdeError:
    """What is said of values that are not finite."""
    return PtdeError("the policy's values of actions are not finite, so there is no best one", TRY)


def _chosen(
    scores: NDArray[np.float32], available: NDArray[np.bool_], epsilon: NDArray[np.float64], draws: NDArray[np.float64]
) -> NDArray[np.int64]:
    """What `kernels.choose` writes, by numpy; arguments as there."""
    best = np.where(available, scores, -np.inf).argmax(axis=-1)
    nth = (draws[:, 1] * available.sum(axis=-1)).astype(np.int64)  # how many available ones stand before the chosen one
    random = (available.cumsum(axis=-1) > nth[..., None]).argmax(axis=-1)
    chosen: NDArray[np.int64] = np.where(draws[:, 0] < epsilon[:, None], random, best)
    return chosen


def perturbed(logits: NDArray[np.float32], exponentials: NDArray[np.float64]) -> NDArray[np.float32]:
    """Logits (..., A) whose greedy choice is a draw from their softmax, whatever part of the actions is available.

    The Gumbel-max trick: minus the logarithm of a standard exponential (..., A) is a Gumbel variable.
    """
    return (logits - np.log(exponentials)).astype(np.float32)


def greedy(values: NDArray[np.floating[Any]], available: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Best available action of each agent: (..., N) from (..., N, A); the first of equals."""
    best: NDArray[np.int64] = np.where(available, values, -np.inf).argmax(axis=-1)
    return best


class LocalInputs:
    """The agents' local inputs (E, N, L) in one array that is kept up to date: obs, last action, agent id.

    The same as `nets.recurrent_agent.local_input`, without building one-hots anew at every step.
    """

    def __init__(self, env: BatchedEnv) -> None:
        spec = env.spec
        self._env, self._size = env, spec.obs_size
        ids = np.eye(spec.n_agents, dtype=np.float32)
        last = np.zeros((spec.n_agents, spec.n_actions), np.float32)
        row = np.concatenate([np.zeros((spec.n_agents, spec.obs_size), np.float32), last, ids], axis=1)  # (N, L)
        self._array = np.tile(row, (env.n_envs, 1, 1))  # (E, N, L)
        self._agents = np.ogrid[: env.n_envs, : spec.n_agents]
        self._last = self._array[:, :, spec.obs_size : spec.obs_size + spec.n_actions]  # (E, N, A), a view

    def view(self) -> Tensor:
        """The inputs now (E, N, L); overwritten by the next call."""
        self._array[:, :, : self._size] = self._env.obs
        return torch.from_numpy(self._array)

    def acted(self, actions: NDArray[np.int64]) -> None:
        """Remember the actions (E, N) as the last ones."""
        self._last[...] = 0.0
        self._last[*self._agents, actions] = 1.0

    def of(self, rows: Rows) -> Tensor:
        """The inputs of some environments now (k, N, L)."""
        self._array[rows, :, : self._size] = self._env.obs[rows]
        return torch.from_numpy(self._array[rows])

    def has_acted(self, row: int, actions: NDArray[np.int64]) -> None:
        """Remember the actions (N,) of one environment as its last ones."""
        self.has_begun(row)
        self._last[row, self._agents[1][0], actions] = 1.0

    def has_begun(self, row: int) -> None:
        """Forget the last actions of one environment."""
        self._last[row] = 0.0
