"""What an agent's network reads: its local input (observation, last action, identity), for batches and during play."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.envs.interface import EnvSpec

Rows = slice | list[int] | NDArray[np.intp]  # which of the E environments; a slice is not copied


def local_input_size(obs_size: int, n_actions: int, n_agents: int) -> int:
    """L = O + A + N: size of an agent's local input (observation, last action one-hot, identity one-hot)."""
    return obs_size + local_one_hot(n_actions, n_agents)


def local_one_hot(n_actions: int, n_agents: int) -> int:
    """A + N: how many numbers at the end of an agent's local input are one-hots."""
    return n_actions + n_agents


def local_input(obs: Tensor, last_actions: Tensor, n_actions: int) -> Tensor:
    """The agents' local inputs (o_i, u_i of the step before, i), equation 2 of the paper.

    Args:
        obs: (..., N, O) float.
        last_actions: (..., N) int64, -1 where there is none yet (all-zero one-hot).
        n_actions: A.

    Returns:
        (..., N, L) with L = O + A + N.
    """
    n_agents, size = obs.shape[-2:]
    local = obs.new_zeros(*obs.shape[:-1], local_input_size(size, n_actions, n_agents))  # (..., N, L)
    # An action -1 marks the last number of the observation, which is written afterwards.
    local.scatter_(-1, (last_actions + size)[..., None], 1.0)
    local[..., :size] = obs
    local[..., size + n_actions :] = torch.eye(n_agents, dtype=obs.dtype, device=obs.device)
    return local


def local_inputs_of(episode: Episode) -> Tensor:
    """The agents' local inputs (T, N, L) at the steps of an episode."""
    batch = EpisodeBatch.of([episode])
    return local_input(batch.obs, batch.last_actions, batch.available.shape[-1])[:-1]


@dataclass(frozen=True)
class Views:
    """R views, episode after episode: those of the real steps and the final one of each episode."""

    local: Tensor  # (R, N, L) local inputs
    state: Tensor  # (R, S)
    lengths: Tensor  # (B,) int64, views of each episode

    @classmethod
    def of(cls, batch: EpisodeBatch) -> "Views":
        """The views of a batch."""
        local = local_input(batch.obs, batch.last_actions, batch.available.shape[-1])
        return cls(local, batch.state, batch.views)


class LocalInputs:
    """The local inputs of E environments during play, in one array in which only what changes is written.

    It holds what `local_input` makes of the same observations and last actions.

    Args:
        spec: of the environments.
        n_envs: E.
    """

    def __init__(self, spec: EnvSpec, n_envs: int) -> None:
        n, size = spec.n_agents, spec.obs_size
        self._size = size
        self._array = np.zeros((n_envs, n, local_input_size(size, spec.n_actions, n)), np.float32)  # (E, N, L)
        self._array[:, :, size + spec.n_actions :] = np.eye(n, dtype=np.float32)
        self._last = self._array[:, :, size : size + spec.n_actions]  # (E, N, A), a view
        self._rows, self._agents = np.arange(n_envs)[:, None], np.arange(n)  # (E, 1), (N,)

    def of(self, rows: Rows, obs: NDArray[np.floating[Any]]) -> Tensor:
        """The local inputs (k, N, L) of some environments. Those of a slice are overwritten by the next call.

        Args:
            rows: k of the E environments.
            obs: (E, N, O), of all.
        """
        self._array[rows, :, : self._size] = obs[rows]
        return torch.from_numpy(self._array[rows])

    def acted(self, rows: Rows, actions: NDArray[np.int64]) -> None:
        """Remember the actions (k, N) of some environments as their last ones."""
        self._last[rows] = 0.0
        self._last[self._rows[rows], self._agents, actions] = 1.0

    def begin(self, row: int) -> None:
        """An episode begins in that environment: it has no last actions."""
        self._last[row] = 0.0
