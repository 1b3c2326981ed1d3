import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.envs.smac_api import StarCraft2Env
from ptde_core.envs.smac_api.smac_units import Unit


def test_a_restart_begins_the_list_of_battles_anew() -> None:
    env = StarCraft2Env("3m", seed=1)
    first, second = [env.reset()[0] and env.agents for _ in range(2)]
    env.full_restart()
    with pytest.raises(ValueError, match=r"call reset\(\)"):
        env.step([1, 1, 1])
    env.reset()
    assert env.agents == first != second
    assert env.get_stats()["restarts"] == env.force_restarts == 1
    drawn = StarCraft2Env("3m")
    seed = drawn.seed()
    drawn.full_restart()
    assert drawn.seed() != seed


def plain_script(env: StarCraft2Env, targets: list[int | None], rest: bool) -> list[int]:
    """The numbers that SMAC's script writes, unit by unit; it asks of nobody whether he lives."""
    numbers = []
    for k, unit in env.agents.items():
        heals = unit.unit_type == env.medivac_id
        others = env.agents if heals else env.enemies

        def wanted(other: Unit, heals: bool = heals) -> bool:
            hurt = other.health < other.health_max and other.unit_type != env.medivac_id
            return other.health > 0 and (hurt or not heals)

        if targets[k] is None or not wanted(others[targets[k]]):
            away = {j: math.dist(unit.pos, other.pos) for j, other in others.items() if wanted(other)}
            targets[k] = min(away, key=away.__getitem__) if away else None
        if targets[k] is None:
            numbers.append(0)
            continue
        number = 6 + targets[k]
        if rest and not env.get_avail_agent_actions(k)[number]:
            dx, dy = (there - here for there, here in zip(others[targets[k]].pos, unit.pos, strict=True))
            number = (4 if dx > 0 else 5) if abs(dx) > abs(dy) else (2 if dy > 0 else 3)
        numbers.append(number)
    return numbers


@pytest.mark.parametrize("rest", [False, True])
def test_the_script_writes_numbers_for_the_dead_too(rest: bool) -> None:
    env = StarCraft2Env("MMM2", seed=2, heuristic_ai=True, heuristic_rest=rest)
    env.reset()
    given, over, targets, of_the_dead = [1] * 10, False, [None] * 10, set()
    while not over:
        expected = plain_script(env, targets, rest)
        dead = [k for k, unit in env.agents.items() if unit.health == 0]
        _, over, _ = env.step(given)
        assert given == expected
        of_the_dead |= {given[k] for k in dead}
    assert of_the_dead
    assert of_the_dead <= ({0, 2, 3, 4, 5} if rest else {0, *range(6, 18)})
    assert max(of_the_dead) > 1


def test_max_reward_grows_with_each_reset_before_the_first_battle_is_over() -> None:
    env, plain = (StarCraft2Env("3m", seed=1, heuristic_ai=True) for _ in range(2))
    assert env.max_reward == 230
    env.reset()
    assert env.max_reward == 365
    env.reset()
    assert env.max_reward == 500
    plain.reset()
    plain._battles_begun = 1  # the same battle as the other's second
    plain._episode_count = 1
    plain.reset()
    assert plain.max_reward == 365
    over, rewards = False, []
    while not over:
        reward, over, _ = env.step([1, 1, 1])
        rewards.append((reward, plain.step([1, 1, 1])[0]))
    assert [a * 500 for a, _ in rewards] == pytest.approx([b * 365 for _, b in rewards])
    assert any(b > 0 for _, b in rewards)
    env.reset()
    assert env.max_reward == 500, "once a battle has been played to its end it stays"


WORKERS = """
import multiprocessing
from ptde_core.envs.smac_api import StarCraft2Env

def battle(env):
    env.reset()
    return " ".join(f"{unit.facing:.9f}" for unit in env.agents.values())

def work(pipe, env=None):
    pipe.send(battle(env or StarCraft2Env("3m", seed=7)))

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    before = StarCraft2Env("3m", seed=7)
    for given in ((), (before,)):  # built in the worker; built before it
        for _ in range(2):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=work, args=(theirs, *given))
            process.start()
            print(ours.recv())
            process.join()
    print(battle(before))
"""


@pytest.mark.slow
def test_workers_with_one_seed_play_other_battles_where_one_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(WORKERS)

    def battles(**variable: str) -> list[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PTDE_SMAC")}
        command = [sys.executable, str(tmp_path / "workers.py")]
        environment |= {"PYTHONPATH": os.pathsep.join(sys.path)} | variable
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    one = battles()
    assert len(one) == 5
    assert len(set(one)) == 1, "equal seeds, equal battles"
    each = battles(PTDE_SMAC_SEED_PER_PROCESS="1")
    assert len(set(each)) == 5
    assert each[-1] == one[0], "the main process plays the seed's own"
    assert battles(PTDE_SMAC_SEED_PER_PROCESS="1") == each


def test_a_wrong_value_of_the_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTDE_SMAC_SEED_PER_PROCESS", "yes")
    with pytest.raises(PtdeError, match="PTDE_SMAC_SEED_PER_PROCESS = 'yes' is neither 0 nor 1; type for example"):
        StarCraft2Env("3m")
