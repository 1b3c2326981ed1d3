"""Checks that weights stay finite: a step that is too large ends in infinite weights, then in NaN."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ptde_core.base.errors import PtdeError

TRY = "train anew with a smaller learning_rate, in another folder"


def all_finite(tensors: Iterable[Tensor]) -> Tensor:
    """A scalar bool on the tensors' device: whether no element of them is NaN or infinite."""
    return torch.stack([torch.isfinite(tensor.detach()).all() for tensor in tensors]).all()


def check_learned(weights: Iterable[Tensor], log: Mapping[str, Tensor | float], where: str, saved: str) -> None:
    """Refuse to go on with weights that are not finite.

    Args:
        weights: all that is learned.
        log: of the newest update; the losses and gradients in it say what went first.
        where: the step, in words.
        saved: which good state is left, in words.

    Raises:
        PtdeError: with the step, what is saved, and what to try.
    """
    if bool(all_finite(weights)):
        return
    losses = {name: float(value) for name, value in log.items() if name.endswith(("loss", "gradient_norm"))}
    broken = [f"{name} = {value}" for name, value in losses.items() if not abs(value) < float("inf")]
    which = f" ({', '.join(broken)})" if broken else ""
    raise PtdeError(f"the weights are not finite {where}{which}; {saved}", TRY)
