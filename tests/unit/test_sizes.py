"""Parameters counted by hand; the trunk that makes a plain teacher as large as one with information."""

import pytest
import torch

from ptde_core.algorithms.building import build_teacher
from ptde_core.algorithms.catalogue import typed_settings
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.policies.parameter_counts import nearest_width, parameter_counts, size_of
from ptde_core.policies.teacher import Teacher
from ptde_core.storage.evaluation_file import TRAINING_ONLY

SPEC: EnvSpec = PersonalSignalGame.spec  # 1 number seen, 3 actions, 2 agents, state 6: L = 1 + 3 + 2 = 6


def test_counts_by_hand() -> None:
    """Widths 2, z of 3. Trunk: 6x2+2, GRU 2(3x2x2)+2(3x2). Head: 2x2+2 and (2+3)x3+3.

    Information: hidden 6x2+2, weights 2x(6x3)+6x3, bias 6x3+3, and two heads of two layers 3x3+3.
    """
    teacher = Teacher(SPEC, NetworkSettings(hidden_size=2, info_size=3))
    content = {"networks": teacher.state_dict(), "training_networks": {"w": torch.zeros(5, 2), "b": torch.zeros(1)}}
    assert parameter_counts(content) == {
        "trunk": 14 + 24 + 12,
        "information": 14 + 54 + 21 + 4 * 12,
        "head": 6 + 18,
        TRAINING_ONLY: 11,
    }


def test_a_rank_makes_the_information_lighter() -> None:
    """Rank 1 with hidden layers of 2: 6x2+2 of the state, 6x2+2 and 2x1 of an agent, 2x4+4 mixed, two heads 2x3+3."""
    teacher = Teacher(SPEC, NetworkSettings(hidden_size=2, info_size=3, info_rank=1))
    assert parameter_counts({"networks": teacher.state_dict()})["information"] == 14 + (14 + 2) + 12 + 2 * 9


def test_a_student_is_counted_under_its_name() -> None:
    networks = {"trunk.a": torch.zeros(3), "network.layers.0.weight": torch.zeros(2, 2)}
    assert parameter_counts({"networks": networks}) == {"trunk": 3, "student": 4}


@pytest.mark.parametrize(("wanted", "width"), [(100, 10), (109, 10), (112, 11), (1, 1), (0, 1)])
def test_the_nearest_width(wanted: int, width: int) -> None:
    assert nearest_width(lambda w: w * w, wanted) == width


def test_a_matched_teacher_is_as_large_as_one_with_information() -> None:
    settings = NetworkSettings().model_dump()
    informed = build_teacher(typed_settings({"alg": "qmix", **settings}), SPEC)
    matched = build_teacher(
        typed_settings({"alg": "qmix", **settings, "global_info": "none", "match_parameters": True}), SPEC
    )
    count = [sum(p.numel() for p in teacher.parameters()) for teacher in (informed, matched)]
    assert matched.trunk.hidden_size > 64
    assert abs(count[1] - count[0]) / count[0] < 0.01
    for width in (matched.trunk.hidden_size - 1, matched.trunk.hidden_size + 1):
        other = Teacher(SPEC, NetworkSettings(global_info="none", hidden_size=width))
        assert abs(sum(p.numel() for p in other.parameters()) - count[0]) >= abs(count[1] - count[0])


def test_counting_makes_no_network() -> None:
    before = torch.random.get_rng_state()
    assert size_of(lambda: torch.nn.Linear(100_000, 100_000)) == 100_000 * 100_001
    assert torch.equal(torch.random.get_rng_state(), before)
