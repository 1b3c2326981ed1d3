"""The teacher: recurrent agents whose action values also depend on global information z (paper, Figures 1 to 3).

With `global_info = "none"` it is the plain decentralized agent of the base algorithm (QMIX, VDN).
"""

from typing import NamedTuple

from torch import Tensor, nn

from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.global_information import AgentSpecificInformation, UnifiedInformation
from ptde_core.nets.light_information import LightInformation
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.nets.play_step import ActingAgent, ActingInformation, StepWeights
from ptde_core.nets.recurrent_agent import ActionHead, Trunk
from ptde_core.policies.network_inputs import Views, local_input_size, local_one_hot
from ptde_core.policies.policy import Acted, Informed


class Unrolled(NamedTuple):
    """What a teacher makes of whole episodes: a row for each of their R views."""

    values: Tensor  # (R, N, A) action values, or logits
    sigma: Tensor | None  # (R, N, Z) standard deviation of z; None where z has none
    z: Tensor | None = None  # (R, N, Z) set by COPA alone, whose regulariser reads it


class Teacher(nn.Module):
    """Trunk, global information and head. Without `noise` it takes the mean of z, with noise a sample.

    Args:
        spec: what the networks must fit.
        settings: sizes of the networks, and which global information.
        trunk, head: classes of networks to use, with the shapes of the default ones.
    """

    def __init__(
        self,
        spec: EnvSpec,
        settings: NetworkSettings,
        trunk: type[Trunk] = Trunk,
        head: type[ActionHead] = ActionHead,
    ) -> None:
        super().__init__()
        size = self.local_size = local_input_size(spec.obs_size, spec.n_actions, spec.n_agents)
        self.n_actions = spec.n_actions
        self.reads_state = settings.global_info != "none"
        self.noise_size = settings.info_size if self.reads_state else 0
        self.trunk = trunk(size, settings.hidden_size, local_one_hot(spec.n_actions, spec.n_agents))
        self.information = _information(spec, size, settings)
        self.head = head(settings.hidden_size, self.noise_size, spec.n_actions)
        self.acting, self._informing = ActingAgent(), ActingInformation()

    def unroll(self, views: Views, noise: Tensor | None) -> Unrolled:
        """Action values of every step of every episode.

        Args:
            views: of whole episodes.
            noise: (R, N, Z) standard normals for z, or None for its mean.
        """
        return Unrolled(*self.unroll_rows(views.local, views.state, views.lengths, noise=noise))

    def unroll_rows(
        self, local: Tensor, state: Tensor, lengths: Tensor, *, noise: Tensor | None, start: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Action values (R, N, A) of sequences laid end to end, and sigma (R, N, Z) of z or None.

        Args:
            local: (R, N, L) local inputs.
            state: (R, S).
            lengths: (C,) int64 on the CPU, of the sequences.
            noise: (R, N, Z) standard normals, or None for the mean of z.
            start: (C, N, H) hidden states that the sequences begin with; zeros by default.
        """
        z = sigma = None
        if self.information is not None:
            if noise is None:
                z, sigma = self.information(local, state)  # (R, N, Z)
            else:
                z, sigma = self.information.sampled(local, state, noise)
        values: Tensor = self.head(self.trunk.unroll(local, lengths, start), z)
        return values, sigma

    def inform(self, local: Tensor, state: Tensor) -> Informed | None:
        """Mean and standard deviation of z: the teacher knowledge of equation 1, which students learn.

        Args:
            local: (..., N, L) local inputs.
            state: (..., S).

        Returns:
            Each (..., N, Z); None of a teacher without global information.
        """
        return None if self.information is None else Informed(*self.information(local, state))

    def step(self, local: Tensor, memory: Tensor | None, state: Tensor | None, noise: Tensor | None) -> Acted:
        """One step of play; see `Policy.step`. The memory is the hidden state (E, N, H) of the trunk."""
        assert local.shape[-1] == self.local_size, "a policy of other views than these"  # a kernel would read past them
        z = None if state is None else self._informing(self.information, local, state, noise)  # (E, N, Z)
        values, hidden = self.acting(self.trunk, self.head, local, memory, z)
        return Acted(values, hidden, z)

    def step_weights(self) -> StepWeights | None:
        """What the kernels take that a step of play goes through; None where it goes layer by layer."""
        agent = self.acting.weights(self.trunk, self.head)
        information = None if self.information is None else self._informing.weights(self.information)
        if agent is None or (information is None and self.reads_state):
            return None
        return StepWeights(agent, information)


def _information(
    spec: EnvSpec, input_size: int, settings: NetworkSettings
) -> AgentSpecificInformation | LightInformation | UnifiedInformation | None:
    if settings.global_info == "none":
        return None
    if settings.global_info == "unified":
        return UnifiedInformation(spec.state_size, settings.info_size, settings.variance_floor, spec.state_one_hot)
    sizes = input_size, spec.state_size, settings.hidden_size, settings.info_size, settings.variance_floor
    one_hot = local_one_hot(spec.n_actions, spec.n_agents), spec.state_one_hot
    if settings.info_rank:
        return LightInformation(*sizes, settings.info_rank, one_hot)
    return AgentSpecificInformation(*sizes, one_hot)
