"""How many parameters networks have: a checkpoint's, one by one; and the width that gives a wanted number."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ptde_core.storage.evaluation_file import TRAINING_ONLY

NAMES = {"network": "student"}  # a network's attribute in its policy -> what people call it, where that is not the same
WIDEST = 1 << 16


def parameter_counts(content: Mapping[str, Any]) -> dict[str, int]:
    """Parameters of each network in a loaded teacher or student checkpoint: trunk, information, head, ...

    The networks that only training needs are one number, under `TRAINING_ONLY`.
    """
    counts: Counter[str] = Counter()
    for name, tensor in content["networks"].items():
        network = name.partition(".")[0]
        counts[NAMES.get(network, network)] += tensor.numel()
    if only := sum(tensor.numel() for tensor in content.get("training_networks", {}).values()):
        counts[TRAINING_ONLY] = only
    return dict(counts)


def size_of(build: Callable[[], nn.Module]) -> int:
    """Parameters of the network that `build` makes, without the memory and time of making them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build().parameters())


def nearest_width(size: Callable[[int], int], wanted: int) -> int:
    """The width whose size is nearest to the wanted one; `size` must grow with the width."""
    above = bisect_left(range(WIDEST), wanted, lo=1, key=size)
    return min((above - 1, above), key=lambda width: abs(size(width) - wanted)) if above > 1 else 1
