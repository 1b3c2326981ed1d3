"""What information matters: gradients and hidden parts worked by hand, shares, recovery, every kind of teacher."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ptde_core.algorithms.building import build_environment_of, build_teacher
from ptde_core.algorithms.from_checkpoint import restore, spec_to_plain
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.nets.network_settings import StudentSettings
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.policies.attribution import hidden_changes, mean_of_z, probes, sensitivities
from ptde_core.policies.network_inputs import local_inputs_of
from ptde_core.policies.student import Student
from ptde_core.runs.identity import training_made_from
from ptde_core.runs.stage_settings import InspectSettings, train_teacher_settings
from ptde_core.storage.checkpoint import identity, load_checkpoint, save_checkpoint
from ptde_core.storage.replay_file import UnitLook, Units
from ptde_core.storage.run_folder import RunFolder
from ptde_core.viewing.information import measure
from ptde_core.viewing.information.information_figure import draw_information
from ptde_core.viewing.information.information_tables import information_tables
from ptde_core.viewing.information.inspect_information import inspect
from ptde_core.viewing.information.measure import Played, blocks_of, depends_on, recovers
from tests.conftest import game_settings

# Two agents, z of two components, a state of three numbers: z_i = A_i s.
A = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]], [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]])
NAMES = ("ally_0.x", "ally_1.x", "enemy_0.x")


def linear(local: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nzs,rs->rnz", A, state)


def episode(state: list[list[float]], choice: list[list[bool]] | None = None) -> Episode:
    """Two agents; each row of `state` but the last is a step. With a choice an agent has two actions, else one."""
    steps = len(state) - 1
    available = np.ones((steps + 1, 2, 2), np.bool_)
    if choice is not None:
        available[:-1, :, 1] = choice
    return Episode(
        seed=1,
        obs=np.zeros((steps + 1, 2, 1), np.float32),
        state=np.array(state, np.float32),
        available=available,
        actions=np.zeros((steps, 2), np.int16),
        reward=np.zeros(steps, np.float32),
        terminated=True,
        won=False,
    )


def test_the_squared_gradient_of_a_linear_z_is_its_squared_weights() -> None:
    state = torch.randn(5, 3)
    squares = sensitivities(linear, torch.zeros(5, 2, 1), state, probes(2, 2, seed=0))
    by_hand = torch.tensor([[1.0, 9.0, 4.0], [0.0, 0.0, 2.0]])
    assert torch.allclose(squares, by_hand.expand(5, 2, 3), atol=1e-5)
    few = [sensitivities(linear, torch.zeros(1, 2, 1), state[:1], probes(2, 1, seed))[0] for seed in range(400)]
    assert torch.allclose(torch.stack(few).mean(dim=0), by_hand, atol=0.8)


def test_hiding_a_number_changes_z_by_what_it_added() -> None:
    state = torch.tensor([[1.0, 0.0, 0.0], [3.0, 0.0, 4.0]])
    changes = hidden_changes(linear, torch.zeros(2, 2, 1), state, torch.tensor([0, 2]))
    # Means 2 and 2: agent 0 loses 1 * (1 - 2) + 2 * (0 - 2) = -5 and then 5; agent 1 loses -2, -2 and then 2, 2.
    assert changes.tolist() == [[25.0, 8.0], [25.0, 8.0]]


def test_shares_by_hand() -> None:
    # Variances over the two steps: 1, 0, 4. So agent 0 is moved 1 * 1 by ally_0 and 4 * 4 by enemy_0.
    played = Played(episode([[1, 5, 0], [3, 5, 4], [9, 9, 9]]), None)
    found = depends_on(linear, [played], NAMES, sight=9.0, directions=2, seed=0)
    assert found.blocks == ("ally_0", "ally_1", "enemy_0")
    assert np.allclose(found.by_agent, [[1 / 17, 0, 16 / 17], [0, 0, 1]], atol=1e-6)
    # z of agent 0 is (1, 15) and then (11, 15): variance 25; hiding enemy_0 changes it by 4 and 4, squared 16.
    assert np.allclose(found.hidden, [[1 / 25, 0, 16 / 25], [0, 0, 1]], atol=1e-6)
    assert np.allclose(found.all_hidden, [1, 1], atol=1e-6)  # this z has nothing from what an agent sees
    assert (found.classes, found.by_class.shape) == ((), (0,))


def test_what_is_in_sight_is_told_from_what_is_beyond() -> None:
    ones = np.ones((3, 3), np.float32)
    x = np.array(
        [[0, 5, 8], [0, 5, 12], [0, 5, 12]], np.float32
    )  # the enemy leaves the sight of agent 0, not of agent 1
    units = Units(ones * x, ones, ones, ones, np.ones((3, 3), np.bool_), np.zeros((0, 3), np.int16))
    choice = [[True, False], [True, False]]  # only agent 0 counts
    played = Played(episode([[1, 5, 0], [3, 5, 4], [9, 9, 9]], choice), units)
    found = depends_on(linear, [played], NAMES, sight=9.0, directions=2, seed=0)
    shares = dict(zip(found.classes, found.by_class, strict=True))
    assert shares["own"] == pytest.approx(1 / 17)
    assert shares["enemies within 9 cells"] == pytest.approx(8 / 17)
    assert shares["enemies beyond 9 cells"] == pytest.approx(8 / 17)
    assert found.over_time[0, 3] == pytest.approx(16 / 17)
    assert np.isnan(found.by_agent[1]).all()


def test_recovery_is_one_for_z_itself_and_none_for_its_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [[1.0, 5, 0], [3, 5, 4], [2, 5, 1], [9, 9, 9]]
    played = Played(episode(states), None)
    z = linear(torch.zeros(0), torch.tensor(states[:-1])).numpy()
    mean = np.broadcast_to(z.reshape(-1, 2).mean(axis=0), z.shape)
    for guess, explained in ((z, 1.0), (mean, 0.0), (0.5 * z + 0.5 * mean, 0.75), (2 * mean - z, -3.0)):
        monkeypatch.setattr(measure, "_prediction", lambda student, of, guess=guess: guess)
        found = recovers(linear, None, [played], ())
        assert (found.rows, found.by_type, found.by_distance) == (6, {}, {})
        assert found.explained == pytest.approx(explained, abs=1e-6)


def test_recovery_by_type_and_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    ones = np.ones((3, 3), np.float32)
    x = np.array([[0, 5, 8], [0, 5, 12], [0, 5, 12]], np.float32)
    units = Units(ones * x, ones, ones, ones, np.ones((3, 3), np.bool_), np.zeros((0, 3), np.int16))
    looks = [
        UnitLook(name=name, side=side, radius=1, max_health=1, max_shield=0)
        for name, side in (("stalker", 0), ("zealot", 0), ("zealot", 1))
    ]
    played = Played(episode([[1, 5, 0], [3, 5, 4], [9, 9, 9]]), units)
    monkeypatch.setattr(measure, "_prediction", lambda student, of: linear(None, torch.tensor(of.state[:-1])).numpy())
    found = recovers(linear, None, [played], looks)
    assert {name: rows for name, (rows, _) in found.by_type.items()} == {"stalker": 2, "zealot": 2}
    # Distances of the agents to the enemy: 8 and 3, then 12 and 7.
    assert {name: rows for name, (rows, _) in found.by_distance.items()} == {
        "3 to 6 cells": 1, "6 to 9 cells": 2, "9 cells and more": 1,
    }  # fmt: skip


def test_parts_of_a_state_are_units_or_first_words() -> None:
    names = ("ally_0.x", "ally_10.x", "ally_0.last_action stop", "left_3_x", "ball_of_left_3", "ball_z", "signal")
    assert blocks_of(names) == {"ally_0": [0, 2], "ally_10": [1], "left_3": [3], "ball": [4, 5], "signal": [6]}


def test_gradients_agree_with_the_jacobian(trained_run: RunFolder) -> None:
    trained = restore(load_checkpoint(trained_run.teacher, "teacher"))
    mean_of, spec = mean_of_z(trained.policy), trained.spec
    local, state = torch.randn(3, spec.n_agents, trained.policy.local_size), torch.randn(3, spec.state_size)
    found = sensitivities(mean_of, local, state, probes(64, 64, seed=1))
    for row in range(3):
        jacobian = torch.autograd.functional.jacobian(
            lambda s, row=row: mean_of(local[row : row + 1], s[None])[0], state[row]
        )
        assert torch.allclose(found[row], jacobian.square().sum(dim=1), rtol=1e-3, atol=1e-5)


def fresh(folder: Path, **changes: object) -> RunFolder:
    """A run on 3m whose teacher has learned nothing."""
    decided = train_teacher_settings({"map": "3m", **changes})
    settings = decided.model_dump()
    env = build_environment_of(decided, 1)
    networks = build_teacher(decided, env.spec).state_dict()
    content = {
        "made_from": training_made_from(decided, env.spec.world).plain(),
        "settings": settings,
        "env": spec_to_plain(env.spec),
        "networks": networks,
        "teacher_id": identity(networks),
        "counters": {"env_steps": 0, "episodes": 0, "updates": 0},
    }
    run = RunFolder(folder)
    save_checkpoint(run.teacher, "teacher", content)
    return run


@pytest.mark.parametrize(
    "changes",
    [{"global_info": "unified"}, {"info_rank": 4}, {"alg": "mappo"}, {"alg": "copa"}, {"alg": "csrl"}],
    ids=str,
)
def test_every_teacher_with_information_is_inspected(changes: dict[str, object], tmp_path: Path) -> None:
    (found,) = inspect([fresh(tmp_path, **changes).path], InspectSettings(episodes=1, directions=1))
    of = found.dependence
    assert of.blocks == ("ally_0", "ally_1", "ally_2", "enemy_0", "enemy_1", "enemy_2")
    assert np.allclose(of.by_agent.sum(axis=1), 1)
    assert of.by_class.sum() == pytest.approx(1)
    assert (of.hidden >= 0).all()
    assert not found.recovered
    assert [table.title.split(" of ")[0] for table in information_tables([found])] == [
        "What the z", "Whose features move the z",
    ]  # fmt: skip
    assert len(draw_information(found).axes) == 3  # two panels, and the scale of the first


def test_a_teacher_without_information_is_refused_in_words(tmp_path: Path) -> None:
    for changes, name in (({"global_info": "none"}, "QMIX"), ({"alg": "ctds"}, "CTDS")):
        run = fresh(tmp_path / name, **changes)
        with pytest.raises(PtdeError, match=f"no z: the agents of {name} without global information are told nothing"):
            inspect([run.path], InspectSettings(episodes=1))


def test_a_students_z_is_read_where_it_gives_it(trained_run: RunFolder) -> None:
    trained = restore(load_checkpoint(trained_run.teacher, "teacher"))
    student = Student(trained.policy, StudentSettings())
    env = trained.environment(1)
    env.reset(np.array([1], np.uint64))
    views = {"obs": env.obs.copy(), "state": env.state.copy(), "available": env.available.copy()}
    env.close()
    shape = (1, trained.spec.n_agents)
    one = Episode(
        seed=1,
        **{name: np.concatenate([view, view]) for name, view in views.items()},
        actions=np.zeros(shape, np.int16),
        reward=np.zeros(1, np.float32),
        terminated=True,
        won=False,
    )
    with torch.no_grad():
        z, _ = student.network(local_inputs_of(one))
    assert np.allclose(measure._prediction(student, one), z.numpy(), atol=1e-6)


def test_of_a_student_its_own_teacher_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_teacher(game_settings(alg="ctds", steps=200, batch_episodes=8, test_every=100, keep="best"), run)
    with pytest.raises(PtdeError, match=r"student-best\.pt is a student.*teacher-best\.pt"):
        inspect([run.checkpoint("student", "best")], InspectSettings(episodes=1))
