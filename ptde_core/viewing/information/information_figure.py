"""What information matters, as a figure: parts of the state by agent, classes over time, what a student recovers."""

from collections.abc import Callable
from functools import partial
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ptde_core.viewing.information.inspect_information import THE_STUDENT, THE_TEACHER, Inspected, StudentRecovery
from ptde_core.viewing.run_curves import STYLE

# Okabe and Ito's colours, light and dark alternating, with hatches: they are told apart in print too.
AREAS = (
    ("#0072B2", ""), ("#56B4E9", ""), ("#BBDDF2", "////"), ("#D55E00", ""), ("#F3BE8C", "////"), ("#BBBBBB", ""),
)  # fmt: skip
LINES = {THE_TEACHER: ("#0072B2", "-"), THE_STUDENT: ("#D55E00", "--")}
MANY = 12  # blocks from which their names are turned


def draw_information(one: Inspected) -> Figure:
    """One figure with the panels that there is something for."""
    draws: list[Callable[[Axes], None]] = [partial(_draw_blocks, one=one)]
    if one.dependence.classes:
        draws.append(partial(_draw_classes, one=one))
    for student in one.recovered:
        draws.append(partial(_draw_over_time, of_student=student))
        if student.by_player[THE_TEACHER].by_distance:
            draws.append(partial(_draw_groups, of_student=student))
    with matplotlib.rc_context(STYLE):
        columns = min(2, len(draws))
        rows = -(-len(draws) // columns)
        figure = Figure(figsize=(5.6 * columns, 3.2 * rows + 0.5), layout="constrained")
        figure.suptitle(one.title, fontsize=11, fontweight="bold")
        for axes, draw in zip(figure.subplots(rows, columns, squeeze=False).flat, [*draws, None, None], strict=False):
            if draw is None:
                axes.set_visible(False)
            else:
                draw(axes)
    return figure


def _draw_blocks(axes: Axes, one: Inspected) -> None:
    of = one.dependence
    axes.grid(visible=False)
    image = axes.imshow(of.by_agent, cmap="cividis", aspect="auto", vmin=0)
    axes.set_title("What an agent's z depends on: share of squared gradient", fontsize=10, loc="left")
    agents = [f"{agent} {kind}".strip() for agent, kind in enumerate(one.agents)]
    axes.set_yticks(range(len(agents)), agents, fontsize=8)
    axes.set_xticks(range(len(of.blocks)), of.blocks, fontsize=8, rotation=90 if len(of.blocks) >= MANY else 0)
    axes.set_ylabel("agent")
    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.colorbar(image, ax=axes, format=PercentFormatter(xmax=1, decimals=0))


def _draw_classes(axes: Axes, one: Inspected) -> None:
    of = one.dependence
    steps = np.arange(len(of.over_time))
    parts = np.nan_to_num(of.over_time).T  # (C, T)
    shown = [k for k, part in enumerate(parts) if part.max() > 0]
    drawn = axes.stackplot(
        steps,
        parts[shown],
        labels=[of.classes[k] for k in shown],
        colors=[AREAS[k][0] for k in shown],
        linewidth=0.4,
        edgecolor="#FFFFFF",
    )
    for area, k in zip(drawn, shown, strict=True):
        area.set_hatch(AREAS[k][1])
    axes.set_title("Whose features move z, over time", fontsize=10, loc="left")
    axes.set_xlabel("env step")
    axes.set_xlim(0, max(1, len(steps) - 1))
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.legend(fontsize=8, frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.17))


def _draw_over_time(axes: Axes, of_student: StudentRecovery) -> None:
    for who, of in of_student.by_player.items():
        color, dashes = LINES[who]
        label = f"in {who}'s episodes: {of.explained:.0%}"
        axes.plot(of.over_time, color=color, linestyle=dashes, linewidth=1.4, label=label)
    axes.set_title(f"What {of_student.name} recovers of z, over time", fontsize=10, loc="left")
    axes.set_xlabel("env step")
    _percent(axes)
    axes.legend(fontsize=8, frameon=False, loc="lower left")


def _draw_groups(axes: Axes, of_student: StudentRecovery) -> None:
    players = of_student.by_player
    names = list(dict.fromkeys(name for of in players.values() for name in [*of.by_type, *of.by_distance]))
    width = 0.8 / len(players)
    for place, (who, of) in enumerate(players.items()):
        groups = {**of.by_type, **of.by_distance}
        heights = [groups.get(name, (0, np.nan))[1] for name in names]
        at = np.arange(len(names)) + (place - (len(players) - 1) / 2) * width
        hatch = "" if LINES[who][1] == "-" else "////"
        look: Any = {"color": LINES[who][0], "hatch": hatch, "edgecolor": "#FFFFFF"}
        axes.bar(at, heights, width * 0.92, label=f"in {who}'s episodes", **look)
    axes.set_xticks(
        range(len(names)),
        [name.replace(" cells", "\ncells").replace(" and more", " or more") for name in names],
        fontsize=8,
    )
    by_type = "the agent's type, and " if any(of.by_type for of in players.values()) else ""
    axes.set_title(f"… by {by_type}the distance to its nearest enemy", fontsize=10, loc="left")
    _percent(axes)
    axes.legend(fontsize=8, loc="lower left", framealpha=0.9)


def _percent(axes: Axes) -> None:
    low, _ = axes.get_ylim()
    axes.set_ylim(max(min(low, 0.0), -1.0), 1.0)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
