"""CSRL's policy: agents guided by a commander that is shown the state every `info_every` steps."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.commander_network import Commander
from ptde_core.nets.held_intervals import last_sent
from ptde_core.nets.network_settings import CommanderSettings
from ptde_core.nets.play_step import ActingAgent
from ptde_core.nets.recurrent_agent import ActionHead, Trunk
from ptde_core.policies.network_inputs import Views, local_input_size
from ptde_core.policies.policy import Acted, Informed
from ptde_core.policies.teacher import Unrolled


class Orders(NamedTuple):
    """The memory that goes from step to step."""

    hidden: Tensor  # (E, N, H) hidden state of the trunk
    step: Tensor  # (E,) int64, env steps since the episode began
    state: Tensor  # (E, S) that the commander was shown last


class CommandedTeacher(nn.Module):
    """Trunk, commander and head. The commander reads each step's local inputs, and the state that it was shown last."""

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
        """Action values of every step of every episode; see `Teacher.unroll`. `noise` must be None."""
        assert noise is None, "a commander was given noise"
        z = self.commander(views.local, views.state[last_sent(views.lengths, self.every)])  # (R, N, Z)
        return Unrolled(self.head(self.trunk.unroll(views.local, views.lengths), z), None)

    def inform(self, local: Tensor, state: Tensor) -> Informed:
        """The z (..., N, Z) that agents would get if the commander was shown these states; it has no deviation.

        Args:
            local: (..., N, L) local inputs.
            state: (..., S).
        """
        return Informed(self.commander(local, state), None)

    def step(self, local: Tensor, memory: Orders | None, state: Tensor | None, noise: Tensor | None) -> Acted:
        """One step of play; see `Policy.step`. `noise` must be None."""
        assert state is not None, "a commander was not shown the state"
        assert noise is None, "a commander was given noise"
        if memory is None:
            step = torch.zeros(len(state), dtype=torch.int64, device=state.device)
            shown = torch.clone(state)  # the environment writes the next state into the same array
        else:
            step = memory.step
            shown = torch.where((step % self.every == 0)[:, None], state, memory.state)  # (E, S)
        z = self.commander(local, shown)  # (E, N, Z)
        hidden = None if memory is None else memory.hidden
        values, hidden = self.acting(self.trunk, self.head, local, hidden, z)
        return Acted(values, Orders(hidden, step + 1, shown), z)
