"""The student networks: the agent's local input alone -> the information its teacher would have given (equation 2).

Both are used in two ways that agree (tested): step by step in play, with a memory that is handed back in, and over
whole episodes in fitting.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ptde_core.nets.layers import Linear, TwoLayers
from ptde_core.nets.network_settings import StudentKind
from ptde_core.nets.recurrent_agent import Trunk


class StudentNetwork(nn.Module):
    """Two fully connected layers, the paper's student: z' = Linear(ReLU(Linear(o)))."""

    memory_size = 0

    def __init__(self, input_size: int, hidden_size: int, info_size: int) -> None:
        super().__init__()
        self.layers = TwoLayers(input_size, hidden_size, info_size)

    def forward(self, local: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Predicted information (..., Z) from local inputs (..., L), and a memory (..., 0) of nothing."""
        z: Tensor = self.layers(local)  # (..., Z)
        return z, local[..., :0] if memory is None else memory

    def unroll(self, local: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002  the students share one signature
        """Predicted information (R, N, Z) of local inputs (R, N, L), each by itself."""
        z: Tensor = self.layers(local)  # (R, N, Z)
        return z


class RecurrentStudentNetwork(nn.Module):
    """z' = Linear(GRU(ReLU(Linear(o)))): what the agent has seen since the episode began, not only what it sees now."""

    def __init__(self, input_size: int, hidden_size: int, info_size: int) -> None:
        super().__init__()
        self.memory_size = hidden_size
        self.history = Trunk(input_size, hidden_size)
        self.information = Linear(hidden_size, info_size)

    def forward(self, local: Tensor, memory: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One step: predicted information (E, N, Z) and the memory after it (E, N, H), zeros before the first."""
        memory = self.history(local, memory)  # (E, N, H)
        return self.information(memory), memory

    def unroll(self, local: Tensor, lengths: Tensor) -> Tensor:
        """Predicted information (R, N, Z) over whole episodes; see `Trunk.unroll`."""
        z: Tensor = self.information(self.history.unroll(local, lengths))  # (R, N, Z)
        return z


AnyStudentNetwork = StudentNetwork | RecurrentStudentNetwork
STUDENTS: Mapping[StudentKind, Callable[[int, int, int], AnyStudentNetwork]] = {
    "two-layer": StudentNetwork,
    "recurrent": RecurrentStudentNetwork,
}


def joined(history: Tensor, memory: Tensor) -> Tensor:
    """The trunk's hidden (E, N, H) and a student network's memory (E, N, M) as one (E, N, H+M), for play to carry."""
    return history if memory.shape[-1] == 0 else torch.cat([history, memory], dim=-1)
