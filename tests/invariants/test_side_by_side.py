"""What a policy makes of an environment does not depend, in any bit, on which others it is asked about with it.

Whoever plays engines asks about those that have answered, so else a result would depend on which of them was faster.
"""

from typing import Any

import pytest
import torch

from ptde_core.algorithms.building import build_online_student, build_teacher
from ptde_core.algorithms.catalogue import typed_settings
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.envs.two_views import Sights, StateBesideView
from ptde_core.nets.network_settings import StudentSettings
from ptde_core.nets.student_network import STUDENTS
from ptde_core.policies.network_inputs import local_input
from ptde_core.policies.policy import Policy
from ptde_core.policies.student import Student
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.memories import joined, split

SPEC: EnvSpec = Skirmish("3m", 1).spec
TWO_VIEWS = StateBesideView(PersonalSignalGame(1), Sights()).spec
ROWS = 9


def policies() -> dict[str, tuple[Policy, Any]]:
    torch.manual_seed(0)
    found: dict[str, tuple[Policy, Any]] = {
        "copa": (build_teacher(typed_settings({"alg": "copa", "global_info": "coach"}), SPEC), SPEC),
        "csrl": (build_teacher(typed_settings({"alg": "csrl", "global_info": "commander"}), SPEC), SPEC),
        "ctds": (build_teacher(typed_settings({"alg": "ctds"}), TWO_VIEWS), TWO_VIEWS),
        "ctds's student": (build_online_student(typed_settings({"alg": "ctds"}), TWO_VIEWS), TWO_VIEWS),
    }
    for alg in ("qmix", "mappo"):
        for info in ("none", "unified", "agent-specific"):
            found[f"{alg} {info}"] = build_teacher(typed_settings({"alg": alg, "global_info": info}), SPEC), SPEC
    low_rank = build_teacher(typed_settings({"alg": "qmix", "global_info": "agent-specific", "info_rank": 8}), SPEC)
    found["qmix of low rank"] = low_rank, SPEC
    assert isinstance(low_rank, Teacher)
    for student in STUDENTS:
        found[f"{student} student"] = Student(low_rank, StudentSettings.model_validate({"student": student})), SPEC
    return found


POLICIES = policies()


def _sparse(shape: tuple[int, ...], chance: torch.Generator) -> torch.Tensor:
    """Half of it zeros, at places of their own in each row: kernels skip what they can."""
    return torch.randn(shape, generator=chance).relu()


@pytest.mark.parametrize("name", POLICIES)
def test_rows_alone_and_in_any_company_get_the_same(name: str) -> None:
    policy, spec = POLICIES[name]
    chance = torch.Generator().manual_seed(1)
    together, alone, pairs = None, [None] * ROWS, [None] * ROWS  # memories
    with torch.inference_mode():
        for step in range(6):
            last_actions = torch.randint(-1, spec.n_actions, (ROWS, spec.n_agents), generator=chance)
            local = local_input(_sparse((ROWS, spec.n_agents, spec.obs_size), chance), last_actions, spec.n_actions)
            state = _sparse((ROWS, spec.state_size), chance) if policy.reads_state else None
            noise_shape = (ROWS, spec.n_agents, policy.noise_size)
            noise = torch.randn(noise_shape, generator=chance) if policy.noise_size else None

            def asked(rows: list[int], memory: Any) -> Any:
                seen = (None if x is None else x[rows] for x in (state, noise))  # noqa: B023  called in this step
                return policy.step(local[rows], memory, *seen)  # noqa: B023

            values, together, z = asked(list(range(ROWS)), together)
            for row in range(ROWS):
                own, alone[row], own_z = asked([row], alone[row])
                assert torch.equal(own[0], values[row])
                assert own_z is None if z is None else torch.equal(own_z[0], z[row])
            for first in range(0, ROWS - 1, 2):
                rows = [first + 1, first] if step % 2 else [first, first + 1]
                own, memory, _ = asked(rows, joined([pairs[row] for row in rows]))
                for row, part in zip(rows, split(memory, 2), strict=True):
                    pairs[row] = part
                assert torch.equal(own, values[rows])
