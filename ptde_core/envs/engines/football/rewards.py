"""The checkpoint reward: a tenth of a goal for each of ten distances to the other goal that we carry the ball within.

Kurach et al. (2020), "Google Research Football", section on rewards; for a team, so any of its players may carry it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

COUNT = 10
EACH = 0.1
FARTHEST, NEAREST = 0.99, 0.19  # distances of the first and the last checkpoint from the middle of their goal
LEFT = 0  # the engine's number of our team


class Checkpoints:
    """Which of them have been passed in this episode."""

    def __init__(self) -> None:
        self._passed = 0

    def reset(self) -> None:
        """A new episode."""
        self._passed = 0

    def reward(self, raw: Mapping[str, Any], scored: bool) -> float:
        """What passing them in the last step is worth; a goal passes all that are left."""
        reached = self._passed
        if scored:
            reached = COUNT
        elif raw["ball_owned_team"] == LEFT:
            x, y = raw["ball"][:2]
            within = np.hypot(x - 1.0, y) <= np.linspace(FARTHEST, NEAREST, COUNT)
            reached = max(reached, int(within.sum()))
        new, self._passed = reached - self._passed, reached
        return EACH * new
