"""CSRL's policy: agents guided by a commander whose view of the state is refreshed every `info_every` steps."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.commander_network import Commander
from ptde_core.nets.held_intervals import last_sent
from ptde_core.nets.network_settings import CommanderSettings
from ptde_core.nets.play_step import ActingAgent
from ptde_core.nets.recurrent_agent import ActionHead, Trunk, local_input_size
from ptde_core.policies.network_inputs import Views
from ptde_core.policies.teacher import Unrolled


class Orders(NamedTuple):
    """What is remembered from step to step."""

    hidden: Tensor  # (E, N, H)
    step: Tensor  # (E,) int64, env steps since the episode began
    state: Tensor  # (E, S), as it was at the last broadcast


class CommandedTeacher(nn.Module):
    """Trunk, commander and head. Between broadcasts the agent's own input is current and the state is not."""

    reads_state = True
    noise_size = 0

    def __init__(self, spec: EnvSpec, settings: CommanderSettings) -> None:
        super().__init__()
        size = local_input_size(spec.obs_size, spec.n_actions, spec.n_agents)
        self.n_actions, self.every = spec.n_actions, settings.info_every
        self.trunk = Trunk(size, settings.hidden_size)
        self.commander = Commander(size, spec.state_size, settings.hidden_size, settings.info_size)
        self.head = ActionHead(settings.hidden_size, settings.info_size, spec.n_actions)
        self.acting = ActingAgent()

    def unroll(self, views: Views, noise: Tensor | None) -> Unrolled:
        """Action values of every step of every episode; see `Teacher.unroll`. There is no noise."""
        assert noise is None, "a commander was given noise"
        z = self.commander(views.local, views.state[last_sent(views.lengths, self.every)])  # (R, N, Z)
        return Unrolled(self.head(self.trunk.unroll(views.local, views.lengths), z), None)

    def step(
        self, local: Tensor, memory: Orders | None, state: Tensor | None, noise: Tensor | None
    ) -> tuple[Tensor, Orders]:
        """One step of play: action values (E, N, A) and the new memory; see `Teacher.step`."""
        assert state is not None, "a commander was not shown the state"
        assert noise is None, "a commander was given noise"
        if memory is None:  # the environment writes the next state over this one
            step, told = torch.zeros(len(state), dtype=torch.int64, device=state.device), torch.clone(state)
        else:
            step = memory.step
            told = torch.where((step % self.every == 0)[:, None], state, memory.state)  # (E, S)
        z = self.commander(local, told)  # (E, N, Z)
        hidden = None if memory is None else memory.hidden
        values, hidden = self.acting(self.trunk, self.head, local, hidden, z)
        return values, Orders(hidden, step + 1, told)
