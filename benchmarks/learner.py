"""One gradient step on a batch of known size, per kind of global information, and as a share of the machine's peak."""

from collections.abc import Iterator
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.figures import Figure, gemm_peak, seconds
from benchmarks.flops import update_flops
from benchmarks.synthetic import SPEC, full_batch, learner_of, uneven_batch
from ptde_core.base.memory import keep_freed_memory
from ptde_core.nets.global_information import AgentHyper
from ptde_core.policies.sizes import parameter_counts

SECTION = "learner"
RANKS = (0, 16, 4, 1)  # of the agent-specific weights; 0 is full
ALGORITHMS = (("vdn", "none"), ("qmix", "none"), ("qmix", "unified"), ("qmix", "agent-specific"))


def measure(quick: bool) -> Iterator[Figure]:
    """Milliseconds per gradient step."""
    keep_freed_memory()  # as training does
    repeats = 2 if quick else 7
    peak, full = gemm_peak(repeats), full_batch()
    yield Figure(SECTION, "matrix product, float32", peak / 1e9, "GFLOP/s", f"{torch.get_num_threads()} threads")
    sizes = f"{SPEC.n_agents} agents, obs {SPEC.obs_size}, state {SPEC.state_size}, {SPEC.n_actions} actions"
    for label, batch in (("128 x 70 steps", full_batch()), ("128 x 48 steps on average", uneven_batch())):
        for alg, info in ALGORITHMS:
            learner = learner_of(alg, info)
            took = seconds(lambda learner=learner, batch=batch: learner.update(batch), repeats)  # type: ignore[misc]  # bound now
            work = update_flops(learner, batch)
            note = f"{sizes}; {work / 1e9:.0f} GFLOP counted, {work / took / peak:.0%} of the matrix product's rate"
            yield Figure(SECTION, f"{alg} {info}, {label}", 1e3 * took, "ms", note)
    for rank in RANKS:
        learner = learner_of("qmix", "agent-specific", rank)
        took = seconds(lambda learner=learner: learner.update(full), repeats)  # type: ignore[misc]  # bound now
        information = parameter_counts({"networks": learner.teacher.state_dict()})["information"]
        note = f"{sizes}; {information:,} parameters in the information module"
        yield Figure(SECTION, f"qmix agent-specific, rank {rank or 'full'}, 128 x 70 steps", 1e3 * took, "ms", note)
    learner, batch = learner_of("qmix", "agent-specific"), full_batch().share(0, 8)
    ours = seconds(lambda: learner.update(batch), repeats)
    with patch.object(AgentHyper, "forward", generated_weights):
        plain = seconds(lambda: learner.update(batch), 1)
    yield Figure(SECTION, "agent-specific information, weights generated / factored", plain / ours, "times", "16 x 70")


def generated_weights(hyper: AgentHyper, local: Tensor, state: Tensor) -> Tensor:
    """The agent-hyper network the obvious way: every agent's generated weights are built as a matrix."""
    weights = hyper.weights(F.relu(hyper.hidden(local))).unflatten(-1, (hyper.state_size, hyper.output_size))
    return torch.add(torch.einsum("...s,...nsz->...nz", state, weights), hyper.bias(local))
