"""A run's learning curves: one picture with a panel per kind of metric, over env steps.

Colours are from Okabe and Ito's colour-blind-safe set; lines also differ in dash and marker, so that the picture
reads in black and white.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from ptde_core.base.errors import PtdeError
from ptde_core.base.metrics import METRICS
from ptde_core.scores.intervals import win_rate_interval
from ptde_core.scores.tally import Tally
from ptde_core.storage.curve_file import points_of
from ptde_core.storage.whole_file import replacing

# Fixed ids in the SVG, so that equal runs give equal files; text stays text (searchable, small).
STYLE: Any = {
    "svg.hashsalt": "ptde",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # fonts that journals take
    "font.size": 9,
    "text.parse_math": False,  # names of maps are no formulas
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "axes.axisbelow": True,
}
FEW_POINTS = 40  # up to here every point is marked


@dataclass(frozen=True)
class Line:
    """How one metric is drawn."""

    metric: str
    label: str
    color: str
    dashes: str
    marker: str


@dataclass(frozen=True)
class Panel:
    """Metrics that share a panel because they share a unit."""

    title: str
    lines: tuple[Line, ...]


def _tested(metric: str) -> Line:
    return Line(metric, "greedy test", "#0072B2", "-", "o")


def _explored(metric: str) -> Line:
    return Line(metric, "exploring play", "#D55E00", "--", "")


def _student_tested(metric: str) -> Line:
    return Line(metric, "greedy test of the student", "#009E73", "-.", "s")


def _of_play(title: str, what: str) -> Panel:
    lines = (_tested(f"test_{what}"), _student_tested(f"student_test_{what}"), _explored(f"train_{what}"))
    return Panel(title, lines)


PANELS = (
    _of_play("Win rate", "win_rate"),
    _of_play("Return", "return"),
    _of_play("Episode length", "length"),
    Panel("Mean squared TD error", (Line("td_loss", "TD(λ)", "#000000", "-", ""),)),
    Panel(
        "Joint value",
        (
            Line("q_taken_mean", "of actions taken", "#000000", "-", ""),
            Line("target_mean", "target", "#CC79A7", "--", ""),
        ),
    ),
    Panel("Return explained by the critic", (Line("value_explained", "critic", "#000000", "-", ""),)),
    Panel("Entropy of the policy", (Line("policy_entropy", "mean over agents", "#000000", "-", ""),)),
    Panel("Change of the policy by an update", (Line("policy_kl", "KL divergence", "#000000", "-", ""),)),
    Panel("Student's squared error", (Line("student_value_loss", "to the teacher's values", "#009E73", "-.", ""),)),
    Panel(
        "Noise",
        (
            Line("epsilon", "chance of a random action", "#000000", ":", ""),
            Line("z_sigma_mean", "standard deviation of z", "#009E73", "-", "s"),
        ),
    ),
)


def panels_of(rows: Sequence[Mapping[str, float]]) -> list[Panel]:
    """Those of `PANELS` that have data; a metric that was undefined (NaN) is none."""
    logged = {name for row in rows for name, value in row.items() if not isnan(value)}
    return [panel for panel in PANELS if any(line.metric in logged for line in panel.lines)]


def draw_learning_curves(rows: Sequence[Mapping[str, float]], title: str, test_episodes: int) -> Figure:
    """One figure with a panel for each of `PANELS` that has data.

    Args:
        rows: lines of metrics.jsonl; each has env_steps, none has to have every metric. They have a panel.
        title: of the whole figure.
        test_episodes: greedy episodes per test: the win rate's 95 % band; 0 draws none.
    """
    panels = panels_of(rows)
    columns = min(3, len(panels))
    across = -(-len(panels) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * columns, 2.5 * across + 0.5), layout="constrained")
        figure.suptitle(title, fontsize=11, fontweight="bold")
        grid = figure.subplots(across, columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, panel, rows, test_episodes)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
    return figure


# Metadata that would hold the date, by kind of picture; without it equal figures give equal files.
UNDATED: Mapping[str, dict[str, None]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def check_picture(path: Path) -> None:
    """Refuse a name that does not end in one of `UNDATED`.

    Raises:
        PtdeError: it does not.
    """
    if path.suffix not in UNDATED:
        raise PtdeError(f"{path} names no kind of picture", f"let it end in {', '.join(UNDATED)}")


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a picture of the kind that the name ends in, one of `UNDATED`; the same figure gives the same file."""
    with matplotlib.rc_context(STYLE), replacing(path) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=150, metadata=UNDATED[path.suffix])
    return path


def _draw_panel(axes: Axes, panel: Panel, rows: Sequence[Mapping[str, float]], test_episodes: int) -> None:
    for line in panel.lines:
        points = points_of(rows, line.metric)
        if not points:
            continue
        steps, values = [step for step, _ in points], [value for _, value in points]
        marker = line.marker if len(points) <= FEW_POINTS else ""
        if len(points) == 1:
            marker = "o"  # a line through one point cannot be seen
        axes.plot(
            steps,
            values,
            color=line.color,
            label=line.label,
            linestyle=line.dashes,
            marker=marker or "None",
            markersize=3.5,
            linewidth=1.4,
        )
        if line.metric == "test_win_rate" and test_episodes:
            ends = [win_rate_interval(Tally(round(rate * test_episodes), test_episodes)) for rate in values]
            low, high = [end.low for end in ends], [end.high for end in ends]
            label = f"its 95 % interval, {test_episodes} episodes"
            axes.fill_between(steps, low, high, color=line.color, alpha=0.15, linewidth=0, label=label)
    units = {METRICS[line.metric].unit for line in panel.lines}
    axes.set_title(panel.title, fontsize=10, loc="left")
    axes.set_xlabel("env steps")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if units == {"fraction"}:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        axes.set_ylim(-0.02, 1.02)
    elif len(units) == 1:
        axes.set_ylabel(units.pop())
    axes.margins(x=0.02)
    axes.set_xlim(left=0)
    axes.legend(fontsize=8, frameon=False)
