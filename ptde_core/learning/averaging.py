"""A running average of a network's weights (Polyak and Juditsky, 1992; exponential, as is usual for deep networks).

Weights of two neighbouring updates may play very differently; their average over some dozens of updates does not jump.
"""

import copy
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

YOUNG = 10  # while it is young the average spans about the last 1/YOUNG of all updates

Network = TypeVar("Network", bound=nn.Module)


def weight_of_newest(update: int, decay: float) -> float:
    """What the weights after an update count in the average: max(1 - decay, YOUNG / (update + YOUNG - 1)).

    A fixed 1 - decay would let the first, random weights count decay^n after n updates, and dividing that out would
    leave a plain mean over all updates so far. This span grows with the training instead, up to 1 / (1 - decay).

    Args:
        update: n, from 1, whose weight is 1: the random weights before it never count.
        decay: below 1.
    """
    return max(1 - decay, YOUNG / (update + YOUNG - 1))


class AveragedWeights(Generic[Network]):
    """A copy of a network that follows the average of its weights; buffers are copied as they are.

    Args:
        network: what learns, on its device.
        decay: of the average per update; 0: there is none, and `network` stands for it.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self._decay, self._learning = decay, network
        self.network = copy.deepcopy(network).requires_grad_(False) if decay else network

    @torch.no_grad()
    def take_in(self, update: int) -> None:
        """The weights after that update, from 1: average += weight (weights - average)."""
        if not self._decay:
            return
        averages: list[Tensor] = [*self.network.parameters()]
        newest: list[Tensor] = [*self._learning.parameters()]
        torch._foreach_lerp_(averages, newest, weight_of_newest(update, self._decay))
        for held, buffer in zip(self.network.buffers(), self._learning.buffers(), strict=True):
            held.copy_(buffer)

    def state(self) -> dict[str, Tensor]:
        """The average, by the network's names; empty where there is none."""
        return dict(self.network.state_dict()) if self._decay else {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go back to a saved `state`.

        Raises:
            ValueError, RuntimeError: it is of another network, or there is no average here.
        """
        if self._decay:
            self.network.load_state_dict(state)
        elif state:
            raise ValueError("an average of weights, where none is kept")
