"""The student: the teacher's trunk and head, frozen, with z predicted from local input; it cannot see the state."""

from torch import Tensor, nn

from ptde_core.nets.student import StudentNetwork
from ptde_core.policies.teacher import Teacher


class Student(nn.Module):
    """Decentralized execution (paper, Figure 5b): z' of the student network replaces z; nothing is sampled."""

    reads_state = False
    noise_size = 0

    def __init__(self, teacher: Teacher, student_hidden: int) -> None:
        super().__init__()
        self.trunk, self.head = teacher.trunk, teacher.head
        self.network = StudentNetwork(teacher.local_size, student_hidden, teacher.noise_size)

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
