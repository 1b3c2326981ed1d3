"""COPA's regulariser (Liu et al., ICML 2021): what a player is told should show in what it then does."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core.base.batch import EpisodeBatch
from ptde_core.learning.losses import gaussian_entropy, gaussian_log_density
from ptde_core.nets.coach_network import Recogniser
from ptde_core.nets.held_intervals import last_sent
from ptde_core.policies.network_inputs import Views
from ptde_core.policies.teacher import Unrolled


class InstructionRegulariser(nn.Module):
    """What is added to the loss, so that an instruction z can be recognised in what its player does while it holds.

        L = mean_{t,i} [-weight log q(z_i | segment of t) - entropy_weight H(z_i)]
        log q(z | segment) = sum over the segment's real steps of log q(z | local input, action)

    A segment is the steps from one look of the coach to the next. The mean is over real steps and agents, as in the TD
    loss. Where all segments have T steps, it is the mean over segments of the published code. E[log q] + H(z) is a
    lower bound of the mutual information of a segment and its z.

    Args:
        recogniser: q of one step.
        n_actions: A.
        every: T, env steps from one look of the coach to the next.
        weight, entropy_weight: of log q and of H.
    """

    def __init__(
        self, recogniser: Recogniser, n_actions: int, every: int, weight: float, entropy_weight: float
    ) -> None:
        super().__init__()
        self.recogniser, self.n_actions, self.every = recogniser, n_actions, every
        self.weight, self.entropy_weight = weight, entropy_weight

    def forward(self, batch: EpisodeBatch, views: Views, unrolled: Unrolled) -> tuple[Tensor, dict[str, Tensor]]:
        """What is added to the loss, and what to log."""
        assert unrolled.z is not None, "only instructions can be recognised"
        assert unrolled.sigma is not None, "only instructions can be recognised"
        played = batch.played
        local = views.local[played]  # (P, N, L)
        action = F.one_hot(batch.actions, self.n_actions).to(local.dtype)  # (P, N, A)
        of_steps = gaussian_log_density(unrolled.z[played], *self.recogniser(local, action))  # (P, N)
        log_q = of_segments(of_steps, last_sent(batch.length, self.every)).mean()
        entropy = gaussian_entropy(unrolled.sigma[played]).mean()
        log = {"z_log_q": log_q.detach(), "z_entropy": entropy.detach()}
        return -self.weight * log_q - self.entropy_weight * entropy, log


def of_segments(of_steps: Tensor, first: Tensor) -> Tensor:
    """For each step the sum over all steps of its segment: (P, N), as `of_steps`.

    Args:
        of_steps: (P, N).
        first: (P,) int64, the first step of each one's segment.
    """
    return torch.zeros_like(of_steps).index_add(0, first, of_steps)[first]
