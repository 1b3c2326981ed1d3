"""The student: the teacher's trunk and head, frozen, with z predicted from local input; it cannot see the state."""

from torch import Tensor, nn

from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.recurrent_agent import ActionHead, Trunk, local_input_size
from ptde_core.nets.settings import NetworkSettings
from ptde_core.nets.student import StudentNetwork


class Student(nn.Module):
    """Decentralized execution (paper, Figure 5b): z' of the student network replaces z; nothing is sampled."""

    reads_state = False
    noise_size = 0

    def __init__(self, spec: EnvSpec, settings: NetworkSettings, student_hidden: int) -> None:
        super().__init__()
        size = local_input_size(spec.obs_size, spec.n_actions, spec.n_agents)
        self.trunk = Trunk(size, settings.hidden_size)
        self.head = ActionHead(settings.hidden_size, settings.info_size, spec.n_actions)
        self.network = StudentNetwork(size, student_hidden, settings.info_size)

    def step(
        self, local: Tensor, hidden: Tensor | None, state: Tensor | None, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """One step of play: action values (E, N, A) and the new hidden (E, N, H); see `Teacher.step`.

        `state` and `noise` belong to the policies' common signature and must be None.
        """
        assert state is None, "a student was shown the state"
        assert noise is None, "a student was given noise"
        hidden = self.trunk(local, hidden)  # (E, N, H)
        return self.head(hidden, self.network(local)), hidden
