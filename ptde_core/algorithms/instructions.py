"""COPA's regulariser (Liu et al., ICML 2021): what a player is told should show in what it then does."""

from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core.base.batch import EpisodeBatch
from ptde_core.learning.losses import gaussian_entropy, gaussian_log_density
from ptde_core.nets.coach import Recogniser
from ptde_core.policies.teacher import Unrolled
from ptde_core.policies.views import Views


class InstructionRegulariser(nn.Module):
    """-weight log q(z | segment) - entropy_weight H(z), a lower bound on what the agents' steps tell of their z.

    log q is a sum over the segment's steps, each seen through the agent's local input and action. Like the TD loss both
    are averaged over real steps (and agents), H as that of the instruction held.
    """

    def __init__(self, recogniser: Recogniser, n_actions: int, weight: float, entropy_weight: float) -> None:
        super().__init__()
        self.recogniser, self.n_actions = recogniser, n_actions
        self.weight, self.entropy_weight = weight, entropy_weight

    def forward(self, batch: EpisodeBatch, views: Views, unrolled: Unrolled) -> tuple[Tensor, dict[str, Tensor]]:
        """What is added to the loss, and what to log."""
        assert unrolled.z is not None, "only instructions can be recognised"
        assert unrolled.sigma is not None, "only instructions can be recognised"
        played = batch.played
        local = views.local[played]  # (P, N, L)
        action = F.one_hot(batch.actions, self.n_actions).to(local.dtype)  # (P, N, A)
        log_q = gaussian_log_density(unrolled.z[played], *self.recogniser(local, action)).mean()
        entropy = gaussian_entropy(unrolled.sigma[played]).mean()
        log = {"z_log_q": log_q.detach(), "z_entropy": entropy.detach()}
        return -self.weight * log_q - self.entropy_weight * entropy, log
