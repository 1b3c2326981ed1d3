"""StarCraft II through its packages' stand-ins: the contract, more zealots, replays, games that die, hang or leak."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.envs.contract import check_environment, random_actions
from ptde_core.envs.engines.starcraft.starcraft_engine import StarCraftEngine, build_starcraft, require_starcraft
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.workers.limits import Limits
from ptde_core.envs.workers.pool import EnginePool
from tests.hidden_packages import hide_packages

STANDIN = Path(__file__).parents[1] / "standin"
FILES = ("3m", "3s_vs_5z", "3s5z_vs_3s6z", "32x32_flat")


@pytest.fixture(autouse=True)
def starcraft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-ins on the path, a folder that looks like the game, and one for mishaps; the game's folder."""
    game = tmp_path / "game"
    (game / "Versions" / "Base75689").mkdir(parents=True)
    (game / "Maps" / "SMAC_Maps").mkdir(parents=True)
    for name in FILES:
        (game / "Maps" / "SMAC_Maps" / f"{name}.SC2Map").touch()
    monkeypatch.setenv("SC2PATH", str(game))
    monkeypatch.setenv("STANDIN_PLAN", str(tmp_path))
    monkeypatch.syspath_prepend(STANDIN)
    return game


def installed_version(package: str) -> str:
    """Of the real package where that is installed: the stand-in lies before it on the path, and has none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


@pytest.fixture
def engines() -> Iterator[list[EnginePool]]:
    """Pools that are closed after the test."""
    pools: list[EnginePool] = []
    yield pools
    for pool in pools:
        pool.close()


def one_game(engines: list[EnginePool], name: str = "3m", **limits: float) -> EnginePool:
    engines.append(EnginePool(partial(StarCraftEngine, "smac", name), 1, Limits(**{"step_seconds": 3.0, **limits})))
    return engines[0]


def play_on(env: EnginePool, seed: int = 1) -> int:
    """Play an episode of one environment to its end, lost or not; its length."""
    generator, length = np.random.default_rng(seed), 0
    env.reset(np.array([seed], np.uint64))
    while not (env.terminated | env.truncated | env.lost)[0]:
        env.step(random_actions(env, generator))
        length += 1
    return length


@pytest.mark.parametrize(("backend", "name"), [("smac", "3m"), ("smacv2", "protoss_3_vs_4")])
def test_both_packages_keep_the_contract(backend: str, name: str) -> None:
    check_environment(partial(ENVIRONMENTS[backend].build, name), steps=5, reproducible=False)
    assert "smac" not in sys.modules
    assert "smacv2" not in sys.modules


def test_smac_shows_what_skirmish_shows_and_says_who_it_is(engines: list[EnginePool]) -> None:
    spec, own = one_game(engines, "3s5z_vs_3s7z").spec, Skirmish("3s5z_vs_3s7z", 1).spec
    assert (spec.obs_names, spec.state_names, spec.action_names) == (own.obs_names, own.state_names, own.action_names)
    assert spec.backend == "smac"
    assert spec.version == f"smac {installed_version('smac')}, StarCraft II Base75689, rules 1"
    assert spec.fingerprint() != own.fingerprint()


def test_the_limit_truncates(engines: list[EnginePool], tmp_path: Path) -> None:
    env = one_game(engines)
    (tmp_path / "peace").touch()
    env.reset(np.array([1], np.uint64))
    for step in range(1, 61):
        env.step(np.ones((1, 3), np.int64))
        assert not env.terminated[0]
        assert env.truncated[0] == (step == 60)
    assert not env.won[0]


def test_more_zealots_come_and_are_sent_after_us(engines: list[EnginePool], tmp_path: Path) -> None:
    env = one_game(engines, "3s_vs_8z")
    assert (env.spec.n_actions, env.spec.episode_limit) == (14, 350)
    replay = tmp_path / "one.SC2Replay"
    for seed in (7, 8):  # the second time in a game that goes on
        env.reset(np.array([seed], np.uint64))
        env.save_recording(0, replay)
    told = json.loads(replay.read_text())
    assert (told["map"], told["seed"]) == ("3s_vs_5z", 7)
    kinds = ["create", "state", "order", "state"]
    assert [entry[0] for entry in told["log"]] == kinds * 2
    for (_, place, count), on, (_, ability, tags, aim), off in (told["log"][:4], told["log"][4:]):
        assert (count, ability, len(tags)) == (3, 23, 3)
        assert on == off == ["state", 2]
        assert place["x"] == pytest.approx(23, abs=2)  # among the enemies
        assert aim["x"] == pytest.approx(9, abs=2)  # to where we are


def test_the_seed_decides_what_smacv2_draws(engines: list[EnginePool]) -> None:
    env = build_starcraft("smacv2", "terran_2_vs_2", 2)
    engines.append(env)
    env.reset(np.array([5, 6], np.uint64))
    first = env.state.copy()
    assert not np.array_equal(first[0], first[1])
    env.reset(np.array([6, 5], np.uint64))
    assert np.array_equal(env.state, first[::-1])


@pytest.mark.parametrize("what", ["die", "hang", "disconnect"])
def test_a_game_that_breaks_loses_its_episode_and_is_replaced(
    what: str, engines: list[EnginePool], tmp_path: Path
) -> None:
    env = one_game(engines)
    before = env.pids
    (tmp_path / what).write_text("2")
    assert play_on(env) == 2
    assert env.lost[0]
    assert env.restarts == 1
    assert play_on(env) > 2
    assert env.restarts == 1
    assert env.pids != before


def test_a_game_that_leaks_is_replaced_between_episodes(engines: list[EnginePool], tmp_path: Path) -> None:
    env = one_game(engines, gigabytes=0.3)
    before = env.pids
    (tmp_path / "leak").write_text("2")
    play_on(env)
    assert not env.lost[0]
    assert env.restarts == 0
    play_on(env)
    assert not env.lost[0]
    assert (env.restarts, env.outgrown) == (0, 1), "it works: it is replaced, and nobody calls it broken"
    assert env.take_mishaps() == ["an engine was replaced: it holds more than 0.3 GB (PTDE_ENGINE_GIGABYTES)"]
    assert (tmp_path / "closed").exists(), "it could put its things in order"
    assert env.pids != before
    play_on(env)
    assert (env.restarts, env.outgrown) == (0, 1)


def test_whatever_is_missing_is_one_sentence_with_what_to_type(
    starcraft: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        PtdeError, match=r"no map .*corridor.SC2Map; type: curl -LO .*; unzip SMAC_Maps.zip -d .*/Maps$"
    ):
        require_starcraft("smac", "corridor")
    with pytest.raises(PtdeError, match="no map named '3n'"):
        require_starcraft("smac", "3n")
    with pytest.raises(PtdeError, match="no SMACv2 map named '3m'; write RACE_N_vs_M"):
        require_starcraft("smacv2", "3m")
    with pytest.raises(PtdeError, match="9 against 5"):
        require_starcraft("smacv2", "zerg_9_vs_5")
    monkeypatch.setenv("SC2PATH", str(tmp_path / "nowhere"))
    with pytest.raises(PtdeError, match=r"no StarCraft II in .*nowhere \(SC2PATH is set\); type: curl .*SC2.4.10.zip"):
        require_starcraft("smac", "3m")


def test_the_wrong_smac_and_none_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "smac" / "facade").mkdir(parents=True)
    (tmp_path / "smac" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        PtdeError, match=r"PyPI's tuner .* uninstall --yes smac; .*git\+https://github.com/oxwhirl/smac"
    ):
        require_starcraft("smac", "3m")
    hide_packages(monkeypatch)
    with pytest.raises(PtdeError, match=r"smacv2 is not installed; type: .*git\+https://github.com/oxwhirl/smacv2.git"):
        require_starcraft("smacv2", "zerg_5_vs_5")


def test_protocol_buffers_that_are_too_new_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "smac" / "env").mkdir(parents=True)
    (tmp_path / "smac" / "__init__.py").touch()
    (tmp_path / "smac" / "env" / "__init__.py").write_text("raise TypeError('Descriptors cannot be created directly.')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PtdeError, match=r"cannot be imported \(Descriptors .*\); type: .*'protobuf<3.21'"):
        build_starcraft("smac", "3m", 1)
