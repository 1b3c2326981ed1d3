"""What a policy is, how play explores around it, and the choice of actions from its values."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptde_core import kernels
from ptde_core.base.errors import PtdeError
from ptde_core.learning.finite import TRY

ZChoice = Literal["sampled", "mean"]
ActionChoice = Literal["greedy", "sampled"]


class Acted(NamedTuple):
    """What a policy makes of one step of E environments, or of T steps of one."""

    values: Tensor  # (E, N, A) action values, or logits of a policy over actions
    memory: Any  # goes into the next step; see `Policy.step`
    z: Tensor | None = None  # (E, N, Z) information that the head joined to the histories; None where it joins none


class Informed(NamedTuple):
    """The Gaussian of the agents' z that a policy makes from the state."""

    mean: Tensor  # (..., N, Z)
    sigma: Tensor | None  # (..., N, Z) standard deviation; None where z is not drawn but exact


class Policy(Protocol):
    """What can play: teachers and students."""

    @property
    def reads_state(self) -> bool:
        """Whether `step` is shown the global state; otherwise it gets None."""

    @property
    def noise_size(self) -> int:
        """Z: standard normals per agent and step that sampling takes; 0 where nothing is sampled."""

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> Acted:
        """One step of play in E environments.

        A row of the result does not depend, in any bit, on the other rows: environments are asked together or apart.

        Args:
            local: (E, N, L) local inputs: each agent's observation, last action and identity.
            memory: `Acted.memory` of the step before; None at an episode's first step. A tensor (E, ...), or a named
                tuple of such tensors.
            state: (E, S) the global state; None where `reads_state` is False.
            noise: (E, N, Z) standard normals to sample z with; None for the mean of z.
        """


class DevicePolicy:
    """A policy whose networks are on a device, for play, which is on the CPU."""

    def __init__(self, policy: Policy, device: torch.device) -> None:
        self._policy, self._device = policy, device
        self.reads_state, self.noise_size = policy.reads_state, policy.noise_size

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> Acted:
        """As `Policy.step`; memory and z stay on the device."""
        moved = [None if tensor is None else tensor.to(self._device) for tensor in (state, noise)]
        acted = self._policy.step(local.to(self._device), memory, *moved)
        return acted._replace(values=acted.values.cpu())


class TimedPolicy:
    """A policy that counts its calls and the wall time spent in them, without the first: that one loads its kernels."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.seconds, self.calls = 0.0, 0
        self._loaded = False

    @property
    def reads_state(self) -> bool:
        """As the policy's."""
        return self._policy.reads_state

    @property
    def noise_size(self) -> int:
        """As the policy's."""
        return self._policy.noise_size

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> Acted:
        """As `Policy.step`."""
        if self.calls and not self._loaded:  # where there is but one call, it counts
            self.seconds, self.calls, self._loaded = 0.0, 0, True
        began = time.perf_counter()
        acted = self._policy.step(local, memory, state, noise)
        self.seconds += time.perf_counter() - began
        self.calls += 1
        return acted


@dataclass(frozen=True)
class Exploration:
    """How play explores. An epsilon for each environment stands in a tuple."""

    epsilon: float | tuple[float, ...] = 0.0  # chance of a uniformly random available action, per agent and step
    z: ZChoice = "sampled"
    actions: ActionChoice = "greedy"  # the best available one, or one drawn from the softmax of the available ones
    keep_noise: bool = False  # keep in the episodes the standard normals that z was sampled with


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
