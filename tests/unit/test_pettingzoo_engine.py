"""Any PettingZoo environment under the contract: skirmish's own, and a small one that keeps none of the habits."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptde_core.algorithms.from_checkpoint import spec_from_plain, spec_to_plain
from ptde_core.base.errors import PtdeError
from ptde_core.envs.contract import check_environment
from ptde_core.envs.engines.pettingzoo.flat_actions import Choices
from ptde_core.envs.engines.pettingzoo.maker import Place
from ptde_core.envs.engines.pettingzoo.pettingzoo_engine import PettingZooEngine, build_pettingzoo
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.workers.engine_contract import View
from ptde_core.runs.stage_settings import default_folder, train_teacher_settings
from tests.leaving_game import Leaving

pytest.importorskip("pettingzoo")
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from pettingzoo import AECEnv

SKIRMISH = "ptde_core.envs.pettingzoo_api:parallel_env"

LEAVING = "tests.leaving_game"


@pytest.fixture
def leaving(monkeypatch: pytest.MonkeyPatch) -> PettingZooEngine:
    monkeypatch.setattr(sys, "path", sys.path.copy())  # the engine's own process may add to it, this one shall not
    return PettingZooEngine(LEAVING)


def view_of(engine: PettingZooEngine) -> View:
    spec = engine.spec
    return View(
        np.zeros((spec.n_agents, spec.obs_size), np.float32),
        np.zeros(spec.state_size, np.float32),
        np.zeros((spec.n_agents, spec.n_actions), np.bool_),
    )


def test_any_environment_keeps_the_contract() -> None:
    check_environment(partial(build_pettingzoo, LEAVING), steps=6, can_snapshot=False)


def test_through_pettingzoo_skirmish_is_skirmish_in_size() -> None:
    spec, own = PettingZooEngine(SKIRMISH).spec, Skirmish("3m", 1).spec
    assert (spec.n_agents, spec.n_actions, spec.obs_size) == (own.n_agents, own.n_actions, own.obs_size)
    assert (spec.state_size, spec.version) == (own.state_size, f"skirmish_v{own.version}")


def test_views_and_masks_are_padded_and_those_who_left_stand_still(leaving: PettingZooEngine) -> None:
    view = view_of(leaving)
    leaving.reset(1, view)
    assert leaving.spec.obs_size == 4
    assert leaving.spec.state_names[:2] == ("big.obs_0", "big.obs_1")
    assert view.obs.tolist()[1] == [1.0, 0.0, 0.0, 0.0]
    assert view.available.tolist() == [[True, False, True], [True, True, False]]
    assert leaving.step(np.array([0, 1]), view) == (1.0, False, False, False)
    assert view.available.tolist()[1] == [True, False, False]
    assert leaving.step(np.array([0, 0]), view) == (0.5, False, False, False)
    assert view.obs.tolist()[1] == [0.0, 0.0, 0.0, 0.0]
    assert np.array_equal(view.state, view.obs.ravel())
    assert leaving.step(np.array([2, 0]), view) == (0.5, True, False, True)


def test_running_out_of_time_truncates(leaving: PettingZooEngine) -> None:
    view = view_of(leaving)
    leaving.reset(1, view)
    outcomes = [leaving.step(np.array([0, 0]), view) for _ in range(leaving.spec.episode_limit)]
    assert [one.truncated for one in outcomes] == [False, False, False, True]
    assert not any(one.terminated or one.won for one in outcomes)


def test_whether_it_can_be_won_is_what_the_metadata_say_else_the_infos_of_a_step(
    leaving: PettingZooEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert leaving.spec.can_be_won, "its infos have a key won"
    monkeypatch.setitem(Leaving.metadata, "can_be_won", False)
    silent = PettingZooEngine(LEAVING)
    assert not silent.spec.can_be_won
    assert silent.spec.fingerprint() == leaving.spec.fingerprint(), "older checkpoints, which do not say, still play"
    view = view_of(silent)
    silent.reset(1, view)
    with pytest.raises(PtdeError, match=r'reports a win, but .* add "can_be_won": True to its metadata'):
        silent.step(np.array([2, 0]), view)
    assert PettingZooEngine(SKIRMISH).spec.can_be_won
    assert not PettingZooEngine("tests.gathering_game").spec.can_be_won


def test_the_facts_come_back_from_a_checkpoint(leaving: PettingZooEngine) -> None:
    spec = replace(leaving.spec, can_be_won=False)
    assert spec_from_plain(spec_to_plain(spec)) == spec


def test_an_edited_environment_is_another_game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "edited_game.py"
    shutil.copy(Path(__file__).parents[1] / "leaving_game.py", path)
    monkeypatch.syspath_prepend(tmp_path)
    before = PettingZooEngine("edited_game").spec
    assert PettingZooEngine("edited_game").spec == before
    path.write_text(path.read_text() + "\n# another one\n")
    monkeypatch.delitem(sys.modules, "edited_game")
    after = PettingZooEngine("edited_game").spec
    assert before.world.changed(after.world)
    assert before.fingerprint() != after.fingerprint()


def test_what_an_environment_imports_of_the_users_own_is_part_of_the_game(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is imported by name or inside a function, is the base class, lies in a package or elsewhere."""
    (tmp_path / "inner_parts").mkdir()
    (tmp_path / "inner_parts" / "__init__.py").write_text("")
    (tmp_path / "inner_parts" / "pay.py").write_text("from . import more\nPAY = 1.0")
    (tmp_path / "inner_parts" / "more.py").write_text("")
    (tmp_path / "late_part.py").write_text("SIZE = 3")
    shutil.copy(Path(__file__).parents[1] / "leaving_game.py", tmp_path / "base_game.py")
    (tmp_path / "unrelated.py").write_text("")
    (tmp_path / "named_part.py").write_text("")
    (tmp_path / "on_the_path").mkdir()
    (tmp_path / "on_the_path" / "far_part.py").write_text("")
    imports = "from inner_parts.pay import PAY\nimport base_game, importlib, far_part\ndef f():\n    import late_part\n"
    named = "    importlib.import_module('named_part')\n"
    (tmp_path / "whole_game.py").write_text(imports + named + "class parallel_env(base_game.Leaving): pass\n")
    monkeypatch.syspath_prepend(tmp_path / "on_the_path")
    monkeypatch.syspath_prepend(tmp_path)
    before = PettingZooEngine("whole_game").spec.map_digest
    assert PettingZooEngine("whole_game").spec.map_digest == before
    inner = ("inner_parts/__init__", "inner_parts/pay", "inner_parts/more", "named_part", "on_the_path/far_part")
    for part in (*inner, "late_part", "base_game", "unrelated"):
        path = tmp_path / f"{part}.py"
        whole = path.read_text()
        path.write_text(f"{whole}\n# edited\n")
        after = PettingZooEngine("whole_game").spec.map_digest
        assert (after == before) == (part == "unrelated"), part
        path.write_text(whole)


def test_files_that_swap_their_contents_make_another_game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(Path(__file__).parents[1] / "leaving_game.py", tmp_path / "two_part_game.py")
    with (tmp_path / "two_part_game.py").open("a") as file:
        file.write("\nimport easy_part, hard_part\nparallel_env = Leaving\n")
    parts = [tmp_path / f"{name}_part.py" for name in ("easy", "hard")]
    for path, text in zip(parts, ("A = 0", "A = 1"), strict=True):
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    before = PettingZooEngine("two_part_game").spec.map_digest
    for path, text in zip(parts, ("A = 1", "A = 0"), strict=True):
        path.write_text(text)
    assert PettingZooEngine("two_part_game").spec.map_digest != before


class _OldReset(Leaving):
    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()[0]


class _OldAnswer(Leaving):
    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed)[0]


class _OldStep(Leaving):
    def step(self, actions: dict[str, int]) -> Any:
        seen, rewards, ended, _, infos = super().step(actions)
        return seen, rewards, ended, infos


class _Turns:
    """An AEC environment that derives from nothing."""

    possible_agents = ("a",)

    def observation_space(self, agent: str) -> None: ...
    def action_space(self, agent: str) -> None: ...
    def reset(self, seed: int | None = None) -> None: ...
    def step(self, action: int) -> None: ...
    def agent_iter(self) -> None: ...
    def last(self) -> None: ...


def turns() -> Any:
    class Derived(AECEnv):  # type: ignore[misc]
        possible_agents = ("a",)

    return Derived()


@pytest.mark.parametrize(
    ("maker", "says"),
    [
        (turns, "makes an AEC environment, whose agents act one after another; give its parallel_env"),
        (_Turns, "makes an AEC environment"),
        (_OldReset, r"takes no seed: its signature is of before PettingZoo 1.22; write it as reset\(self, seed=None"),
        (_OldAnswer, r"returns a dict, not \(observations, infos\): it is of before PettingZoo 1.23"),
        (_OldStep, r"a step returns 4 values, not \(observations, .*: it is of before PettingZoo 1.22"),
    ],
)
def test_environments_of_other_kinds_and_of_older_versions_are_named(
    maker: Any, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr("tests.leaving_game.parallel_env", maker)
    with pytest.raises(PtdeError, match=says):
        PettingZooEngine(LEAVING)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("tests.combining_game:make?m=5", r"cannot be called so \(got an unexpected keyword argument 'm'\)"),
        ("tests.combining_game:make?n", r"'n' in .* is not of the form key=value"),
        ("tests.combining_game:make?n=2&n=3", "gives n twice"),
        ("tests.combining_game:make#reward=all", "no reward of a team named 'all'"),
        ("tests.combining_game:make#rewards=playing", "no option of a PettingZoo environment named 'rewards'"),
        ("tests.combining_game:make?most=true", "which has 1,000,000 combinations"),
        ("nowhere_at_all:env?n=5", "no PettingZoo environment at 'nowhere_at_all:env\\?n=5'"),
        ("nowhere_at_all:env", "no PettingZoo environment at 'nowhere_at_all:env'"),
        ("ptde_core.envs.pettingzoo_api:nothing", "no PettingZoo environment at"),
        ("ptde_core:__version__", "cannot be called"),
        ("ptde_core.base.setting_fields:Settings", "a class without reset and step"),
        ("os:abort", "function of Python's own"),
        ("shutil:disk_usage", "function of Python's own"),
        ("ptde_core.base.errors:unknown", "cannot be called without arguments"),
        ("ptde_core.envs.skirmish.map_files:map_names", "which is no ParallelEnv"),
    ],
)
def test_what_is_no_environment_is_refused(place: str, says: str) -> None:
    with pytest.raises(PtdeError, match=says):
        PettingZooEngine(place)


COMBINING = "tests.combining_game:make"


@pytest.fixture
def combining(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], PettingZooEngine]:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    return lambda behind: PettingZooEngine(COMBINING + behind)


def test_combinations_are_actions_of_their_own(combining: Callable[[str], PettingZooEngine]) -> None:
    engine = combining("?n=3")
    assert (engine.spec.n_agents, engine.spec.n_actions) == (3, 6)
    assert engine.spec.action_names == (
        "action_0_0",
        "action_0_1",
        "action_0_2",
        "action_1_0",
        "action_1_1",
        "action_1_2",
    )
    assert engine.spec.map == f"{COMBINING}?n=3"
    view = view_of(engine)
    engine.reset(1, view)
    assert view.available.all()
    engine.step(np.array([0, 5, 3]), view)
    assert [engine._env.taken[agent].tolist() for agent in engine._agents] == [[0, 0], [1, 2], [1, 0]]
    assert engine._env.action_space("a0").contains(engine._env.taken["a0"])


@pytest.mark.parametrize(
    ("mask", "allowed"),
    [
        ("[1,0,0,0,0,1]", [True, False, False, False, False, True]),
        ("[[1,1],[0,1,0]]", [False, True, False, False, True, False]),
    ],
)
def test_masks_are_of_all_combinations_or_of_each_part(
    mask: str, allowed: list[bool], combining: Callable[[str], PettingZooEngine]
) -> None:
    engine = combining(f"?mask={mask}")
    view = view_of(engine)
    engine.reset(1, view)
    assert view.available.tolist() == [allowed] * 2


def test_a_mask_of_another_form_is_refused(combining: Callable[[str], PettingZooEngine]) -> None:
    engine = combining("?mask=[1,1]")
    with pytest.raises(
        PtdeError, match=r"an action_mask is \[1, 1\]; give 6 numbers, or one mask for each of the parts"
    ):
        engine.reset(1, view_of(engine))


@pytest.mark.parametrize(
    ("space", "count", "number", "action"),
    [
        (Discrete(3, start=-1), 3, 0, -1),
        (MultiBinary(2), 4, 2, [1, 0]),
        (MultiDiscrete([[2, 2], [1, 3]]), 12, 11, [[1, 1], [0, 2]]),
        (MultiDiscrete([2, 3], start=[5, 1]), 6, 4, [6, 2]),
    ],
)
def test_each_kind_of_choice_is_counted(space: Any, count: int, number: int, action: Any) -> None:
    choices = Choices(space, "a")
    assert choices.count == len(choices.names) == len(set(choices.names)) == count
    assert np.array_equal(choices.action(number), action)
    assert all(space.contains(choices.action(k)) for k in range(count))
    assert len({str(choices.action(k)) for k in range(count)}) == count


def test_a_box_of_actions_is_refused() -> None:
    with pytest.raises(PtdeError, match="only Discrete, MultiDiscrete and MultiBinary actions can be played"):
        Choices(Box(-1, 1, (2,)), "a")


@pytest.mark.parametrize(("behind", "reward"), [("", 0.5), ("#reward=team", 0.5), ("#reward=playing", 1.0)])
def test_whether_those_who_left_count_in_the_teams_reward(
    behind: str, reward: float, leaving: PettingZooEngine
) -> None:
    engine = PettingZooEngine(LEAVING + behind)
    view = view_of(engine)
    engine.reset(1, view)
    assert engine.step(np.array([0, 1]), view).reward == 1.0, "both played"
    assert engine.step(np.array([0, 0]), view).reward == reward
    assert (engine.spec.fingerprint() == leaving.spec.fingerprint()) is (not behind)


def test_arguments_are_read_as_set_reads_them() -> None:
    place = Place.of("a.b:make?n=5&x=0.5&on=true&sizes=[1, 2]&mode=hard&text=a%26b%23c")
    assert (place.module, place.maker, place.reward) == ("a.b", "make", "team")
    assert place.arguments == {"n": 5, "x": 0.5, "on": True, "sizes": [1, 2], "mode": "hard", "text": "a&b#c"}
    assert Place.of("a.b").maker == ""


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("a.b:make?n=5&mode=hard#reward=playing", "a.b-make-n-5-mode-hard-reward-playing"),
        ("academy_3_vs_1_with_keeper:checkpoints", "academy_3_vs_1_with_keeper-checkpoints"),
        ("3s_vs_5z", "3s_vs_5z"),
        ("maps/own.toml", "own"),
        ("a:b?path=../../x", "a-b-path-..-..-x"),
        ("..", "map"),
    ],
)
def test_a_run_folders_name_holds_nothing_that_a_system_refuses(name: str, folder: str) -> None:
    run = default_folder(train_teacher_settings({"env": "pettingzoo", "map": name}))
    assert run.path == Path("runs/pettingzoo") / folder / "QMIX_SGI" / "seed1"
