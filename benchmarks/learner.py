"""One gradient step on a batch of known size, per kind of global information, and as a share of the machine's peak."""

import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.figures import Figure, gemm_peak, seconds
from benchmarks.flops import update_flops
from benchmarks.peak import multiply_add_peak
from benchmarks.synthetic import DENSE, SPEC, full_batch, learner_for, learner_of, uneven_batch
from ptde_core.algorithms.building import build_learner
from ptde_core.algorithms.mappo_learner import MappoLearner
from ptde_core.base.batch import Episode
from ptde_core.base.machine_memory import keep_freed_memory
from ptde_core.nets.global_information import AgentHyper
from ptde_core.policies.parameter_counts import parameter_counts
from ptde_core.runs.stage_settings import train_teacher_settings

SECTION = "learner"
RANKS = (16, 8, 4, 1)  # of light agent-specific information; the full form is among the algorithms
ALGORITHMS = (("vdn", "none"), ("qplex", "none"), ("qmix", "none"), ("qmix", "unified"), ("qmix", "agent-specific"))
SIZES = f"{SPEC.n_agents} agents, obs {SPEC.obs_size}, state {SPEC.state_size}, {SPEC.n_actions} actions"


def measure(quick: bool) -> Iterator[Figure]:
    """Milliseconds per gradient step."""
    keep_freed_memory()  # as training does
    repeats = 2 if quick else 7
    threads = torch.get_num_threads()
    most = multiply_add_peak(threads)
    yield Figure(SECTION, "multiply-add peak, float32", most / 1e9, "GFLOP/s", f"{threads} threads, no memory touched")
    peak = gemm_peak(repeats)
    note = f"{threads} threads; {peak / most:.0%} of the peak"
    yield Figure(SECTION, "matrix product, float32", peak / 1e9, "GFLOP/s", note)
    full = full_batch()
    for label, batch in (("128 x 70 steps", full), ("128 x 48 steps on average", uneven_batch())):
        for alg, info in ALGORITHMS:
            learner = learner_of(alg, info)
            took = seconds(partial(learner.update, batch), repeats)
            work = update_flops(learner, batch)
            note = f"{SIZES}; {_shares(work, took, peak, most)}"
            yield Figure(SECTION, f"{alg} {info}, {label}", 1e3 * took, "ms", note)
    learner = learner_for(DENSE, "qmix", "agent-specific")
    took, work = seconds(partial(learner.update, full), repeats), update_flops(learner, full)
    note = f"{SIZES}; {_shares(work, took, peak, most)}"
    yield Figure(SECTION, "qmix agent-specific, 128 x 70 steps, no look-ups in the state", 1e3 * took, "ms", note)
    yield from _ranks(full, repeats)
    yield _mappo(full[: len(full) // 2], repeats)
    yield _generated_against_factored(full[: len(full) // 8], repeats)


def _shares(work: float, took: float, product: float, most: float) -> str:
    """What counted operations reached, of the matrix product's rate and of the processor's peak, all per second."""
    rate = work / took
    return f"{work / 1e9:.0f} GFLOP counted, {rate / product:.0%} of the product's rate, {rate / most:.0%} of the peak"


def _ranks(batch: list[Episode], repeats: int) -> Iterator[Figure]:
    """Light agent-specific information of every rank in turns with unified information, whose time is the yardstick."""
    learners = {
        0: learner_of("qmix", "unified"),
        **{k: learner_of("qmix", "agent-specific", info_rank=k) for k in RANKS},
    }
    times: dict[int, list[float]] = {rank: [] for rank in learners}
    for turn in range(repeats + 1):
        for rank, learner in learners.items():
            began = time.perf_counter()
            learner.update(batch)
            if turn:  # the first compiles
                times[rank].append(time.perf_counter() - began)
    for rank in RANKS:
        name = f"qmix agent-specific, rank {rank}, 128 x 70 steps"
        information = parameter_counts({"networks": learners[rank].teacher.state_dict()})["information"]
        note = f"{SIZES}; {information:,} parameters in the information module"
        yield Figure(SECTION, name, 1e3 * median(times[rank]), "ms", note)
        ratio = median(own / unified for own, unified in zip(times[rank], times[0], strict=True))
        yield Figure(SECTION, f"{name}, of unified's time", ratio, "times", f"{repeats} turns")


def _mappo(rollout: list[Episode], repeats: int) -> Figure:
    """All epochs on one rollout, which is about as many steps as MAPPO learns from by default."""
    settings = train_teacher_settings({"alg": "mappo", "global_info": "none"})
    learner = build_learner(settings, SPEC, seed=1)
    assert isinstance(learner, MappoLearner)
    took = seconds(partial(learner.update, rollout), repeats)
    note = f"{SIZES}; {learner.settings.epochs} gradient steps"
    return Figure(SECTION, f"mappo none, a rollout of {len(rollout)} x 70 steps", 1e3 * took, "ms", note)


def _generated_against_factored(batch: list[Episode], repeats: int) -> Figure:
    """How much slower the agent-hyper network is when its weights are built as matrices."""
    learner = learner_of("qmix", "agent-specific")
    ours = seconds(partial(learner.update, batch), repeats)
    with patch.object(AgentHyper, "forward", generated_weights):
        plain = seconds(partial(learner.update, batch), 1)
    label = "agent-specific information, weights generated / factored"
    return Figure(SECTION, label, plain / ours, "times", f"{len(batch)} x 70")


def generated_weights(hyper: AgentHyper, local: Tensor, state: Tensor, elu: bool = False) -> Tensor:
    """The agent-hyper network the obvious way: every agent's generated weights are built as a matrix."""
    weights = hyper.weights(hyper.hidden(local)).unflatten(-1, (hyper.state_size, hyper.output_size))
    g = torch.add(torch.einsum("...s,...nsz->...nz", state, weights), hyper.bias(local))
    return F.elu(g) if elu else g
