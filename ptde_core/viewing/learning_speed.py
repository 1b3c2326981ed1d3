"""How fast algorithms learn, as a table: env steps until their tests in training win a given share."""

import numpy as np

from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.results.wording import backend_title, steps_text
from ptde_core.scores.seed_curves import CurveOverSeeds
from ptde_core.viewing.algorithm_curves import WinRates

LEVELS = (0.5, 0.9)
TESTS = 5  # in a row, whose mean has to reach the level: one test of 32 episodes may be luck


def reached_at(curve: CurveOverSeeds, level: float) -> int | None:
    """Env steps of the last of the first `TESTS` tests in a row whose mean reaches the level; None if none do."""
    if len(curve.median) < TESTS:
        return None
    means = np.convolve(curve.median, np.ones(TESTS) / TESTS, mode="valid")  # (G - TESTS + 1,)
    at = np.flatnonzero(means >= level)
    return int(curve.env_steps[at[0] + TESTS - 1]) if len(at) else None


def speed_table(found: WinRates) -> Table | None:
    """A row per map and algorithm, a column per level; None of games that cannot be won."""
    if found.measure != "win rate":
        return None
    groups = []
    for map_name, lines in found.maps.items():
        rows: list[Row] = []
        for line in lines:
            at = [reached_at(line.curve, level) for level in LEVELS]
            told = (NOTHING if steps is None else steps_text([steps]) for steps in at)
            trained = steps_text([int(line.curve.env_steps[-1])])
            rows.append((map_name if not rows else "", line.name, *told, trained, str(len(line.train_seeds))))
        groups.append(tuple(rows))
    return Table(
        title=f"Env steps until tests in training win a share: {backend_title(found.backend, found.version)}",
        columns=("Map", "Algorithm", *(f"{100 * level:.0f} %" for level in LEVELS), "Trained for", "Seeds"),
        groups=tuple(groups),
        text_columns=2,
        notes=(
            f"When the mean of {TESTS} tests in a row, each the median over seeds, reaches it. {NOTHING}: not reached.",
        ),
    )
