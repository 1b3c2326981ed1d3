"""Value normalisation (Yu et al., 2021): a critic learns returns in units of their running mean and deviation."""

import torch
from torch import Tensor, nn

KEEP = 0.99999  # weight of the past per update, as published: over some thousand updates nearly a plain mean
SMALLEST_VARIANCE = 1e-2


class ValueNorm(nn.Module):
    """Running mean and variance of returns, each update counting alike however many returns it brings.

        m <- k m + (1 - k) mean(R),  q <- k q + (1 - k) mean(R^2),  w <- k w + (1 - k),  k = `KEEP`
        mean = m / w,  variance = max(q / w - mean^2, `SMALLEST_VARIANCE`)

    Before the first update values are as they are: mean 0, deviation 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mean: Tensor
        self.square: Tensor
        self.weight: Tensor  # of all updates together: divides out that the means began at zero
        for name in ("mean", "square", "weight"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float64))

    def update(self, returns: Tensor) -> None:
        """Take in returns of any shape."""
        for held, new in ((self.mean, returns), (self.square, returns.square()), (self.weight, torch.ones(()))):
            held.mul_(KEEP).add_((1 - KEEP) * new.double().mean())

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, float32 scalars."""
        if not self.weight:
            return torch.zeros(()), torch.ones(())
        mean, square = self.mean / self.weight, self.square / self.weight
        return mean.float(), (square - mean.square()).clamp_min(SMALLEST_VARIANCE).sqrt().float()

    def normalise(self, returns: Tensor) -> Tensor:
        """Returns in units of the running moments."""
        mean, deviation = self.moments()
        return (returns - mean) / deviation

    def restore(self, values: Tensor) -> Tensor:
        """The inverse of `normalise`: normalised values as rewards."""
        mean, deviation = self.moments()
        return values * deviation + mean
