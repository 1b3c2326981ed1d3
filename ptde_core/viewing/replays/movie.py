"""Pictures of episodes as files: GIF, MP4, and a PNG of some moments."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ptde_core.base.errors import PtdeError
from ptde_core.storage.whole_file import replacing
from ptde_core.viewing.replays.battle_drawing import Scene, draw_battle
from ptde_core.viewing.replays.chosen_episodes import Shown
from ptde_core.viewing.replays.football_drawing import draw_football

STEP_MS, LAST_MS = 140, 2500
COLORS = 64
GAP = 8  # pixels between pictures that stand next to each other
MOMENTS = 4  # in a PNG
PICTURES = 2000  # most pictures of an episode, which lie in memory: 1.5 GB; SMAC's longest episode has 401


def pictures_of(shown: Shown) -> list[Image.Image]:
    """One picture per view of an episode.

    Raises:
        PtdeError: the environment's episodes cannot be drawn, or this one is too long.
    """
    header, episode, title = shown.replay.header, shown.episode, f"{shown.title} on {shown.place}"
    if episode.length >= PICTURES:
        told = f"an episode of {episode.length:,} steps is too long for pictures: at most {PICTURES:,} are made"
        raise PtdeError(told, "look at it as a page: `--format html`")
    if header.backend == "football":
        return draw_football(episode.state, episode.reward, header.state_names, header.map, title, shown.ending)
    if episode.units is None or shown.replay.floor is None:
        raise PtdeError(
            f"episodes of {header.backend} have no places to draw", "look at their values and z: `--format html`"
        )
    return draw_battle(episode.units, Scene(title, header.looks, shown.replay.floor), shown.ending)


def next_to_each_other(films: Sequence[Sequence[Image.Image]]) -> list[Image.Image]:
    """Several films as one, side by side; one that has ended holds its last picture."""
    if len(films) == 1:
        return list(films[0])
    return [_row([now or film[-1] for now, film in zip(moment, films, strict=True)]) for moment in zip_longest(*films)]


def save_gif(pictures: Sequence[Image.Image], path: Path) -> None:
    """An animated GIF that holds its last picture; its folder is made."""
    palette = _palette(pictures)
    flat = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    durations = [STEP_MS] * (len(flat) - 1) + [LAST_MS]
    more: dict[str, Any] = {"append_images": flat[1:], "duration": durations, "loop": 0, "optimize": False}
    with replacing(path) as file:
        flat[0].save(file, format="GIF", save_all=True, **more)


def save_mp4(pictures: Sequence[Image.Image], path: Path) -> None:
    """An MP4 (H.264) that plays as fast as the GIF and holds its last picture as long.

    Raises:
        PtdeError: the package that brings ffmpeg is not installed.
    """
    try:
        import imageio_ffmpeg  # not everyone needs its 30 MB
    except ImportError:
        fix = "`pip install 'ptde[video]'`, or take --format gif"
        raise PtdeError("MP4 needs the package imageio-ffmpeg, which is not installed", fix) from None
    width, height = (side - side % 2 for side in pictures[0].size)  # H.264 needs even sizes
    shape: dict[str, Any] = {"fps": 1000 / STEP_MS, "macro_block_size": 2, "output_params": ["-f", "mp4"]}
    with replacing(path) as file:
        writer: Any = imageio_ffmpeg.write_frames(str(file.name), (width, height), **shape)
        writer.send(None)
        for picture in [*pictures, *[pictures[-1]] * (LAST_MS // STEP_MS)]:
            writer.send(np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:height, :width]))
        writer.close()


def save_moments(films: Sequence[Sequence[Image.Image]], path: Path, moments: Sequence[int] = ()) -> None:
    """A PNG with a row per film and a column per moment.

    Args:
        films: pictures of one or more episodes.
        path: where to; its folder is made.
        moments: steps to show; by default evenly spread over each film, its end among them.
    """
    rows = []
    for film in films:
        last = len(film) - 1
        chosen = moments or np.linspace(0, last, MOMENTS + 1).round().astype(int)[1:]
        rows.append(_row([film[min(moment, last)] for moment in chosen]))
    sheet = Image.new(
        "RGB", (max(row.width for row in rows), sum(row.height for row in rows) + GAP * (len(rows) - 1)), "#FFFFFF"
    )
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + GAP
    with replacing(path) as file:
        sheet.quantize(dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)


def _row(pictures: Sequence[Image.Image]) -> Image.Image:
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    row = Image.new("RGB", (width, max(picture.height for picture in pictures)), "#FFFFFF")
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + GAP
    return row


def _palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """One set of colours for all pictures, taken from the first, the middle and the last."""
    chosen = [pictures[0], pictures[len(pictures) // 2], pictures[-1]]
    sheet = Image.new("RGB", (chosen[0].width, sum(picture.height for picture in chosen)))
    for number, picture in enumerate(chosen):
        sheet.paste(picture, (0, number * picture.height))
    return sheet.quantize(COLORS)
