"""A football episode as a GIF: as many pictures as states, and where ball and players are."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from ptde_core.envs.engines.football.features import Features
from ptde_core.pipeline.recorded_replay import scene_of
from ptde_core.viewing.replays.football_drawing import FILL, draw_football
from ptde_core.viewing.replays.movie import save_gif
from tests.unit.test_football_features import RAW


def test_the_pitch_from_above(tmp_path: Path) -> None:
    features = Features(RAW, (1,))
    map_name = "academy_run_pass_and_shoot_with_keeper"
    states = np.zeros((3, len(features.state_names)), np.float32)
    for k, x in enumerate((0.0, 0.2, 0.4)):  # one of theirs runs along the middle
        features.state(RAW | {"right_team": np.array([[x, -0.3]])}, states[k])
    reward = np.array([0.0, 1.0], np.float32)
    path = tmp_path / "figures" / "play.gif"
    save_gif(draw_football(states, reward, features.state_names, map_name, "a policy", "won"), path)
    theirs = np.array([int(FILL["right"][k : k + 2], 16) for k in (1, 3, 5)])
    places = []
    with Image.open(path) as gif:
        assert gif.n_frames == 3
        for k in range(3):
            gif.seek(k)
            pixels = np.asarray(gif.convert("RGB"), int)[60:140]  # the legend above and the others below left out
            body = np.argwhere(np.abs(pixels - theirs).sum(axis=-1) < 30)
            places.append((body.min(axis=0) + body.max(axis=0)) / 2)
    steps = np.diff(np.array(places), axis=0)  # rows, columns
    assert np.abs(steps[:, 0]).max() < 1.0
    assert np.allclose(steps[:, 1], 0.2 * 560 / 2.12, atol=1.5)


def test_replays_have_the_agents_players_first_and_north_up() -> None:
    three = {"left_team": np.array([[-1.0, 0.0], [0.5, 0.1], [0.2, 0.3]]), "left_team_direction": np.zeros((3, 2))}
    raw = RAW | three | {"left_team_tired_factor": np.zeros(3), "left_team_roles": np.array([0, 5, 5])}
    features = Features(raw, (1, 2))
    states = np.zeros((2, len(features.state_names)), np.float32)
    for state in states:
        features.state(raw, state)
    spec = SimpleNamespace(
        backend="football", map="academy_run_pass_and_shoot_with_keeper", state_names=features.state_names
    )
    looks, floor, (units,) = scene_of(SimpleNamespace(spec=spec), [SimpleNamespace(state=states)])
    assert [(look.name, look.side) for look in looks] == [("1", 0), ("2", 0), ("0", 0), ("0", 1), ("ball", 2)]
    assert floor is None
    assert np.allclose(units.x[0], [0.5, 0.2, -1.0, 0.75, 0.52])
    assert np.allclose(units.y[0], [-0.1, -0.3, 0.0, 0.1, -0.1])  # the engine's y grows to the south
