"""What agents see and what the state says, feature by feature after the paper's Table 4.

Positions are the engine's: x from -1 (our goal) to 1 (theirs), y from -0.42 to 0.42, the ball's height in tens of
metres. Speeds are movement per env step, along the pitch a hundred times as large as the engine's own, so that they are
near 1 like the rest (the ball's upward speed is so by itself); the ball's rotation likewise. Every player has its own
place in every vector, oneself among them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPEED = 100.0
BALL_PLACE = (1.0, 1.0, 0.1)
BALL_SPEED = (SPEED, SPEED, 1.0)
ROLES = ("GK", "CB", "LB", "RB", "DM", "CM", "LM", "RM", "AM", "CF")  # in the engine's order
OWNERS = ("nobody", "left", "right")  # the engine's ball_owned_team, -1, 0 and 1
TEAMS = ("left", "right")

Raw = Mapping[str, Any]
Place = tuple[str, int]  # team, number in it


class Features:
    """Turns the engine's raw observation of one scenario into vectors.

    Args:
      raw: an observation of the scenario; players and their roles stay what they are there.
      players: numbers of the left players that are our agents.
    """

    def __init__(self, raw: Raw, players: tuple[int, ...]) -> None:
        self._players = list(players)
        self._counts = {team: len(raw[f"{team}_team"]) for team in TEAMS}
        places: list[Place] = [(team, k) for team in TEAMS for k in range(self._counts[team])]
        met = sorted({int(role) for team in TEAMS for role in raw[f"{team}_team_roles"]})
        roles = {team: np.asarray(raw[f"{team}_team_roles"])[:, None] == np.array(met) for team in TEAMS}
        self._roles = {team: one.astype(np.float32) for team, one in roles.items()}
        self.obs_names = _obs_names(places)
        self.state_names = _state_names(places, [ROLES[role] for role in met])

    def observe(self, raw: Raw, out: NDArray[np.float32]) -> None:
        """Each agent's view into `out` (N, O)."""
        where = np.concatenate([raw["left_team"], raw["right_team"]])  # (P, 2)
        speed = np.concatenate([raw["left_team_direction"], raw["right_team_direction"]]) * SPEED
        ball = [*_position_of_ball(raw), *_owner(raw["ball_owned_team"])]
        for row, me in enumerate(self._players):  # the left team comes first: its numbers are rows of both arrays
            others = np.concatenate([where - where[me], speed - speed[me]], axis=1)  # (P, 4)
            out[row] = np.concatenate([where[me], speed[me], others.ravel(), ball])

    def state(self, raw: Raw, out: NDArray[np.float32]) -> None:
        """The state into `out` (S,)."""
        parts = []
        for team in TEAMS:
            columns = [
                raw[f"{team}_team"],
                np.asarray(raw[f"{team}_team_direction"]) * SPEED,
                np.asarray(raw[f"{team}_team_tired_factor"])[:, None],
                self._roles[team],
            ]
            parts.append(np.concatenate(columns, axis=1).ravel())
        owning = raw["ball_owned_team"]
        owners = np.zeros(sum(self._counts.values()), np.float32)
        if owning >= 0:
            owners[raw["ball_owned_player"] + (self._counts["left"] if owning == 1 else 0)] = 1.0
        speed = np.asarray(raw["ball_direction"]) * BALL_SPEED
        rotation = np.asarray(raw["ball_rotation"]) * SPEED
        parts += [_position_of_ball(raw), speed, rotation, _owner(owning), owners]
        out[:] = np.concatenate(parts)


def _position_of_ball(raw: Raw) -> NDArray[Any]:
    return np.asarray(raw["ball"]) * BALL_PLACE


def _owner(team: int) -> NDArray[np.float32]:
    owner = np.zeros(len(OWNERS), np.float32)
    owner[team + 1] = 1.0
    return owner


def _obs_names(places: list[Place]) -> tuple[str, ...]:
    return (
        *(f"own_{name}" for name in ("x", "y", "speed_x", "speed_y")),
        *(f"{team}_{k}_{name}" for team, k in places for name in ("rel_x", "rel_y", "rel_speed_x", "rel_speed_y")),
        *(f"ball_{axis}" for axis in "xyz"),
        *(f"ball_of_{owner}" for owner in OWNERS),
    )


def _state_names(places: list[Place], roles: list[str]) -> tuple[str, ...]:
    of_player = ("x", "y", "speed_x", "speed_y", "tired", *(f"role_{role}" for role in roles))
    return (
        *(f"{team}_{k}_{name}" for team, k in places for name in of_player),
        *(f"ball_{axis}" for axis in "xyz"),
        *(f"ball_speed_{axis}" for axis in "xyz"),
        *(f"ball_rotation_{axis}" for axis in "xyz"),
        *(f"ball_of_{owner}" for owner in OWNERS),
        *(f"ball_of_{team}_{k}" for team, k in places),
    )
