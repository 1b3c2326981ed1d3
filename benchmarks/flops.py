"""How many floating-point operations a gradient step needs, counted from the weights, the real steps and their data."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.kernels import BLOCK
from ptde_core.nets.global_information import AgentHyper, UnifiedInformation
from ptde_core.nets.layers import Linear
from ptde_core.nets.light_information import LightInformation
from ptde_core.policies.network_inputs import Views


def update_flops(learner: ValueDecompositionLearner, batch: Sequence[Episode]) -> float:
    """Products of one gradient step: online forward, target forward, gradients of weights and of inputs.

    A weight is used once per row: per agent and view in the agents' networks, per view in the mixer, in unified
    information and wherever else just the state is read. The first layers need no gradient of their inputs, which are
    data; where data end in one-hots, what is zero is not multiplied, and not counted; nor are activations and the
    optimiser.
    """
    views = Views.of(EpisodeBatch.of(batch))
    rows, agents = views.local.shape[:2]
    of_state: tuple[str, ...] = ("mixer", "teacher.information.encode")
    if isinstance(learner.teacher.information, UnifiedInformation):
        of_state += ("teacher.information",)
    elif isinstance(learner.teacher.information, LightInformation):
        of_state += ("teacher.information.weights",)
    total = 0.0
    for name, module in learner.online.named_modules():
        of_agents = not name.startswith(of_state)
        data = views.local.flatten(0, 1) if of_agents else views.state
        weights = 0.0
        if isinstance(module, nn.Linear):
            weights = module.weight.numel()
            if isinstance(module, Linear):
                weights *= _used(data, module.one_hot)
        elif isinstance(module, nn.GRU):
            weights = sum(p.numel() for key, p in module.named_parameters() if key.startswith("weight"))
        if name.endswith("hyper.weights"):
            continue  # counted with its network, below
        if isinstance(module, AgentHyper):
            total += _contraction(module, views.state, agents)
        if isinstance(module, LightInformation):
            total += 4 * 2 * rows * agents * module.rank * module.width  # mixing, as in `_contraction`
        passes = 3 if _reads_data(name) else 4
        total += passes * 2 * rows * (agents if of_agents else 1) * weights
    return total


def _reads_data(name: str) -> bool:
    return name.endswith(
        ("trunk.encode", "hyper.hidden", "hyper.bias", "information.encode", "information.hidden")
    ) or (name.startswith("mixer") and not name.endswith(".2"))


def _contraction(hyper: AgentHyper, state: Tensor, agents: int) -> float:
    """Once per view s . M, and its product with every agent's hidden layer; forward, target, and backward."""
    weights = hyper.weights.weight.numel()  # S*Z*K
    shared = 3 * 2 * len(state) * weights * _used(state, hyper.one_hot)  # online, target, gradient of M
    own = 4 * 2 * len(state) * agents * weights / hyper.state_size  # online, target, gradients of both factors
    return shared + own


def _used(data: Tensor, one_hot: int) -> float:
    """The part of rows (R, k) that is multiplied: see `ptde_core/kernels/data.py`."""
    if not one_hot:
        return 1.0
    width = data.shape[1]
    blocks = torch.stack([(part[:, : width - one_hot] != 0).any(dim=0) for part in torch.split(data, BLOCK)])
    looked_up = (data[:, width - one_hot :] != 0).sum() / len(data)
    return float((blocks.float().mean(dim=0).sum() + looked_up) / width)
