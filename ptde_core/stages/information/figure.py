"""What information matters, as a figure: parts of the state by agent, classes over time, what a student recovers."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ptde_core.stages.curves import STYLE
from ptde_core.stages.information.inspect import Inspected

# Okabe and Ito's colours, light and dark alternating, with hatches: they are told apart in print too.
AREAS = (
    ("#0072B2", ""), ("#56B4E9", ""), ("#BBDDF2", "////"), ("#D55E00", ""), ("#F3BE8C", "////"), ("#BBBBBB", ""),
)  # fmt: skip
LINES = {"the teacher": ("#0072B2", "-"), "the student": ("#D55E00", "--")}
MANY = 12  # blocks from which their names are turned


def draw_information(one: Inspected) -> Figure:
    """One figure with the panels that there is something for."""
    draws = [_draw_blocks]
    if one.dependence.classes:
        draws.append(_draw_classes)
    if one.recovered:
        draws.append(_draw_over_time)
        if next(iter(one.recovered.values())).by_distance:
            draws.append(_draw_groups)
    with matplotlib.rc_context(STYLE):
        columns = min(2, len(draws))
        rows = -(-len(draws) // columns)
        figure = Figure(figsize=(5.6 * columns, 3.2 * rows + 0.5), layout="constrained")
        figure.suptitle(one.title, fontsize=11, fontweight="bold")
        for axes, draw in zip(figure.subplots(rows, columns, squeeze=False).flat, [*draws, None, None], strict=False):
            if draw is None:
                axes.set_visible(False)
            else:
                draw(axes, one)
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


def _draw_over_time(axes: Axes, one: Inspected) -> None:
    for who, of in one.recovered.items():
        color, dashes = LINES[who]
        label = f"in {who}'s episodes: {of.explained:.0%}"
        axes.plot(of.over_time, color=color, linestyle=dashes, linewidth=1.4, label=label)
    axes.set_title("What the student recovers of z, over time", fontsize=10, loc="left")
    axes.set_xlabel("env step")
    _percent(axes)
    axes.legend(fontsize=8, frameon=False, loc="lower left")


def _draw_groups(axes: Axes, one: Inspected) -> None:
    names = list(dict.fromkeys(name for of in one.recovered.values() for name in [*of.by_type, *of.by_distance]))
    width = 0.8 / len(one.recovered)
    for place, (who, of) in enumerate(one.recovered.items()):
        groups = {**of.by_type, **of.by_distance}
        heights = [groups.get(name, (0, np.nan))[1] for name in names]
        at = np.arange(len(names)) + (place - (len(one.recovered) - 1) / 2) * width
        hatch = "" if LINES[who][1] == "-" else "////"
        look: Any = {"color": LINES[who][0], "hatch": hatch, "edgecolor": "#FFFFFF"}
        axes.bar(at, heights, width * 0.92, label=f"in {who}'s episodes", **look)
    axes.set_xticks(
        range(len(names)),
        [name.replace(" cells", "\ncells").replace(" and more", " or more") for name in names],
        fontsize=8,
    )
    by_type = "the agent's type, and " if any(of.by_type for of in one.recovered.values()) else ""
    axes.set_title(f"… by {by_type}the distance to its nearest enemy", fontsize=10, loc="left")
    _percent(axes)
    axes.legend(fontsize=8, loc="lower left", framealpha=0.9)


def _percent(axes: Axes) -> None:
    low, _ = axes.get_ylim()
    axes.set_ylim(max(min(low, 0.0), -1.0), 1.0)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
