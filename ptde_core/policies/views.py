"""All that was seen in a batch of episodes, without padding, as networks read it; built once per update."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from ptde_core.base import kernels
from ptde_core.base.batch import EpisodeBatch
from ptde_core.nets.recurrent_agent import local_input, local_input_size


@dataclass(frozen=True)
class Views:
    """R views, episode after episode: those of the real steps and the final one of each episode."""

    local: Tensor  # (R, N, L) local inputs
    state: Tensor  # (R, S)
    lengths: Tensor  # (B,) int64, views of each episode
    seen: Tensor  # (B, T+1) bool, where they stand in the padded batch
    played: Tensor  # (R,) bool, those that an action followed: all but the final ones

    @classmethod
    def of(cls, batch: EpisodeBatch) -> "Views":
        """The views of B episodes padded to T steps."""
        seen = batch.seen
        n_actions = batch.available.shape[-1]
        if kernels.can_take(batch.obs):
            rows, agents = int(batch.length.sum()) + len(batch.length), batch.obs.shape[2]
            size = local_input_size(batch.obs.shape[-1], n_actions, agents)
            local = batch.obs.new_empty(rows, agents, size)  # (R, N, L)
            kernels.local_inputs(*(t.numpy() for t in (batch.obs, batch.actions, batch.length, local)))
        else:
            local = local_input(batch.obs[seen], batch.last_actions[seen], n_actions)  # (R, N, L)
        return cls(local, batch.state[seen], batch.length + 1, seen, F.pad(batch.real, (0, 1))[seen])

    def padded(self, values: Tensor) -> Tensor:
        """Values (R, ...) of the views laid out as (B, T+1, ...), zero where nothing was seen."""
        shape = (*self.seen.shape, *values.shape[1:])
        mask = self.seen.view(*self.seen.shape, *(1 for _ in values.shape[1:]))
        return values.new_zeros(shape).masked_scatter(mask, values)
