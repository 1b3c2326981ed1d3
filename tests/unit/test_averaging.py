"""The running average of weights: its numbers by hand, what it leaves alone, and that play never sees an old one."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ptde_core.algorithms.building import build_learner, build_online_student, build_teacher
from ptde_core.algorithms.catalogue import ALGORITHMS, typed_settings
from ptde_core.algorithms.table_names import teacher_marks
from ptde_core.base.batch import Episode
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.learning.averaging import AveragedWeights, weight_of_newest
from ptde_core.policies.network_inputs import local_input_size
from ptde_core.policies.policy import Policy
from ptde_core.runs.stage_settings import train_teacher_settings
from ptde_core.storage.checkpoint import identity
from tests.invariants.test_side_by_side import TWO_VIEWS

SPEC: EnvSpec = Skirmish("3m", 1).spec


class OneWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([7.0]))
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros(()))


def test_the_average_worked_by_hand() -> None:
    """Weights of 10/10, 10/11, 10/12, then never below 1 - 0.25."""
    network = OneWeight()
    average = AveragedWeights(network, decay=0.25)
    found = []
    for update, weight in enumerate((1.0, 2.0, 4.0, 0.0, 0.0), start=1):
        network.weight.data.fill_(weight)
        network.seen.fill_(update)
        average.take_in(update)
        found.append(average.network.weight.item())
    second = 1 + 10 / 11
    third = second + 10 / 12 * (4 - second)
    fourth = third - 10 / 13 * third
    assert found == pytest.approx([1.0, second, third, fourth, fourth - 0.75 * fourth], rel=1e-6)
    assert average.network.seen.item() == 5.0
    assert not average.network.weight.requires_grad


def test_it_begins_without_the_first_weights_and_ends_at_its_decay() -> None:
    assert weight_of_newest(1, 0.99) == 1.0
    assert weight_of_newest(491, 0.99) == pytest.approx(0.02)
    assert weight_of_newest(991, 0.99) == weight_of_newest(10_000, 0.99) == pytest.approx(0.01)


def test_none_is_the_network_itself() -> None:
    network = OneWeight()
    average = AveragedWeights(network, decay=0.0)
    assert average.network is network
    average.take_in(1)
    assert average.state() == {}
    average.load({})


def policies() -> dict[str, Any]:
    torch.manual_seed(0)
    found: dict[str, tuple[Any, EnvSpec]] = {
        "copa": (build_teacher(typed_settings({"alg": "copa", "global_info": "coach"}), SPEC), SPEC),
        "csrl": (build_teacher(typed_settings({"alg": "csrl", "global_info": "commander"}), SPEC), SPEC),
        "ctds": (build_teacher(typed_settings({"alg": "ctds"}), TWO_VIEWS), TWO_VIEWS),
        "ctds's student": (build_online_student(typed_settings({"alg": "ctds"}), TWO_VIEWS), TWO_VIEWS),
    }
    for alg in ("qmix", "mappo"):
        for info in ("none", "unified", "agent-specific"):
            found[f"{alg} {info}"] = build_teacher(typed_settings({"alg": alg, "global_info": info}), SPEC), SPEC
    low = {"global_info": "agent-specific", "info_rank": 8}
    return {**found, "qmix of low rank": (build_teacher(typed_settings({"alg": "qmix", **low}), SPEC), SPEC)}


POLICIES = policies()


@pytest.mark.parametrize("name", POLICIES)
def test_play_sees_the_average_as_it_is_now(name: str) -> None:
    """Kernels lay out weights once: an average that was played with must be laid out anew after the next update."""
    network, spec = POLICIES[name]
    average = AveragedWeights(copy.deepcopy(network), decay=0.5)
    chance = torch.Generator().manual_seed(1)
    size = local_input_size(spec.obs_size, spec.n_actions, spec.n_agents)
    local = torch.randn(2, spec.n_agents, size, generator=chance)
    state = torch.randn(2, spec.state_size, generator=chance) if network.reads_state else None
    noise = torch.randn(2, spec.n_agents, network.noise_size, generator=chance) if network.noise_size else None

    def values(policy: Policy) -> Tensor:
        with torch.inference_mode():
            return policy.step(local, None, state, noise).values

    before = None
    for update in (1, 2, 20):
        with torch.no_grad():
            for parameter in average._learning.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=chance))
        average.take_in(update)
        fresh = copy.deepcopy(network)  # has never played with these weights
        fresh.load_state_dict(average.state())
        now = values(average.network)
        assert torch.equal(now, values(fresh))
        assert before is None or not torch.equal(now, before)
        before = now


def episodes(spec: EnvSpec, count: int, steps: int) -> list[Episode]:
    chance = np.random.default_rng(0)
    n, a = spec.n_agents, spec.n_actions
    return [
        Episode(
            seed=k,
            obs=chance.random((steps + 1, n, spec.obs_size), np.float32),
            state=chance.random((steps + 1, spec.state_size), np.float32),
            available=np.ones((steps + 1, n, a), bool),
            actions=chance.integers(0, a, (steps, n)).astype(np.int16),
            reward=chance.random(steps, np.float32),
            terminated=True,
            won=False,
            noise=chance.standard_normal((steps, n, 64)).astype(np.float32),
        )
        for k in range(count)
    ]


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_learning_is_as_without_and_the_result_is_the_average(alg: str) -> None:
    spec = TWO_VIEWS if alg == "ctds" else SPEC
    one_each = {"rollout_steps": 20, "epochs": 1} if alg == "mappo" else {"batch_episodes": 4, "updates_per_round": 1}
    sizes = {"alg": alg, **one_each}
    plain, averaged = (
        build_learner(settings, spec, 1)
        for settings in (train_teacher_settings({**sizes, "average_weights": decay}) for decay in (0.0, 0.9))
    )
    assert plain.result is plain.teacher
    expected: dict[str, Tensor] = {}
    for _ in range(3):
        for learner in (plain, averaged):
            assert learner.learn(episodes(spec, 4, 6))
        for name, tensor in plain.teacher.state_dict().items():
            expected[name] = torch.lerp(expected.get(name, tensor), tensor, weight_of_newest(plain.updates, 0.9))
    assert identity(plain.teacher.state_dict()) == identity(averaged.teacher.state_dict())
    assert identity(averaged.result.state_dict()) != identity(averaged.teacher.state_dict())
    for name, tensor in expected.items():
        torch.testing.assert_close(averaged.result.state_dict()[name], tensor)
    resumed = build_learner(train_teacher_settings({**sizes, "average_weights": 0.9}), spec, 1)
    resumed.load(averaged.state(), [])
    assert identity(resumed.result.state_dict()) == identity(averaged.result.state_dict())


def test_tables_mark_it() -> None:
    assert teacher_marks(train_teacher_settings({"average_weights": 0.99}), 64) == ["averaged"]
    assert teacher_marks(train_teacher_settings({"average_weights": 0.0}), 64) == []
