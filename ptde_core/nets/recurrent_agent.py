"""The agent every algorithm shares: local history -> hidden -> action values, the global information joining last.

One set of weights serves all agents; the agent's id in its local input tells them apart (paper, Figure 3a).
"""

import torch
from torch import Tensor, nn

from ptde_core.nets.gru import gru_over_sequences, gru_step, prepared
from ptde_core.nets.layers import Linear, Prepared


class Trunk(nn.Module):
    """h = GRU(ReLU(W o)): the local history of each agent.

    Args:
        input_size, hidden_size: L, H.
        one_hot: how many of the last inputs are one-hots.
    """

    def __init__(self, input_size: int, hidden_size: int, one_hot: int = 0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.encode = Linear(input_size, hidden_size, "relu", one_hot)
        self.memory = nn.GRU(hidden_size, hidden_size)
        self._prepared = Prepared(prepared)

    def encoded(self, local: Tensor) -> Tensor:
        """The GRU's inputs (..., H) from local inputs (..., L)."""
        fed: Tensor = self.encode(local)
        return fed

    def forward(self, local: Tensor, hidden: Tensor | None = None) -> Tensor:
        """One step: the new hidden state (E, N, H), which is also the history so far.

        Args:
            local: (E, N, L) local inputs.
            hidden: (E, N, H) before this step; zeros by default.
        """
        return gru_step(self.memory, self._prepared, self.encoded(local), hidden)

    def unroll(self, local: Tensor, lengths: Tensor, start: Tensor | None = None) -> Tensor:
        """Whole sequences of unequal length, without padding.

        Args:
            local: (R, N, L) local inputs of B sequences, one after the other.
            lengths: (B,) int64 on the CPU; R is their sum.
            start: (B, N, H) hidden states that the sequences begin with; zeros by default.

        Returns:
            histories (R, N, H).
        """
        return gru_over_sequences(self.memory, self.encoded(local), lengths, start)  # (R, N, H)


class ActionHead(nn.Module):
    """Q_i = Linear([ReLU(Linear(h_i)), z_i]); without global information the plain Linear(h_i) of QMIX and VDN."""

    def __init__(self, hidden_size: int, info_size: int, n_actions: int) -> None:
        super().__init__()
        self.features = Linear(hidden_size, hidden_size, "relu") if info_size else None
        self.values = Linear(hidden_size + info_size, n_actions)

    def forward(self, history: Tensor, z: Tensor | None) -> Tensor:
        """Action values (..., N, A) from histories (..., N, H) and information (..., N, Z), or None."""
        if self.features is None:
            assert z is None, "a head without global information was given some"
            return self.values(history)  # type: ignore[no-any-return]  # nn.Module calls are untyped
        assert z is not None, "a head with global information was given none"
        return self.values(torch.cat([self.features(history), z], dim=-1))  # type: ignore[no-any-return]
