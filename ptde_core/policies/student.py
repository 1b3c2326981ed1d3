"""The student: the teacher's trunk and head, frozen, with z predicted from local input; it cannot see the state."""

from torch import Tensor, nn

from ptde_core.nets.network_settings import StudentSettings
from ptde_core.nets.play_step import ActingAgent
from ptde_core.nets.student_network import STUDENTS, joined
from ptde_core.policies.teacher import Teacher


class Student(nn.Module):
    """Decentralized execution (paper, Figure 5b): z' of the student network replaces z; nothing is sampled."""

    reads_state = False
    noise_size = 0

    def __init__(self, teacher: Teacher, settings: StudentSettings) -> None:
        super().__init__()
        self.trunk, self.head = teacher.trunk, teacher.head
        self.acting = ActingAgent()
        self.network = STUDENTS[settings.student](teacher.local_size, settings.hidden_size, teacher.noise_size)

    def step(
        self, local: Tensor, hidden: Tensor | None, state: Tensor | None, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """One step of play: action values (E, N, A) and the new hidden; see `Teacher.step`.

        The hidden (E, N, H+M) holds the trunk's and, of a student with history, the student network's memory.
        `state` and `noise` belong to the policies' common signature and must be None.
        """
        assert state is None, "a student was shown the state"
        assert noise is None, "a student was given noise"
        history = memory = None
        if hidden is not None:
            history, memory = hidden.tensor_split([self.trunk.hidden_size], dim=-1)
        z, memory = self.network(local, memory)  # (E, N, Z), (E, N, M)
        values, history = self.acting(self.trunk, self.head, local, history, z)
        return values, joined(history, memory)
