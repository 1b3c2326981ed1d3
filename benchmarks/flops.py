"""How many floating-point operations a gradient step needs, counted from the weights and the real steps."""

from torch import nn

from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.batch import EpisodeBatch
from ptde_core.nets.global_information import AgentHyper


def update_flops(learner: ValueDecompositionLearner, batch: EpisodeBatch) -> float:
    """Products of one gradient step: online forward, target forward, gradients of weights and of inputs.

    A weight is used once per row: per agent and view in the agents' networks, per view in the mixer and in the
    contraction of the state. The first layers need no gradient of their inputs, which are data. Padding, activations
    and the optimiser are not counted.
    """
    views = int((batch.length + 1).sum())
    agents = batch.obs.shape[2]
    total = 0.0
    for name, module in learner.online.named_modules():
        rows = views if name.startswith("mixer") else views * agents
        weights = 0
        if isinstance(module, nn.Linear):
            weights = module.weight.numel()
        elif isinstance(module, nn.GRU):
            weights = sum(p.numel() for key, p in module.named_parameters() if key.startswith("weight"))
        if name.endswith("hyper.weights"):
            continue  # counted with its network, below
        if isinstance(module, AgentHyper):
            total += _contraction(module, views, agents)
        passes = 3 if _reads_data(name) else 4
        total += passes * 2 * rows * weights
    return total


def _reads_data(name: str) -> bool:
    return name.endswith(("trunk.encode", "hyper.hidden", "hyper.bias")) or (
        name.startswith("mixer") and not name.endswith(".2")
    )


def _contraction(hyper: AgentHyper, views: int, agents: int) -> float:
    """Once per view s . M, and its product with every agent's hidden layer; forward, target, and backward."""
    weights = hyper.weights.weight.numel()  # S*Z*K
    shared = 3 * 2 * views * weights  # online, target, gradient of M
    own = 4 * 2 * views * agents * weights / hyper.state_size  # online, target, gradients of both factors
    return shared + own
