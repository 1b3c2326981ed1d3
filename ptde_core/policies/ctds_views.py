"""CTDS's two teams of agents: each is shown both views of an environment, and reads one of them."""

from dataclasses import replace

import torch
from torch import Tensor

from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.two_views import View, columns_of, one_view
from ptde_core.nets.network_settings import NetworkSettings, TwoViewSettings
from ptde_core.policies.network_inputs import Views
from ptde_core.policies.teacher import Teacher, Unrolled


class OneViewAgents(Teacher):
    """Recurrent agents on one view of the two: the networks are as if the other view did not exist.

    `columns`: where that view stands in an observation. `Teacher.step` is a step on local inputs that hold it alone.
    """

    def __init__(self, spec: EnvSpec, settings: TwoViewSettings, view: View) -> None:
        without_z = NetworkSettings(global_info="none", hidden_size=settings.hidden_size)
        super().__init__(one_view(spec, view), without_z)
        self.columns, self._shown = columns_of(spec, view), spec.obs_size

    def unroll(self, views: Views, noise: Tensor | None) -> Unrolled:
        """Action values of every step of every episode; see `Teacher.unroll`. The views hold both."""
        return super().unroll(replace(views, local=self._own(views.local)), noise)

    def step(
        self, local: Tensor, hidden: Tensor | None, state: Tensor | None, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """One step of play; see `Teacher.step`. `local` (E, N, L) holds both views."""
        return super().step(self._own(local), hidden, state, noise)

    def _own(self, local: Tensor) -> Tensor:
        """Of local inputs (..., N, L) with both views those with its own."""
        return torch.cat([local[..., self.columns], local[..., self._shown :]], dim=-1)
