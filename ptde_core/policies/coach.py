"""COPA's policy: every `info_every` steps a coach reads the state and sends each player an instruction z."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ptde_core import kernels
from ptde_core.base.batch import Episode
from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.coach_network import Coach, unit_rows
from ptde_core.nets.global_information import sample
from ptde_core.nets.held_intervals import last_sent
from ptde_core.nets.network_settings import CoachSettings
from ptde_core.nets.play_step import ActingAgent
from ptde_core.nets.recurrent_agent import ActionHead, Trunk
from ptde_core.policies.network_inputs import Views, local_input_size
from ptde_core.policies.policy import Acted, Informed
from ptde_core.policies.teacher import Unrolled


class Instructions(NamedTuple):
    """The memory that goes from step to step."""

    hidden: Tensor  # (E, N, H) hidden state of the trunk
    step: Tensor  # (E,) int64, env steps since the episode began
    mean: Tensor  # (E, N, Z) mean of the last instruction that each player was sent
    z: Tensor  # (E, N, Z) the instruction itself


class CoachedTeacher(nn.Module):
    """Trunk, coach and head.

    The coach reads the state at the steps 0, `every`, 2 * `every`, ... of an episode; in between players keep their z.
    `threshold` matters in play only. At 0, the default, the coach sends every player a new z each time. Above 0 it
    sends one only to players whose new mean is further away than `threshold` (Euclidean) from the last one they were
    sent.
    """

    reads_state = True

    def __init__(self, spec: EnvSpec, settings: CoachSettings) -> None:
        super().__init__()
        size = self.local_size = local_input_size(spec.obs_size, spec.n_actions, spec.n_agents)
        self.n_actions, self.every, self.noise_size = spec.n_actions, settings.info_every, settings.info_size
        self.threshold = 0.0
        rows = unit_rows(spec.state_names, spec.n_agents)
        self.trunk = Trunk(size, settings.hidden_size)
        self.coach = Coach(rows, settings.coach_size, settings.coach_heads, settings.info_size)
        self.head = ActionHead(settings.hidden_size, settings.info_size, spec.n_actions)
        self.acting = ActingAgent()

    def unroll(self, views: Views, noise: Tensor | None) -> Unrolled:
        """Action values of every step of every episode; see `Teacher.unroll`. Noise counts where the coach looks."""
        sent = last_sent(views.lengths, self.every)  # (R,) the row in which each row's z was sent
        looks, look = torch.unique(sent, return_inverse=True)  # (K,) rows in which the coach looks; (R,) which of them
        mean, sigma = self.coach(views.state[looks])  # (K, N, Z)
        z = sample(mean, sigma, None if noise is None else noise[looks])[look]  # (R, N, Z)
        values = self.head(self.trunk.unroll(views.local, views.lengths), z)  # (R, N, A)
        return Unrolled(values, sigma[look], z)

    def inform(self, local: Tensor, state: Tensor) -> Informed:  # noqa: ARG002  the policies share one signature
        """Mean and standard deviation (..., N, Z) of the z that the coach would send if it looked at these states.

        Args:
            local: (..., N, L) local inputs, which the coach does not read.
            state: (..., S).
        """
        return Informed(*self.coach(state))

    def step(self, local: Tensor, memory: Instructions | None, state: Tensor | None, noise: Tensor | None) -> Acted:
        """One step of play; see `Policy.step`."""
        assert state is not None, "a coach was not shown the state"
        if memory is None:
            mean, sigma = self.coach(state)  # (E, N, Z)
            z, step = sample(mean, sigma, noise), torch.zeros(len(state), dtype=torch.int64, device=state.device)
        else:
            mean, z, step = memory.mean, memory.z, memory.step
            looks = step % self.every == 0  # (E,)
            if kernels.traced() or looks.any():  # a traced graph has no branches
                mean, sigma = self.coach(state)
                sent = looks[:, None].expand(mean.shape[:2])  # (E, N)
                if self.threshold > 0:
                    sent = sent & self._moved(mean, memory.mean)
                mean, z = (
                    torch.where(sent[..., None], new, old)
                    for new, old in ((mean, memory.mean), (sample(mean, sigma, noise), memory.z))
                )
        hidden = None if memory is None else memory.hidden
        values, hidden = self.acting(self.trunk, self.head, local, hidden, z)
        return Acted(values, Instructions(hidden, step + 1, mean, z), z)

    def _moved(self, mean: Tensor, last: Tensor) -> Tensor:
        """(..., N) bool: which players' means (..., N, Z) are further than `threshold` from the last ones sent."""
        moved: Tensor = torch.linalg.vector_norm(mean - last, dim=-1) > self.threshold
        return moved

    @torch.no_grad()
    def messages(self, episode: Episode) -> tuple[int, int]:
        """How many instructions the coach sent in an episode that it played, and how many with `threshold` 0."""
        looks = torch.from_numpy(episode.state[: episode.length : self.every]).to(self.head.values.weight)  # (K, S)
        means, _ = self.coach(looks)  # (K, N, Z)
        offered = means.shape[0] * means.shape[1]
        if self.threshold == 0:
            return offered, offered
        last, count = means[0], means.shape[1]
        for mean in means[1:]:
            sent = self._moved(mean, last)  # (N,)
            last = torch.where(sent[:, None], mean, last)
            count += int(sent.sum())
        return count, offered
