"""COPA's policy: players who hold a coach's instruction z from one look of the coach to the next."""

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
from ptde_core.nets.recurrent_agent import ActionHead, Trunk, local_input_size
from ptde_core.policies.network_inputs import Views
from ptde_core.policies.teacher import Unrolled


class Instructions(NamedTuple):
    """What is remembered from step to step."""

    hidden: Tensor  # (E, N, H)
    step: Tensor  # (E,) int64, env steps since the episode began
    mean: Tensor  # (E, N, Z) of the last instruction that each player was sent
    z: Tensor  # (E, N, Z) that instruction


class CoachedTeacher(nn.Module):
    """Trunk, coach and head.

    `threshold` is of play alone, and 0 unless it is set: then every look of the coach sends every player a new z.
    Above 0 a player is sent one only when its mean has moved further than that (Euclidean) from the last one sent.
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
        """Action values of every step of every episode; see `Teacher.unroll`. Of the noise, what was sent is used."""
        sent = last_sent(views.lengths, self.every)  # (R,)
        looks, look = torch.unique(sent, return_inverse=True)  # (K,) rows; (R,) one's place
        mean, sigma = self.coach(views.state[looks])  # (K, N, Z)
        z = sample(mean, sigma, None if noise is None else noise[looks])[look]  # (R, N, Z)
        values = self.head(self.trunk.unroll(views.local, views.lengths), z)  # (R, N, A)
        return Unrolled(values, sigma[look], z)

    def step(
        self, local: Tensor, memory: Instructions | None, state: Tensor | None, noise: Tensor | None
    ) -> tuple[Tensor, Instructions]:
        """One step of play: action values (E, N, A) and the new memory; see `Teacher.step`."""
        assert state is not None, "a coach was not shown the state"
        if memory is None:
            mean, sigma = self.coach(state)  # (E, N, Z)
            z, step = sample(mean, sigma, noise), torch.zeros(len(state), dtype=torch.int64, device=state.device)
        else:
            mean, z, step = memory.mean, memory.z, memory.step
            looks = step % self.every == 0  # (E,)
            if kernels.traced() or looks.any():  # a record has no branches
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
        return values, Instructions(hidden, step + 1, mean, z)

    def _moved(self, mean: Tensor, last: Tensor) -> Tensor:
        """Whether each player's mean (..., N, Z) is far enough from the last one sent: (..., N) bool."""
        moved: Tensor = torch.linalg.vector_norm(mean - last, dim=-1) > self.threshold
        return moved

    @torch.no_grad()
    def messages(self, episode: Episode) -> tuple[int, int]:
        """How many instructions were sent to players in an episode it played, and how many could have been."""
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
