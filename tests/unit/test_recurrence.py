"""The GRU without padding against torch's own, one sequence at a time, forward and backward."""

import pytest
import torch
from torch import nn

from ptde_core.nets.recurrence import gru_over_sequences, time_major
from ptde_core.nets.recurrent_agent import Trunk


def test_time_major_by_hand() -> None:
    """Sequences of 2, 3 and 1 steps are rows 0-1, 2-4 and 5; the longest comes first."""
    order, rows = time_major(torch.tensor([2, 3, 1]))
    assert order.tolist() == [2, 0, 5, 3, 1, 4]
    assert rows == [3, 2, 1]


@pytest.mark.parametrize("lengths", [[1], [4, 4], [2, 5, 1, 3]])
def test_equal_to_torchs_gru_forward_and_backward(lengths: list[int]) -> None:
    torch.manual_seed(0)
    memory = nn.GRU(3, 4).double()
    x = torch.randn(sum(lengths), 3, dtype=torch.float64, requires_grad=True)
    order, rows = time_major(torch.tensor(lengths))
    ours = gru_over_sequences(memory, x[order], rows)
    theirs = torch.cat([memory(part[:, None])[0].squeeze(dim=1) for part in x.split(lengths)])[order]
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    wanted, upstream = [x, *memory.parameters()], torch.randn_like(ours)
    for one, other in zip(
        torch.autograd.grad(ours, wanted, upstream), torch.autograd.grad(theirs, wanted, upstream), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_stepping_and_unrolling_are_one_network() -> None:
    torch.manual_seed(0)
    trunk = Trunk(input_size=5, hidden_size=6)
    lengths = torch.tensor([3, 1, 4])
    local = torch.randn(8, 2, 5)  # (R, N, L)
    unrolled = trunk.unroll(local, lengths)
    start = 0
    for length in lengths.tolist():
        hidden = None
        for row in range(start, start + length):
            hidden = trunk(local[row : row + 1], hidden)
            torch.testing.assert_close(hidden[0], unrolled[row])
        start += length
