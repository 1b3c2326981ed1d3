"""The example of docs/how-to/own-maps.md is a map that loads and plays, and the page names what there is."""

import re
from pathlib import Path

import numpy as np
import pytest

from ptde_core.envs.skirmish.map_files import ORDER_KEYS, load_map, terrain_names
from ptde_core.envs.skirmish.scripted import random_actions
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.skirmish.units import unit_names

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "own-maps.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("toml")
    Path("gate.toml").write_text(example)
    return tmp_path / "gate.toml"


def test_the_example_is_what_the_page_says(gate: Path) -> None:
    facts = load_map(gate)
    assert re.fullmatch(r"gate@[0-9a-f]{8}", facts.name)
    assert (facts.limit, facts.n_agents, facts.n_enemies) == (120, 5, 15)
    assert not facts.switches.idle_returns
    assert (facts.terrain.width, facts.terrain.height) == (24, 12)
    assert facts.terrain.cliff[11, 2]
    assert facts.ally_type_bits == ("hydralisk", "stalker", "zealot", "zergling")


def test_the_example_plays(gate: Path) -> None:
    env, chance = Skirmish(gate, 8), np.random.default_rng(0)
    env.reset(np.arange(8, dtype=np.uint64))
    steps = 0
    while not (env.terminated | env.truncated).all():
        env.step(random_actions(env.available, chance))
        steps += 1
    assert steps <= 120
    units = env.raw_units()
    assert (~units["alive"][:, :5]).any(), "the swarm has arrived"
    cells = env.facts.terrain.floor[units["x"].astype(int), units["y"].astype(int)]
    assert cells[units["alive"]].all()


def test_the_pages_python_runs(gate: Path) -> None:
    pytest.importorskip("pettingzoo", reason="the extra pettingzoo is not installed")
    (code,) = blocks("python")
    exec(compile(code, "docs/how-to/own-maps.md", "exec"), {})


def test_the_page_names_all_units_grounds_and_orders() -> None:
    for name in (*unit_names(), *terrain_names(), *ORDER_KEYS):
        assert f"`{name}`" in PAGE
