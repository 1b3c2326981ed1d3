"""VDN (Sunehag et al., 2017) and QMIX (Rashid et al., 2018) with PTDE's teacher: one loss, the mixer is the difference.

Paper, Algorithm 1 lines 5 to 10 and equations 4, 5: a batch of whole episodes, double Q-learning with TD(lambda)
targets from target networks, one Adam over everything. The loss is a mean over real steps, where equation 4 sums over
the batch: so that the batch size does not change the step size.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ptde_core.algorithms.settings import ValueDecompositionSettings
from ptde_core.base.batch import EpisodeBatch
from ptde_core.base.seeding import seed_for
from ptde_core.learning.losses import masked_mean
from ptde_core.learning.targets import td_lambda_targets
from ptde_core.policies.teacher import Teacher


class Team(nn.Module):
    """A teacher and the mixer that makes one value of its agents' values: all that is trained together."""

    def __init__(self, teacher: Teacher, mixer: nn.Module) -> None:
        super().__init__()
        self.teacher, self.mixer = teacher, mixer


def pick(values: Tensor, actions: Tensor) -> Tensor:
    """The values (..., N) of the chosen actions (..., N) among (..., N, A)."""
    return values.gather(-1, actions[..., None]).squeeze(dim=-1)


def td_loss(
    online: Team,
    target: Team,
    batch: EpisodeBatch,
    noise: tuple[Tensor, Tensor] | None,
    settings: ValueDecompositionSettings,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Mean squared TD(lambda) error over real steps (equations 4, 5), and what to log.

    Args:
        online: what learns.
        target: what the targets come from; no gradient flows into it.
        batch: B episodes padded to T steps.
        noise: two tensors (R, N, Z) of standard normals, a row per view seen, for z of the online and of the
            target networks; None where there is no z.
        settings: gamma and lambda.
    """
    own, other = noise if noise is not None else (None, None)
    unrolled = online.teacher.unroll(batch, own)
    values = unrolled.values  # (B, T+1, N, A)
    with torch.no_grad():
        best = values.masked_fill(~batch.available, -torch.inf).argmax(dim=-1)  # (B, T+1, N)
        future = target.teacher.unroll(batch, other).values  # (B, T+1, N, A)
        next_value = target.mixer(pick(future, best), batch.state)[:, 1:]  # (B, T)
        goal = td_lambda_targets(
            batch.reward, batch.terminated, batch.last, next_value, settings.gamma, settings.td_lambda
        )  # (B, T)
    taken = online.mixer(pick(values[:, :-1], batch.actions), batch.state[:, :-1])  # (B, T)
    error = taken - goal
    real = batch.real
    loss = masked_mean(error.square(), real)
    with torch.no_grad():
        log = {
            "td_loss": loss.detach(),
            "td_error_abs": masked_mean(error.abs(), real),
            "q_taken_mean": masked_mean(taken, real),
            "target_mean": masked_mean(goal, real),
        }
        if unrolled.sigma is not None:
            log["z_sigma_mean"] = unrolled.sigma.mean()
    return loss, log


class ValueDecompositionLearner:
    """Holds online and target networks and the optimiser; `learn` is one gradient step."""

    def __init__(self, team: Team, settings: ValueDecompositionSettings, seed: int) -> None:
        self.online, self.target = team, copy.deepcopy(team).requires_grad_(False)
        self.settings, self._seed = settings, seed
        self.optimiser = torch.optim.Adam(team.parameters(), lr=settings.learning_rate, fused=True)
        self.updates = 0

    @property
    def teacher(self) -> Teacher:
        """The policy being trained."""
        return self.online.teacher

    def learn(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """One gradient step on B episodes; the scalars to log (not yet read back)."""
        loss, log = td_loss(self.online, self.target, batch, self._noise(batch), self.settings)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        log["gradient_norm"] = nn.utils.clip_grad_norm_(self.online.parameters(), self.settings.gradient_clip)
        self.optimiser.step()
        self.updates += 1
        return log

    def copy_to_target(self) -> None:
        """Copy the online networks into the target networks (Algorithm 1, line 10)."""
        self.target.load_state_dict(self.online.state_dict())

    def _noise(self, batch: EpisodeBatch) -> tuple[Tensor, Tensor] | None:
        size = self.teacher.noise_size
        if size == 0:
            return None
        # The stream is a function of the update's number, so a resumed run draws what it would have drawn.
        chance = torch.Generator().manual_seed(seed_for(self._seed, "noise of z", self.updates) >> 1)
        shape = (int(batch.seen.sum()), batch.obs.shape[2], size)  # (R, N, Z)
        return torch.randn(shape, generator=chance), torch.randn(shape, generator=chance)

    def state(self) -> dict[str, Any]:
        """Everything that decides what the next updates do, as plain tensors and numbers."""
        return {
            "online": self.online.state_dict(),
            "target": self.target.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "updates": self.updates,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go back to a saved `state`."""
        self.online.load_state_dict(state["online"])
        self.target.load_state_dict(state["target"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.updates = int(state["updates"])
