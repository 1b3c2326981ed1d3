"""Rows of sequences laid end to end when something is sent at intervals and held in between."""

import torch
from torch import Tensor


def last_sent(lengths: Tensor, every: int) -> Tensor:
    """For each row the row of its sequence's last broadcast: of step t, that of step t - t % every.

    Args:
        lengths: (B,) int64, rows of each sequence; R is their sum.
        every: steps from one broadcast to the next; the first step of each sequence is one.

    Returns:
        (R,) int64.
    """
    rows = torch.arange(int(lengths.sum()))
    starts = torch.cumsum(lengths, 0) - lengths
    steps = rows - starts.repeat_interleave(lengths)  # (R,)
    return rows - steps % every
