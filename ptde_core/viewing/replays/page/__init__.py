"""Episodes as one self-contained HTML page; its template, style and script are the files beside this one.

The page opens from a disk without network: it links to nothing outside.
"""

import base64
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from ptde_core.storage.replay_file import Mind
from ptde_core.storage.whole_file import write_text
from ptde_core.viewing.replays.battle_drawing import FILL, HEALTH, LETTER, RIM, SHIELD, shown_part
from ptde_core.viewing.replays.chosen_episodes import Shown
from ptde_core.viewing.replays.divergence import parting_of
from ptde_core.viewing.replays.football_drawing import LINES

HERE = Path(__file__).parent
LARGEST = 32767  # of a 16-bit integer
PITCH_MARGIN = 0.06
NEITHER = ("#FFFFFF", "#1A1A1A", "#1A1A1A")  # fill, rim and letter of a unit without a side, such as a ball


def replay_page(shown: list[Shown]) -> str:
    """The page of one episode, or of two with the same start side by side."""
    templates = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    title = " and ".join(one.title for one in shown) + f" on {shown[0].place}"
    return templates.get_template("page.html.jinja").render(
        title=title,
        data=page_data(shown),
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
    )


def page_data(shown: list[Shown]) -> dict[str, Any]:
    """All that the page's script reads, as plain values; arrays as `packed`."""
    first = shown[0].replay
    header = first.header
    parting = parting_of(shown[0].episode, shown[1].episode) if len(shown) == 2 else None
    return {
        "place": shown[0].place,
        "actions": header.action_names,
        "head": header.head,
        "looks": [look.model_dump() for look in header.looks],
        "colors": [*zip(FILL, RIM, LETTER, strict=True), NEITHER],
        "bars": [HEALTH, SHIELD],
        "field": _field(shown),
        "parting": None if parting is None else {"step": parting.step, "agents": parting.agents},
        "plays": [_play(one) for one in shown],
    }


def packed(values: NDArray[Any]) -> dict[str, Any]:
    """An array as 16-bit integers in base64, to be multiplied by `scale`; precise to 1/32767 of the largest number."""
    numbers = np.nan_to_num(values.astype(np.float64))
    whole = np.issubdtype(values.dtype, np.integer) or values.dtype == np.bool_
    scale = 1.0 if whole else float(np.abs(numbers).max(initial=0.0)) / LARGEST or 1.0
    data = np.round(numbers / scale).astype("<i2").tobytes()
    return {"shape": values.shape, "scale": scale, "data": base64.b64encode(data).decode("ascii")}


def _play(one: Shown) -> dict[str, Any]:
    episode, header = one.episode, one.replay.header
    units = episode.units
    order = sorted(episode.minds, key=lambda role: role != "teacher")
    return {
        "title": one.title,
        "role": header.role,
        "ending": one.ending,
        "seed": str(episode.seed),  # JavaScript's numbers are too short for it
        "total": episode.total_reward,
        "sight": header.sight,
        "taken": packed(episode.actions),
        "available": packed(episode.available),
        "reward": packed(episode.reward),
        "minds": [{"role": role, "name": header.names[role], **_mind(episode.minds[role])} for role in order],
        "units": None if units is None else {name: packed(array) for name, array in vars(units).items()},
    }


def _mind(mind: Mind) -> dict[str, Any]:
    return {name: None if array is None else packed(array) for name, array in vars(mind).items()}


def _field(shown: list[Shown]) -> dict[str, Any] | None:
    """The ground: the part that is shown (west, east, south, north), open cells row by row from the south, lines."""
    units = [one.episode.units for one in shown]
    if any(of_one is None for of_one in units):
        return None
    floor = shown[0].replay.floor
    if floor is None:
        width, height = 1 + PITCH_MARGIN, max(abs(y) for line in LINES for y in line[1::2]) + PITCH_MARGIN
        return {"part": [-width, width, -height, height], "floor": None, "lines": LINES}
    parts = np.array([shown_part(of_one, floor) for of_one in units if of_one is not None])  # (plays, 4)
    west, south = parts[:, [0, 2]].min(axis=0).tolist()
    east, north = parts[:, [1, 3]].max(axis=0).tolist()
    rows = ["".join("1" if cell else "0" for cell in row) for row in floor.T]
    return {"part": [west, east, south, north], "floor": rows, "lines": []}


def write_page(shown: list[Shown], path: Path) -> None:
    """Write the page; its folder is made."""
    write_text(path, replay_page(shown))
