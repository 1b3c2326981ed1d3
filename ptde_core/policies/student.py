"""The student: the teacher's trunk and head, frozen, with z predicted from local input; it cannot see the state."""

from torch import Tensor, nn

from ptde_core.nets.network_settings import StudentSettings
from ptde_core.nets.play_step import ActingAgent
from ptde_core.nets.student_network import STUDENTS, joined
from ptde_core.policies.policy import Acted, Informed
from ptde_core.policies.teacher import Teacher


class Student(nn.Module):
    """Decentralized execution (paper, Figure 5b): the student network's z' replaces z; nothing is sampled."""

    reads_state = False
    noise_size = 0

    def __init__(self, teacher: Teacher, settings: StudentSettings) -> None:
        super().__init__()
        self.trunk, self.head = teacher.trunk, teacher.head
        self.acting = ActingAgent()
        self.network = STUDENTS[settings.student](teacher.local_size, settings.hidden_size, teacher.noise_size)

    def inform(self, local: Tensor, state: Tensor) -> Informed | None:  # noqa: ARG002  the policies share one signature
        """None: a student is told nothing of the state."""
        return None

    def step(self, local: Tensor, memory: Tensor | None, state: Tensor | None, noise: Tensor | None) -> Acted:
        """One step of play; see `Policy.step`. `state` and `noise` must be None.

        The memory (E, N, H+M) holds the hidden state of the trunk and, of a recurrent student network, its own M
        numbers.
        """
        assert state is None, "a student was shown the state"
        assert noise is None, "a student was given noise"
        hidden = own = None
        if memory is not None:
            hidden, own = memory.tensor_split([self.trunk.hidden_size], dim=-1)  # (E, N, H), (E, N, M)
        z, own = self.network(local, own)  # (E, N, Z), (E, N, M)
        values, hidden = self.acting(self.trunk, self.head, local, hidden, z)
        return Acted(values, joined(hidden, own), z)
