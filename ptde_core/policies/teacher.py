"""The teacher: recurrent agents whose action values also depend on global information z (paper, Figures 1 to 3).

With `global_info = "none"` it is the plain decentralized agent of the base algorithm (QMIX, VDN).
"""

from typing import NamedTuple

from torch import Tensor, nn

from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.global_information import AgentSpecificInformation, UnifiedInformation
from ptde_core.nets.light_information import LightInformation
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.nets.play_step import ActingAgent, ActingInformation
from ptde_core.nets.recurrent_agent import ActionHead, Trunk, local_input_size, local_one_hot
from ptde_core.policies.network_inputs import Views


class Unrolled(NamedTuple):
    """A teacher over whole episodes: a row for each of the R views that were seen."""

    values: Tensor  # (R, N, A)
    sigma: Tensor | None  # (R, N, Z)
    z: Tensor | None = None  # (R, N, Z), COPA's instructions; of the others nobody asks


class Teacher(nn.Module):
    """Trunk, global information and head; as a policy it plays with z sampled, or with its mean if `noise` is None.

    Args:
        spec: what the networks must fit.
        settings: their sizes, and which global information.
        trunk, head: networks of these shapes that are built otherwise inside.
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
        """Action values (R, N, A) of sequences laid end to end, and the deviation (R, N, Z) of z where there is one.

        Args:
            local: (R, N, L) local inputs.
            state: (R, S).
            lengths: (C,) int64 on the CPU, of the sequences.
            noise: (R, N, Z) standard normals, or None for the mean of z.
            start: (C, N, H) the hiddens that the sequences begin with; zeros by default.
        """
        z = sigma = None
        if self.information is not None:
            if noise is None:
                z, sigma = self.information(local, state)  # (R, N, Z)
            else:
                z, sigma = self.information.sampled(local, state, noise)
        values: Tensor = self.head(self.trunk.unroll(local, lengths, start), z)
        return values, sigma

    def inform(self, local: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of z (..., N, Z): the teacher knowledge of equation 1, what students learn from.

        Args:
            local: (..., N, L) local inputs.
            state: (..., S).
        """
        assert self.information is not None, "a teacher without global information has no z"
        mean, sigma = self.information(local, state)
        return mean, sigma

    def step(
        self, local: Tensor, hidden: Tensor | None, state: Tensor | None, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """One step of play: action values (E, N, A) and the new hidden (E, N, H).

        Args:
            local: (E, N, L) local inputs.
            hidden: (E, N, H), None at the first step.
            state: (E, S); None where `reads_state` is False.
            noise: (E, N, Z) standard normals, or None for the mean of z.
        """
        z = None if state is None else self._informing(self.information, local, state, noise)  # (E, N, Z)
        return self.acting(self.trunk, self.head, local, hidden, z)  # type: ignore[no-any-return]  # nn.Module calls are untyped


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
