"""CTDS's teacher and student: the environment gives both views, and each policy reads its own of the two."""

from dataclasses import replace

import torch
from torch import Tensor

from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.two_views import View, columns_of, one_view
from ptde_core.nets.network_settings import NetworkSettings, TwoViewSettings
from ptde_core.policies.network_inputs import Views
from ptde_core.policies.policy import Acted
from ptde_core.policies.teacher import Teacher, Unrolled


class OneViewAgents(Teacher):
    """Recurrent agents without global information that read one of two views.

    `columns`: where their view stands in an observation (O,) that holds both.
    """

    def __init__(self, spec: EnvSpec, settings: TwoViewSettings, view: View) -> None:
        without_z = NetworkSettings(global_info="none", hidden_size=settings.hidden_size)
        super().__init__(one_view(spec, view), without_z)
        self.columns, self._both_size = columns_of(spec, view), spec.obs_size

    def unroll(self, views: Views, noise: Tensor | None) -> Unrolled:
        """Action values of every step of every episode; see `Teacher.unroll`. `views.local` holds both views."""
        return super().unroll(replace(views, local=self._own_view(views.local)), noise)

    def step(self, local: Tensor, memory: Tensor | None, state: Tensor | None, noise: Tensor | None) -> Acted:
        """One step of play; see `Policy.step`. `local` (E, N, L) holds both views."""
        return self.step_on_own_view(self._own_view(local), memory, state, noise)

    def step_on_own_view(
        self, local: Tensor, memory: Tensor | None, state: Tensor | None, noise: Tensor | None
    ) -> Acted:
        """The same on local inputs (E, N, L) that hold the policy's own view alone."""
        return super().step(local, memory, state, noise)

    def _own_view(self, local: Tensor) -> Tensor:
        """Local inputs with the policy's own view alone, from local inputs (..., N, L) with both."""
        return torch.cat([local[..., self.columns], local[..., self._both_size :]], dim=-1)
