"""Threads that each compute their own share of a batch, with one core each.

Torch splits every operation over its threads and synchronizes them after each, thousands of times per gradient step; if
another program uses one of the cores, all of them wait. Here the threads synchronize once per gradient step. Torch's
own threads must have no work meanwhile, also between two steps (`one_thread`): after work they spin for milliseconds,
on the cores that ours need next.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Part = TypeVar("Part")
Result = TypeVar("Result")


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, this thread's tensor operations use one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Threads:
    """As many threads as torch would use (OMP_NUM_THREADS; by default one per core), the caller's among them."""

    def __init__(self) -> None:
        self.count = torch.get_num_threads()
        self._others = ThreadPoolExecutor(
            max(1, self.count - 1), "ptde", initializer=torch.set_num_threads, initargs=(1,)
        )

    def cut(self, sizes: Sequence[int] | NDArray[np.int64], turns: int = 1) -> list[NDArray[np.int64]]:
        """Shares of parts, `turns` for each thread: largest first, each to the share with the least work so far.

        Args:
            sizes: of the parts. With fewer parts than shares, those without one are left out.
            turns: shares that a thread works on one after the other.
        """
        taker, taken = np.empty(len(sizes), np.int64), np.zeros(min(turns * self.count, len(sizes)), np.int64)
        for part in np.argsort(-np.asarray(sizes), kind="stable"):
            taker[part] = share = taken.argmin()
            taken[share] += sizes[part]
        return [np.flatnonzero(taker == share) for share in range(len(taken))]

    def map(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """The results of `work` on every part, in order. The caller, within `one_thread`, takes the first turn.

        With T threads, each takes every T-th part, one after the other.
        """

        def turns(thread: int) -> list[Result]:
            return [work(part) for part in parts[thread :: self.count]]

        others = [self._others.submit(turns, thread) for thread in range(1, min(self.count, len(parts)))]
        found = [turns(0), *(other.result() for other in others)]
        return [found[k % self.count][k // self.count] for k in range(len(parts))]


def add_gradients(
    shares: Sequence[Part],
    loss_of: Callable[[Part], tuple[Tensor, dict[str, Tensor]]],
    parameters: Sequence[Tensor],
    threads: Threads,
) -> dict[str, Tensor]:
    """Set each parameter's `grad` to the gradient of the sum of all shares' losses; returns the sums of their logs.

    The caller is within `one_thread`, as for `Threads.map`.

    Args:
        shares: parts of the batch, one or several for each thread.
        loss_of: a share's loss, a scalar, and numbers to log; both are summed over the shares.
        parameters: one that no loss depends on gets no gradient.
        threads: that compute the shares.
    """

    def gradients(share: Part) -> tuple[tuple[Tensor | None, ...], dict[str, Tensor]]:
        loss, log = loss_of(share)
        return torch.autograd.grad(loss, parameters, allow_unused=True), log

    # Torch creates a parameter's gradient accumulator at its first use. A thread that does so holds the parameter's
    # lock while it waits for the GIL; another may hold the GIL and wait for that lock. Created here, none waits.
    ends = [torch.autograd.graph.get_gradient_edge(parameter) for parameter in parameters]
    found = threads.map(gradients, shares)
    del ends
    for parameter, *parts in zip(parameters, *(gradient for gradient, _ in found), strict=True):
        parameter.grad = _sum(parts)
    return {key: torch.stack([log[key] for _, log in found]).sum() for key in found[0][1]}


def _sum(parts: Sequence[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    assert len(known) in {0, len(parts)}, "the shares' losses depend on different parameters"
    return torch.stack(known).sum(dim=0) if known else None
