"""What every section yields, and how time is taken."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    section: str
    name: str
    value: float
    unit: str
    note: str = ""

    @property
    def key(self) -> str:
        """What two runs are compared by."""
        return f"{self.section}: {self.name}"


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time of one call, after one call that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times)


def gemm_peak(repeats: int) -> float:
    """FLOP/s of a large float32 matrix product, with as many threads as torch uses: the best of several tries."""
    size = 2048
    one, other, product = torch.rand(size, size), torch.rand(size, size), torch.empty(size, size)
    return 2 * size**3 / min(seconds(lambda: torch.mm(one, other, out=product), 1) for _ in range(2 * repeats))
