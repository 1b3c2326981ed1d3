"""Replays that no game of ours leaves: refused where they are read, so that nothing is drawn of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from benchmarks.fuzz import write_a_replay
from ptde_core.base import machine_memory
from ptde_core.base.errors import PtdeError
from ptde_core.storage.replay_file import Replay, UnitLook, Units, read_replay, write_replay
from ptde_core.viewing.replays.movie import PICTURES, pictures_of

LOOKS = tuple(UnitLook(name="m", side=side, radius=0.4, max_health=45, max_shield=0) for side in (0, 0, 1))
FOOTBALL = ("left_0_tired", "left_0_x", "left_0_y", "ball_of_left_0", "ball_x", "ball_y", "ball_z")


def _battle(path: Path, **arrays: Any) -> Replay:
    """A whole replay of three units on a floor of 20 x 20, in 4 views."""
    write_a_replay(path)
    of_game = read_replay(path)
    numbers = {name: np.full((4, 3), 5, np.float32) for name in ("x", "y", "health", "shield")}
    units = Units(**{**numbers, "alive": np.ones((4, 3), np.bool_), "hits": np.zeros((0, 3), np.int16), **arrays})
    header = of_game.header.model_copy(update={"backend": "skirmish", "looks": LOOKS})
    return Replay(header, (replace(of_game.episodes[0], units=units),), np.ones((20, 20), np.bool_))


def _headed(replay: Replay, **fields: Any) -> Replay:
    return replace(replay, header=replay.header.model_copy(update=fields))


def _football(replay: Replay, names: tuple[str, ...] = FOOTBALL, place: float = 0, reward: float = 0) -> Replay:
    state, goals = np.full((4, len(names)), place, np.float32), np.full(3, reward, np.float32)
    episode = replace(replay.episodes[0], state=state, reward=goals, units=None)
    header = replay.header.model_copy(
        update={"backend": "football", "map": "academy_3_vs_1_with_keeper", "state_names": names, "looks": ()}
    )
    return Replay(header, (episode,))


def _renamed(to: str) -> tuple[str, ...]:
    return tuple(name.replace("left_0", to) for name in FOOTBALL)


HOSTILE: dict[str, Callable[[Path], Replay]] = {
    "none lives": lambda path: _battle(path, alive=np.zeros((4, 3), np.bool_)),
    "all at 1e18": lambda path: _battle(path, x=np.full((4, 3), 1e18, np.float32)),
    "one beside the floor": lambda path: _battle(path, y=np.full((4, 3), -17, np.float32)),
    "no floor": lambda path: replace(_battle(path), floor=np.zeros((0, 0), np.bool_)),
    "a floor too large": lambda path: replace(_battle(path), floor=np.ones((257, 2), np.bool_)),
    "a radius too large": lambda path: _headed(
        _battle(path), looks=(*LOOKS[:2], LOOKS[2].model_copy(update={"radius": 1000.0}))
    ),
    "a policy without a name": lambda path: _headed(_battle(path), names={"teacher": ""}),
    "football without names": lambda path: _football(_battle(path), tuple("vwxyz")),
    "football without a ball": lambda path: _football(_battle(path), FOOTBALL[:4]),
    "a word for a number": lambda path: _football(_battle(path), _renamed("left_q")),
    "an unknown team": lambda path: _football(_battle(path), _renamed("top_0")),
    "players at 1e18": lambda path: _football(_battle(path), place=1e18),
    "1e18 goals": lambda path: _football(_battle(path), reward=1e18),
}


def test_those_that_the_others_are_made_from_are_read_and_drawn(tmp_path: Path) -> None:
    for made in (_battle(tmp_path / "r.h5"), _football(_battle(tmp_path / "r.h5"))):
        write_replay(tmp_path / "r.h5", made)
        read = read_replay(tmp_path / "r.h5")
        shown: Any = SimpleNamespace(replay=read, episode=read.episodes[0], title="a", place="b", ending="won")
        assert len(pictures_of(shown)) == 4


@pytest.mark.parametrize("name", HOSTILE)
def test_a_replay_that_none_can_be_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_replay(path, HOSTILE[name](path))
    with pytest.raises(PtdeError, match=r"r\.h5 is not a whole replay") as refused:
        read_replay(path)
    assert "\n" not in str(refused.value)


def test_an_episode_that_is_too_long_for_pictures_is_refused(tmp_path: Path) -> None:
    replay = _battle(tmp_path / "r.h5")
    long = replace(replay.episodes[0], reward=np.zeros(PICTURES, np.float32))
    shown: Any = SimpleNamespace(replay=replay, episode=long, title="a", place="b", ending="won")
    with pytest.raises(PtdeError, match=r"2,000 steps is too long for pictures.*--format html"):
        pictures_of(shown)


def test_arrays_that_are_small_alone_are_weighed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _battle(tmp_path / "r.h5")
    write_replay(tmp_path / "r.h5", replace(whole, episodes=whole.episodes * 50))
    assert len(read_replay(tmp_path / "r.h5").episodes) == 50
    monkeypatch.setattr(machine_memory, "available_bytes", lambda: 10_000)
    with pytest.raises(PtdeError, match=r"what .*r\.h5 holds can take 0\.0 GB, and 0\.0 GB are free"):
        read_replay(tmp_path / "r.h5")


def test_groups_in_circles_are_refused(tmp_path: Path) -> None:
    write_replay(tmp_path / "r.h5", _battle(tmp_path / "r.h5"))
    with h5py.File(tmp_path / "r.h5", "a") as file:
        file["episodes/0/again"] = file["episodes"]
    with pytest.raises(PtdeError, match="groups in groups"):
        read_replay(tmp_path / "r.h5")
