"""All that was seen in a batch of episodes, as networks read it; built once per update."""

from dataclasses import dataclass

from torch import Tensor

from ptde_core import kernels
from ptde_core.base.batch import EpisodeBatch
from ptde_core.nets.recurrent_agent import local_input, local_input_size


@dataclass(frozen=True)
class Views:
    """R views, episode after episode: those of the real steps and the final one of each episode."""

    local: Tensor  # (R, N, L) local inputs
    state: Tensor  # (R, S)
    lengths: Tensor  # (B,) int64, views of each episode

    @classmethod
    def of(cls, batch: EpisodeBatch) -> "Views":
        """The views of a batch."""
        n_actions = batch.available.shape[-1]
        if kernels.can_take(batch.obs):
            rows, agents, size = batch.obs.shape
            local = batch.obs.new_empty(rows, agents, local_input_size(size, n_actions, agents))
            kernels.local_inputs(*(t.numpy() for t in (batch.obs, batch.actions, batch.length, local)))
        else:
            local = local_input(batch.obs, batch.last_actions, n_actions)
        return cls(local, batch.state, batch.views)
