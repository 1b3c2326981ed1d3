"""The GRU without padding against torch's own, one sequence at a time, forward and backward."""

import pytest
import torch
from torch import nn

from ptde_core.nets.gru import chunk_lengths, gru_over_sequences, time_major
from ptde_core.nets.recurrent_agent import Trunk


def test_time_major_by_hand() -> None:
    """Sequences of 2, 3 and 1 steps are rows 0-1, 2-4 and 5; the longest comes first."""
    order, rows = time_major(torch.tensor([2, 3, 1]))
    assert order.tolist() == [2, 0, 5, 3, 1, 4]
    assert rows == [3, 2, 1]


def test_chunks_by_hand() -> None:
    """Pieces of 3 steps: 7 = 3 + 3 + 1, 3 is one piece, 2 is less than one, 6 = 3 + 3 leaves nothing over."""
    assert chunk_lengths(torch.tensor([7, 3, 2, 6]), 3).tolist() == [3, 3, 1, 3, 2, 3, 3]


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("lengths", [[1], [4, 4], [2, 5, 1, 3]])
def test_equal_to_torchs_gru_forward_and_backward(lengths: list[int], started: bool) -> None:
    torch.manual_seed(0)
    memory = nn.GRU(3, 4).double()
    x = torch.randn(sum(lengths), 3, dtype=torch.float64, requires_grad=True)
    start = torch.randn(len(lengths), 4, dtype=torch.float64, requires_grad=True)
    if not started:
        start = torch.zeros_like(start, requires_grad=True)
    ours = gru_over_sequences(memory, x[:, None], torch.tensor(lengths), start[:, None] if started else None)[:, 0]
    parts = zip(x.split(lengths), start, strict=True)
    theirs = torch.cat([memory(part[:, None], h[None, None])[0].squeeze(dim=1) for part, h in parts])
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    wanted = [x, *memory.parameters(), *([start] if started else [])]
    upstream = torch.randn_like(ours)
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


def test_in_chunks_with_the_memory_handed_on_is_in_one_piece() -> None:
    torch.manual_seed(0)
    trunk = Trunk(input_size=5, hidden_size=6)
    local = torch.randn(9, 2, 5)  # (R, N, L) of sequences of 5 and 4 steps
    whole = trunk.unroll(local, torch.tensor([5, 4]))
    zeros = torch.zeros_like(whole[0])
    start = torch.stack([zeros, whole[2], zeros, whole[7]])  # (C, N, H)
    torch.testing.assert_close(trunk.unroll(local, torch.tensor([3, 2, 3, 1]), start), whole)
