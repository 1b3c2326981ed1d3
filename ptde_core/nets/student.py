"""The student network: the agent's local input alone -> the information its teacher would have given (equation 2)."""

from torch import Tensor, nn


class StudentNetwork(nn.Module):
    """Two fully connected layers, the paper's student: z' = Linear(ReLU(Linear(o)))."""

    def __init__(self, input_size: int, hidden_size: int, info_size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(input_size, hidden_size), nn.ReLU(), nn.Linear(hidden_size, info_size))

    def forward(self, local: Tensor) -> Tensor:
        """Predicted information (..., Z) from local inputs (..., L)."""
        return self.layers(local)  # type: ignore[no-any-return]  # nn.Module calls are untyped
