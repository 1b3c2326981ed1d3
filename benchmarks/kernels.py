"""What each compiled kernel gains over torch's operations: the same work with kernels on and off, in turns."""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from time import perf_counter
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks.acting import decisions
from benchmarks.figures import Figure
from benchmarks.synthetic import SPEC, full_batch, learner_of
from ptde_core.algorithms.value_decomposition import best_available
from ptde_core.base.batch import EpisodeBatch
from ptde_core.base.machine_memory import keep_freed_memory
from ptde_core.base.threads import Threads, one_thread
from ptde_core.kernels import arrays
from ptde_core.learning.noise import standard_normals
from ptde_core.learning.regression import TwoLayerRegression
from ptde_core.learning.td_targets import td_lambda_targets
from ptde_core.nets.global_information import AgentHyper, GaussianHeads
from ptde_core.nets.gru import gru_over_sequences
from ptde_core.nets.layers import Linear
from ptde_core.nets.light_information import LightInformation
from ptde_core.nets.mixers import MonotonicMixer
from ptde_core.nets.student_network import StudentNetwork
from ptde_core.policies.network_inputs import Views
from ptde_core.runs.stage_settings import DistillSettings

SECTION = "kernels"
EPISODES = 16  # one thread's share of a batch, about
WIDTH, RANK = 64, 4
TURN = 0.05  # seconds of calls in a turn, at the least one call


def measure(quick: bool) -> Iterator[Figure]:
    """Time with kernels off, as a multiple of that with kernels on."""
    keep_freed_memory()
    repeats = 2 if quick else 9
    with one_thread():
        for name, make in _PIECES.items():
            yield _compared(name, make, repeats)
    whole = full_batch()
    for label, info in (("QMIX", "none"), ("QMIX_SGI", "agent-specific")):
        learner = learner_of("qmix", info)
        name = f"an update of {label}, whole batch, all threads"
        yield _compared(name, partial(partial, learner.update, whole), repeats)


def _compared(name: str, make: Callable[[], Callable[[], object]], repeats: int) -> Figure:
    """Both ways in turns, each built with the switch as it is used; the median of each."""
    times: dict[bool, list[float]] = {True: [], False: []}
    works, calls = {}, {}
    for on in (True, False):
        with patch.object(arrays, "_ON", on):
            works[on] = make()
            works[on]()
            began = perf_counter()
            works[on]()
            calls[on] = max(1, int(TURN / (perf_counter() - began)))
    for _ in range(repeats):
        for on in (True, False):
            with patch.object(arrays, "_ON", on):
                began = perf_counter()
                for _ in range(calls[on]):
                    works[on]()
                times[on].append((perf_counter() - began) / calls[on])
    with_kernels, without = median(times[True]), median(times[False])
    note = f"on {_three_digits(1e3 * with_kernels)} ms, off {_three_digits(1e3 * without)} ms"
    return Figure(SECTION, name, without / with_kernels, "times", note)


def _three_digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):,g}"


def _batch() -> EpisodeBatch:
    return EpisodeBatch.of(full_batch()[:EPISODES])


def _with_gradients(module: nn.Module, output: Callable[[], Tensor]) -> Callable[[], object]:
    """The module's output and the gradients of its sum."""

    def work() -> object:
        module.zero_grad()
        output().sum().backward()  # type: ignore[no-untyped-call]  # torch's
        return None

    return work


def _layer() -> Callable[[], object]:
    views = Views.of(_batch())
    layer = Linear(views.local.shape[-1], WIDTH, "relu", SPEC.n_actions + SPEC.n_agents)
    return _with_gradients(layer, lambda: layer(views.local))


def _recurrence() -> Callable[[], object]:
    views = Views.of(_batch())
    memory = nn.GRU(WIDTH, WIDTH)
    x = torch.rand(*views.local.shape[:2], WIDTH)
    return _with_gradients(memory, lambda: gru_over_sequences(memory, x, views.lengths))


def _mixer() -> Callable[[], object]:
    batch = _batch()
    mixer = MonotonicMixer(SPEC.n_agents, SPEC.state_size, 32, WIDTH, SPEC.state_one_hot)
    values = torch.rand(len(batch.state), SPEC.n_agents)
    return _with_gradients(mixer, lambda: mixer(values, values, values, batch.state))


def _agent_specific() -> Callable[[], object]:
    views = Views.of(_batch())
    of_local = SPEC.n_actions + SPEC.n_agents
    hyper = AgentHyper(views.local.shape[-1], SPEC.state_size, WIDTH, WIDTH, one_hot=(of_local, SPEC.state_one_hot))
    return _with_gradients(hyper, lambda: hyper(views.local, views.state, elu=True))


def _light() -> Callable[[], object]:
    views = Views.of(_batch())
    one_hot = SPEC.n_actions + SPEC.n_agents, SPEC.state_one_hot
    module = LightInformation(views.local.shape[-1], SPEC.state_size, WIDTH, WIDTH, 0.01, RANK, one_hot)
    noise = torch.randn(*views.local.shape[:2], WIDTH)
    return _with_gradients(module, lambda: module.sampled(views.local, views.state, noise)[0])


def _gaussian() -> Callable[[], object]:
    noise = torch.randn(len(_batch().state), SPEC.n_agents, WIDTH)
    heads, g = GaussianHeads(WIDTH, 0.01), torch.randn_like(noise)
    return _with_gradients(heads, lambda: heads.sampled(g, noise)[0])


def _noise() -> Callable[[], object]:
    rows = torch.arange(len(_batch().state))
    return lambda: standard_normals(1, rows, (SPEC.n_agents, WIDTH))


def _best() -> Callable[[], object]:
    batch = _batch()
    values = torch.rand(batch.available.shape)
    return lambda: best_available(values, batch.available)


def _targets() -> Callable[[], object]:
    batch = _batch()
    value = torch.rand(batch.reward.shape)
    return lambda: td_lambda_targets(batch.reward, batch.terminated, batch.last, value, 0.99, 0.6)


def _distillation() -> Callable[[], object]:
    rows, inputs = DistillSettings().batch_rows, 62
    x, y = torch.rand(rows, inputs), torch.rand(rows, WIDTH)
    step = TwoLayerRegression(list(StudentNetwork(inputs, WIDTH, WIDTH).parameters()), rows, Threads()).step
    return lambda: step(x, y)


_PIECES: dict[str, Callable[[], Callable[[], object]]] = {
    "a layer that ends in one-hots, and its gradients": _layer,
    "recurrence over sequences, and its gradients": _recurrence,
    "QMIX's mixer, and its gradients": _mixer,
    "agent-specific weights, and their gradients": _agent_specific,
    "the Gaussian of z and a sample of it, and their gradients": _gaussian,
    "light information of rank 4 and a sample of it, and their gradients": _light,
    "the noise of z": _noise,
    "best available actions": _best,
    "TD(lambda) targets": _targets,
    "a gradient step of distillation": _distillation,
    "a step of play, QMIX, 8 environments": lambda: decisions("none"),
    "a step of play, QMIX_SGI, 8 environments": lambda: decisions("agent-specific"),
}
