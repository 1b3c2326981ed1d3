"""CSRL's commander (Chen et al., IJCNN 2022), as PTDE compares with it: agent-hyper weights, and no Gaussian."""

from torch import Tensor, nn

from ptde_core.nets.global_information import AgentHyper


class Commander(nn.Module):
    """z_i = ELU(s . W_i + b_i), with W_i and b_i from the agent's own local input.

    Args:
        input_size, state_size, hidden_size, info_size: L, S, K, Z.
    """

    def __init__(self, input_size: int, state_size: int, hidden_size: int, info_size: int) -> None:
        super().__init__()
        self.hyper = AgentHyper(input_size, state_size, hidden_size, info_size)

    def forward(self, local: Tensor, state: Tensor) -> Tensor:
        """Guidance (..., N, Z) from local inputs (..., N, L) and states (..., S)."""
        guidance: Tensor = self.hyper(local, state, elu=True)
        return guidance
