"""One step of play: a compiled kernel for all layers at once where it fits the networks, else layer by layer.

A step of play has few rows, so that calling a layer takes several times as long as computing it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ptde_core import kernels
from ptde_core.nets.global_information import AgentHyper, AgentSpecificInformation, sample
from ptde_core.nets.gru import prepared
from ptde_core.nets.layers import Prepared
from ptde_core.nets.light_information import LightInformation
from ptde_core.nets.recurrent_agent import ActionHead, Trunk


class InformationWeights(NamedTuple):
    """What `kernels.inform` takes of a module beside what is seen."""

    one_hot: int  # how many of the state's last numbers are mostly zeros
    arrays: tuple[NDArray[Any], ...]
    floor: float  # of the variance


class StepWeights(NamedTuple):
    """What `kernels.act` and `kernels.inform` take of a teacher; None where it has no global information."""

    agent: tuple[NDArray[Any], ...]
    information: InformationWeights | None


class ActingAgent(nn.Module):
    """One step of a trunk and a head. It holds neither of them, only their weights as the kernel takes them."""

    def __init__(self) -> None:
        super().__init__()
        self._weights = _Weights(_agent_parameters, _laid_out_agent)

    def forward(
        self, trunk: Trunk, head: ActionHead, local: Tensor, hidden: Tensor | None, z: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Action values (E, N, A) and the new hidden state (E, N, H).

        Args:
            trunk: from local inputs to histories.
            head: from histories and z to action values.
            local: (E, N, L) local inputs.
            hidden: (E, N, H) before the step; None at an episode's first step.
            z: (E, N, Z) information, or None.
        """
        weights = self.weights(trunk, head) if _can_take(local) else None
        if weights is None:
            hidden = trunk(local, hidden)
            return head(hidden, z), hidden
        rows = local.shape[0] * local.shape[1]
        after = local.new_zeros(*local.shape[:2], trunk.hidden_size) if hidden is None else hidden.clone()
        values = local.new_empty(*local.shape[:2], head.values.out_features)
        kernels.act(
            kernels.array(local.reshape(rows, -1)),
            kernels.array(local.new_empty(rows, 0) if z is None else z.reshape(rows, -1)),
            *weights,
            after.view(rows, -1).numpy(),
            values.view(rows, -1).numpy(),
        )
        return values, after

    def weights(self, trunk: Trunk, head: ActionHead) -> tuple[NDArray[Any], ...] | None:
        """What `kernels.act` takes of them beside what is seen; None where a step of theirs goes layer by layer."""
        if type(trunk) is not Trunk or type(head) is not ActionHead or not _can_take(trunk.encode.weight):
            return None
        return self._weights.of(trunk, head)


class ActingInformation(nn.Module):
    """One step of a module of global information. It holds only its weights as the kernel takes them."""

    def __init__(self) -> None:
        super().__init__()
        self._weights = _Weights(_information_parameters, _turned)

    def forward(self, information: nn.Module, local: Tensor, state: Tensor, noise: Tensor | None) -> Tensor:
        """Information z (E, N, Z).

        Args:
            information: agent-specific or unified.
            local: (E, N, L) local inputs.
            state: (E, S).
            noise: (E, N, Z) standard normals, or None for the mean.
        """
        if isinstance(information, LightInformation) and information.plays_in_kernel(local):
            return information.played(local, state, noise)
        weights = self.weights(information) if _can_take(local) else None
        if weights is None:
            mean, sigma = information(local, state)
            return sample(mean, sigma, noise)
        z = local.new_empty(*local.shape[:2], len(weights.arrays[-1]))
        seen, drawn = kernels.array(local), kernels.array(z[:0] if noise is None else noise)
        kernels.inform(seen, kernels.array(state), weights.one_hot, drawn, *weights.arrays, weights.floor, z.numpy())
        return z

    def weights(self, information: nn.Module) -> InformationWeights | None:
        """What `kernels.inform` takes of it beside what is seen; None where a step of it goes layer by layer."""
        hyper = information.hyper if type(information) is AgentSpecificInformation else None
        if type(hyper) is not AgentHyper or not _can_take(hyper.weights.weight):
            return None
        arrays = hyper.laid_out(), *self._weights.of(information)
        floor: Any = information.gaussian.variance_floor  # type: ignore[union-attr]  # its type was just asked
        return InformationWeights(hyper.one_hot, arrays, floor)


class _Weights:
    """The weights of networks as a kernel takes them, kept until other networks are given or a parameter is written to.

    Args:
        find: from networks to their parameters.
        lay_out: from these to the kernel's arrays.
    """

    def __init__(
        self, find: Callable[..., tuple[Tensor, ...]], lay_out: Callable[..., tuple[NDArray[Any], ...]]
    ) -> None:
        self._find, self._prepared = find, Prepared(lay_out)
        self._found: tuple[tuple[nn.Module, ...], tuple[Tensor, ...]] = (), ()  # one object: threads see both or none

    def of(self, *networks: nn.Module) -> tuple[NDArray[Any], ...]:
        """The kernel's arrays of these networks."""
        found = self._found
        if found[0] != networks:  # modules are equal if they are the same
            found = self._found = networks, self._find(*networks)
        return self._prepared.of(*found[1])


def _can_take(*tensors: Tensor) -> bool:
    return not torch.is_grad_enabled() and kernels.can_take(*tensors)


def _turned(*layers: Tensor) -> tuple[NDArray[Any], ...]:
    """Weights transposed and biases as they are, from weights and biases in any order."""
    return tuple(kernels.array(one.t() if one.dim() == 2 else one) for one in layers)


def _agent_parameters(trunk: Trunk, head: ActionHead) -> tuple[Tensor, ...]:
    return *trunk.encode.parameters(), *trunk.memory.parameters(), *head.parameters()


def _laid_out_agent(
    encode: Tensor, encode_bias: Tensor,
    input_weight: Tensor, weight: Tensor, input_bias: Tensor, bias: Tensor,
    *head: Tensor,
) -> tuple[NDArray[Any], ...]:  # fmt: skip
    """What `kernels.act` takes of the parameters of a trunk and of a head of one layer or two."""
    *features, values, values_bias = head
    return (
        *_turned(encode, encode_bias),
        *prepared(input_weight, weight, input_bias, bias),
        *_turned(*(features or (values.new_empty(0, 0), values.new_empty(0)))),
        *_turned(values, values_bias),
    )


def _information_parameters(information: AgentSpecificInformation) -> tuple[Tensor, ...]:
    """Those of `kernels.inform` but the matrices, which the module lays out itself."""
    hyper, gaussian = information.hyper, information.gaussian
    layers = (hyper.bias, gaussian.mean, gaussian.log_variance)
    return *hyper.hidden.parameters(), *(one for layer in layers for one in layer.parameters())
