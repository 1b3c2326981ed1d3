"""MAPPO's networks (Yu et al., 2021): LayerNorm on the input and around the GRU, orthogonal initial weights.

The actor's trunk and head have the shapes of every other algorithm's (`nets/recurrent_agent.py`), so that teachers,
students and distillation work with either. The critic is the same trunk with one value at its end.
"""

import torch
from torch import Tensor, nn

from ptde_core.nets.layers import Linear
from ptde_core.nets.recurrent_agent import ActionHead, Trunk

RELU_GAIN = 2**0.5  # of orthogonal weights before a ReLU


class NormedTrunk(Trunk):
    """h = GRU(two layers of Linear, ReLU, LayerNorm on a normalised input)."""

    def __init__(self, input_size: int, hidden_size: int, one_hot: int = 0) -> None:  # noqa: ARG002  as `Trunk`'s
        super().__init__(input_size, hidden_size)  # once normalised, nothing is a one-hot
        self.input_norm = nn.LayerNorm(input_size)
        self.encode_norm = nn.LayerNorm(hidden_size)
        self.second = Linear(hidden_size, hidden_size, "relu")
        self.second_norm = nn.LayerNorm(hidden_size)
        for layer in (self.encode, self.second):
            orthogonal(layer, RELU_GAIN)
        for name, parameter in self.memory.named_parameters():
            nn.init.orthogonal_(parameter) if "weight" in name else nn.init.zeros_(parameter)

    def encoded(self, local: Tensor) -> Tensor:
        """What the memory is fed (..., H) from inputs (..., L)."""
        x = self.encode_norm(self.encode(self.input_norm(local)))  # (..., H)
        fed: Tensor = self.second_norm(self.second(x))
        return fed


class NormedHead(ActionHead):
    """Logits of a policy from the normalised history, the global information joining in the last layer."""

    def __init__(self, hidden_size: int, info_size: int, n_actions: int) -> None:
        super().__init__(hidden_size, info_size, n_actions)
        self.norm = nn.LayerNorm(hidden_size)
        if self.features is not None:
            orthogonal(self.features, RELU_GAIN)
        orthogonal(self.values, 1.0)

    @torch.no_grad()
    def scale(self, gain: float) -> None:
        """Multiply the weights of the last layer: the less, the nearer to uniform is a fresh policy."""
        self.values.weight.mul_(gain)

    def forward(self, history: Tensor, z: Tensor | None) -> Tensor:
        """Logits (..., N, A) from histories (..., N, H) and information (..., N, Z), or None."""
        return super().forward(self.norm(history), z)


class Critic(nn.Module):
    """The normalised value of the team's future as each agent's critic sees it: the state and the agent's own input."""

    def __init__(self, state_size: int, local_size: int, hidden_size: int) -> None:
        super().__init__()
        self.trunk = NormedTrunk(state_size + local_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)
        self.value = Linear(hidden_size, 1)
        orthogonal(self.value, 1.0)

    def unroll(self, inputs: Tensor, lengths: Tensor, start: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Values and hiddens of whole sequences of unequal length, without padding.

        Args:
            inputs: (R, N, S+L) of B sequences, one after the other; see `critic_input`.
            lengths: (B,) int64 on the CPU; R is their sum.
            start: (B, N, H) the hiddens that the sequences begin with; zeros by default.

        Returns:
            values (R, N), hiddens (R, N, H).
        """
        hidden = self.trunk.unroll(inputs, lengths, start)  # (R, N, H)
        return self.value(self.norm(hidden)).squeeze(dim=-1), hidden


def critic_input(local: Tensor, state: Tensor, present: Tensor) -> Tensor:
    """What the critic sees for each agent: the global state and the agent's local input.

    Of an agent without a choice (a dead one) it sees the identity alone, all else zero: death masking (Yu et al.). The
    features of the dead would differ from all others, and its value needs none of them.

    Args:
        local: (R, N, L); its last N features are the agent's identity.
        state: (R, S).
        present: (R, N) bool.

    Returns:
        (R, N, S+L).
    """
    n = local.shape[1]
    everything = torch.cat([state[:, None].expand(-1, n, -1), local], dim=-1)  # (R, N, S+L)
    everything[..., :-n] *= present[..., None]
    return everything


def orthogonal(layer: nn.Linear, gain: float) -> None:
    """Orthogonal weights of this gain, no bias."""
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
