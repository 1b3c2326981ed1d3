"""The example of docs/how-to/own-maps.md is a map that loads and plays, and the page names what there is."""

import re
from pathlib import Path

import numpy as np
import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.envs.skirmish import map_files, paths
from ptde_core.envs.skirmish.corners import wall_corners
from ptde_core.envs.skirmish.map_files import MOST_CORNERS, ORDER_KEYS, load_map, terrain_names
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


def test_a_map_of_too_many_corners_is_refused_before_ways_are_planned(tmp_path: Path) -> None:
    rows = ["".join("#" if x % 3 == y % 3 == 0 else "." for x in range(64)) for y in range(64)]
    map_file = tmp_path / "m.toml"
    map_file.write_text(f"terrain = {rows}\nlimit = 1\nallies = []\nenemies = []\nenemy_order = {{}}\n")
    sentence = f"floor cells lie at corners of walls.*; draw fewer walls or larger ones: at most {MOST_CORNERS} such"
    with pytest.raises(PtdeError, match=sentence):
        load_map(map_file)


def test_corners_by_hand_and_those_of_the_maps_are_few() -> None:
    floor = np.ones((5, 4), bool)
    floor[2, 0] = floor[2, 1] = False  # a wall of two cells that stands at the edge: two corners, each beside its top
    assert wall_corners(floor).tolist() == [[1.5, 2.5], [3.5, 2.5]]
    assert wall_corners(np.ones((4, 4), bool)).shape == (0, 2)
    assert max(len(wall_corners(load_map(name).terrain.walkable)) for name in map_files.map_names()) == 28


def test_a_way_is_free_where_every_point_of_its_lane_is() -> None:
    """The compiled form against the plain one, on random grounds: equal bit for bit."""
    chance = np.random.default_rng(0)
    for share in (0.03, 0.1, 0.3, 0.6):
        floor = chance.random((14, 11)) > share
        cells = np.argwhere(floor) + 0.5
        plain = np.full((len(cells), len(cells)), np.inf)
        for i, start in enumerate(cells):
            span = cells - start
            far = np.hypot(span[:, 0], span[:, 1])
            paces = np.linspace(0.0, 1.0, 2 + int(far.max() / paths._PACE))
            line = start + paces[:, None, None] * span
            corners = [(x, y) for x in (-paths.CLEARANCE, paths.CLEARANCE) for y in (-paths.CLEARANCE, paths.CLEARANCE)]
            free = [floor[tuple(np.floor(line + corner).astype(int).transpose(2, 0, 1))].all(0) for corner in corners]
            plain[i] = np.where(np.all(free, axis=0), far, np.inf)
        assert paths._seen(floor, cells, cells).tobytes() == plain.tobytes()
