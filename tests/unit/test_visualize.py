import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from ptde_core.algorithms.from_checkpoint import spec_to_plain
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, FileSaved
from ptde_core.base.made_from import World
from ptde_core.base.metrics import METRICS
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.policies.teacher import Teacher
from ptde_core.runs.identity import training_made_from
from ptde_core.runs.stage_settings import train_teacher_settings
from ptde_core.storage.checkpoint import identity, save_checkpoint
from ptde_core.storage.config_file import write_config
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.replay_file import UnitLook, Units
from ptde_core.storage.run_folder import RunFolder
from ptde_core.viewing.information.save_information import figures_of
from ptde_core.viewing.replays.battle_drawing import FILL, Scene, draw_battle
from ptde_core.viewing.replays.movie import next_to_each_other, save_gif, save_moments, save_mp4
from ptde_core.viewing.run_curves import PANELS, UNDATED, draw_learning_curves, panels_of, save_figure
from ptde_core.viewing.visualize import draw_run_curves, visualize

MARINE = UnitLook(name="marine", side=0, radius=0.375, max_health=45, max_shield=0)
ZEALOT = UnitLook(name="zealot", side=1, radius=0.5, max_health=100, max_shield=50)
ROWS = [
    {"env_steps": 1000.0 * k, "train_return": 2.0 * k, "test_win_rate": k / 10, **({"td_loss": 1 / k} if k > 3 else {})}
    for k in range(1, 11)
]

CURVES = ["learning_curves.png", "learning_curves.svg", "learning_curves.pdf"]


def battle(steps: int) -> Units:
    """One marine walks towards one zealot, which dies in the last step."""
    share = np.linspace(0, 1, steps + 1)
    pairs = {
        "x": (8 + 8 * share, np.full_like(share, 20)),
        "y": (np.full_like(share, 16), np.full_like(share, 16)),
        "health": (np.full_like(share, 45), 100 * (1 - share)),
        "shield": (np.zeros_like(share), np.full_like(share, 25)),
        "alive": (share >= 0, share < 1),
    }
    columns = {name: np.stack(pair, axis=-1) for name, pair in pairs.items()}
    return Units(**columns, hits=np.array([(step, 0, 1) for step in range(steps)], np.int16))


def gif(units: Units, scene: Scene, path: Path) -> None:
    save_gif(draw_battle(units, scene, "won"), path)


def scene(title: str = "QMIX_SGI on 3m") -> Scene:
    floor = np.ones((32, 32), np.bool_)
    floor[:, 24:] = False
    return Scene(title, (MARINE, ZEALOT), floor)


def pixels(path: Path, frame: int) -> NDArray[np.uint8]:
    """(height, width, 3) of one frame of a GIF."""
    with Image.open(path) as picture:
        picture.seek(frame)
        return np.asarray(picture.convert("RGB"))


def about(color: str, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(height, width): pixels of about this colour (the palette may shift it a little)."""
    wanted = 255 * np.array(to_rgb(color))
    return np.asarray(np.abs(picture.astype(float) - wanted).max(axis=-1) < 12)


def test_curves_are_a_png_and_an_svg_with_all_that_was_logged(tmp_path: Path) -> None:
    figure = draw_learning_curves(ROWS, "QMIX_SGI on 3m, seed 1", 32)
    png, svg = (save_figure(figure, tmp_path / "new" / name) for name in ("curves.png", "curves.svg"))
    with Image.open(png) as picture:
        assert np.asarray(picture.convert("L")).std() > 10  # not blank
        assert picture.width > 800
    texts = {element.text for element in ElementTree.parse(svg).getroot().iter() if element.text}
    assert {"QMIX_SGI on 3m, seed 1", "Win rate", "Return", "Mean squared TD error", "env steps"} <= texts
    assert "Joint value" not in texts  # never logged


@pytest.mark.slow
def test_the_same_curves_give_the_same_files(tmp_path: Path) -> None:
    one = [save_figure(draw_learning_curves(ROWS, "a", 32), tmp_path / f"one{kind}") for kind in UNDATED]
    two = [save_figure(draw_learning_curves(ROWS, "a", 32), tmp_path / f"two{kind}") for kind in UNDATED]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_the_win_rates_band_is_the_interval_of_its_episodes() -> None:
    axes = draw_learning_curves(ROWS, "a", 32).axes[0]
    (band,) = axes.collections
    low, high = band.get_datalim(axes.transData).intervaly
    assert low == pytest.approx(0.0320, abs=1e-3)  # 3 of 32: Wilson's lower end
    assert high == pytest.approx(1)
    assert not draw_learning_curves(ROWS, "a", 0).axes[0].collections


@pytest.mark.parametrize("row", [{"test_win_rate": float("nan"), "test_return": float("nan")}, {"updates": 3.0}, {}])
def test_what_is_undefined_has_no_panel_and_where_none_is_left_there_is_no_picture(
    row: dict[str, float], tmp_path: Path
) -> None:
    rows = [{"env_steps": 1000.0, **row}, {"env_steps": 2000.0, **row}]
    assert not panels_of(rows)
    run = RunFolder(tmp_path)
    run.metrics.write_text("".join(json.dumps(one) + "\n" for one in rows))
    assert draw_run_curves(run, tmp_path) == []
    figure = draw_learning_curves([*rows, *ROWS], "a", 32)
    assert len(figure.axes[0].lines[0].get_xdata()) == len(ROWS)


def test_one_logged_test_is_a_visible_point() -> None:
    figure = draw_learning_curves(ROWS[:1], "a", 32)
    assert [line.get_marker() for line in figure.axes[0].lines] == ["o"]


def test_panels_draw_metrics_of_the_catalogue_and_each_once() -> None:
    drawn = [line.metric for panel in PANELS for line in panel.lines]
    assert set(drawn) <= set(METRICS)
    assert len(set(drawn)) == len(drawn)


def test_a_line_still_being_written_is_left_out_and_a_broken_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"env_steps": 1, "epsilon": 0.5}\n{"env_steps": 2, "eps')
    assert read_metrics(path) == [{"env_steps": 1.0, "epsilon": 0.5}]
    for broken in ('{"epsilon": 0.5}', "[1]", '{"env_steps": 1, "epsilon": null}', "hello", ""):
        path.write_text('{"env_steps": 1, "epsilon": 0.5}\n' + broken + "\n")
        with pytest.raises(PtdeError, match="line 2, is not a line of metrics"):
            read_metrics(path)
    path.write_text('{"env_steps": 1, "win": 0.5}\n')
    with pytest.raises(PtdeError, match="no metric named 'win'"):
        read_metrics(path)


def test_a_battle_has_one_picture_per_view_and_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "new" / "play.gif"
    gif(battle(150), scene(), path)
    with Image.open(path) as picture:
        assert len(list(ImageSequence.Iterator(picture))) == 151
        assert picture.width == 480
        picture.seek(150)
        assert picture.info["duration"] > 1000  # the end is held
    assert path.stat().st_size < 2_000_000


def test_units_are_drawn_where_they_are_in_their_sides_colour(tmp_path: Path) -> None:
    path = tmp_path / "play.gif"
    gif(battle(10), scene(), path)
    first, last = pixels(path, 0), pixels(path, 10)
    for color in FILL:
        assert about(color, first[60:]).sum() > 50
    assert about(FILL[1], last[60:]).sum() < about(FILL[1], first[60:]).sum() / 2  # dead: a cross is left
    walked = np.nonzero(about(FILL[0], last[60:]))[1].mean() - np.nonzero(about(FILL[0], first[60:]))[1].mean()
    assert walked > 100  # east is to the right


def test_a_long_title_is_made_to_fit(tmp_path: Path) -> None:
    path = tmp_path / "play.gif"
    gif(battle(1), scene("QMIX_SGI (z sampled) on a_map_of_my_own_with_a_long_name: skirmish"), path)
    assert (pixels(path, 0)[:24, -6:] > 240).all()


def test_units_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one look per unit"):
        draw_battle(battle(1), Scene("", (MARINE,), scene().floor), "won")


def test_films_stand_next_to_each_other_and_the_shorter_one_waits(tmp_path: Path) -> None:
    long, short = (draw_battle(battle(steps), scene(), "won") for steps in (6, 3))
    both = next_to_each_other([long, short])
    assert len(both) == 7
    assert both[0].width == long[0].width + short[0].width + 8
    right = [np.asarray(picture)[:, -short[0].width :] for picture in both]
    assert (right[3] == right[6]).all()
    assert (right[2] != right[3]).any()
    save_moments([long, short], tmp_path / "new" / "play.png", [0, 6])
    with Image.open(tmp_path / "new" / "play.png") as sheet:
        assert sheet.size == (2 * long[0].width + 8, 2 * long[0].height + 8)
        pixels_of = np.asarray(sheet.convert("RGB"))
    last = pixels_of[-long[0].height :, -long[0].width :]
    assert about(FILL[1], last[60:]).sum() < about(FILL[1], pixels_of[60 : long[0].height, : long[0].width]).sum() / 2


# Of imageio-ffmpeg: it leaves the pipes of a film that was read to its end to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_mp4_is_a_film_of_the_same_pictures(tmp_path: Path) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    pictures = draw_battle(battle(6), scene(), "won")
    save_mp4(pictures, tmp_path / "new" / "play.mp4")
    frames = imageio_ffmpeg.read_frames(str(tmp_path / "new" / "play.mp4"))
    about_it = next(frames)
    assert about_it["size"] == pictures[0].size
    first = np.frombuffer(next(frames), np.uint8).reshape(*reversed(pictures[0].size), 3)
    assert np.abs(first.astype(int) - np.asarray(pictures[0], int)).mean() < 8
    assert sum(1 for _ in frames) == 7 + 17 - 1  # the end is held for 2.5 s


@pytest.fixture
def fresh_teacher(tmp_path: Path) -> RunFolder:
    """A run on skirmish's 3m whose teacher has not learned anything."""
    run = RunFolder(tmp_path / "run")
    env = Skirmish("3m", 1)
    settings = train_teacher_settings({"map": "3m"})
    networks = Teacher(env.spec, NetworkSettings()).state_dict()
    made = training_made_from(settings, env.spec.world)
    content = {
        "made_from": made.plain(),
        "kept": "last",
        "settings": settings.model_dump(),
        "env": spec_to_plain(env.spec),
        "networks": networks,
        "teacher_id": identity(networks),
        "counters": {"env_steps": 0, "episodes": 0, "updates": 0},
    }
    save_checkpoint(run.teacher, "teacher", content)
    write_config(run.config, settings.model_dump(), made)
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return run


def test_a_run_gets_curves_and_a_battle(fresh_teacher: RunFolder) -> None:
    events: list[Event] = []
    pictures = visualize([fresh_teacher.path], listen=events.append)
    assert [path.name for path in pictures] == [*CURVES, "play.gif", "play.html"]
    assert all(path.parent == fresh_teacher.figures and path.stat().st_size for path in pictures)
    assert [event.path for event in events if isinstance(event, FileSaved)] == pictures
    with Image.open(pictures[3]) as moving:
        assert 2 < len(list(ImageSequence.Iterator(moving))) <= 61


def test_a_checkpoint_gets_a_battle_where_it_is_asked_for(fresh_teacher: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert visualize([fresh_teacher.teacher], ["gif"], out) == [out / "teacher_play.gif"]
    with pytest.raises(PtdeError, match="has no learning curves; give its run folder"):
        visualize([fresh_teacher.teacher], ["curves"], out)


def test_a_run_on_a_game_has_values_and_z_to_look_into_but_no_places(trained_run: RunFolder, tmp_path: Path) -> None:
    own = RunFolder(shutil.copytree(trained_run.path, tmp_path / "own"))
    pictures = visualize([own.path], out=tmp_path / "out")
    assert [path.name for path in pictures] == [*CURVES, "play.html"]
    with pytest.raises(PtdeError, match="episodes of game have no places to draw; look at their values"):
        visualize([own.teacher], ["gif"], tmp_path / "out")


def test_pictures_are_not_drawn_through_a_link(fresh_teacher: RunFolder, tmp_path: Path) -> None:
    mine = tmp_path / "outside" / "learning_curves.png"
    mine.parent.mkdir()
    mine.write_text("mine")
    fresh_teacher.figures.symlink_to(mine.parent)
    for target in (fresh_teacher.path, fresh_teacher.teacher):
        with pytest.raises(PtdeError, match="figures: it is a link"):
            visualize([target])
        with pytest.raises(PtdeError, match="figures: it is a link"):
            figures_of(target, None)
    assert [path.read_text() for path in mine.parent.iterdir()] == ["mine"]
    assert visualize([fresh_teacher.path], ["curves"], mine.parent)[0] == mine, "named by the user"


def test_what_cannot_be_drawn(tmp_path: Path, fresh_teacher: RunFolder) -> None:
    with pytest.raises(PtdeError, match="no run at"):
        visualize([tmp_path])
    run = RunFolder(tmp_path)
    world = World(environment="skirmish", version="8", map="3m")
    settings = train_teacher_settings({})
    write_config(run.config, settings.model_dump(), training_made_from(settings, world))
    with pytest.raises(PtdeError, match=f"nothing to draw in {tmp_path} yet"):
        visualize([tmp_path])
    with pytest.raises(PtdeError, match=r"no teacher\.pt or student\.pt in"):
        visualize([tmp_path], ["html"])
    with pytest.raises(PtdeError, match="3 episodes are too many"):
        visualize([fresh_teacher.teacher] * 3, ["gif"])
