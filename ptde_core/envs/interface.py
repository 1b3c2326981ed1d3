"""The environment contract: a batch of E equal environments behind preallocated arrays, in lock-step or each by itself.

A batch is stepped as a whole. An environment whose episode has ended stays as it is (arrays frozen, reward 0,
actions ignored) until `reset` is called for it, so that a round of episodes of unequal length is one loop.
`ptde_core.envs.contract.check_environment` tests all that is promised here on any environment.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.made_from import World


@dataclass(frozen=True)
class EnvSpec:
    """The facts of an environment that a policy, a file or a table needs.

    Args:
        backend: name in the catalogue ("skirmish"); stands in every table.
        version: version of that backend's rules: equal versions play equal episodes.
        map: the map or scenario; of a map file of one's own, its name and the first digits of its content's digest.
        episode_limit: env steps after which an episode is truncated.
        obs_names: one name per feature of an observation, in order.
        state_names: the same of the state.
        action_names: the same of the actions.
        map_digest: of the map's content; "" where the version and the map's name say all of it.
        can_be_won: whether there are won episodes at all; where not, returns tell how well one plays.
    """

    backend: str
    version: str
    map: str
    n_agents: int
    n_actions: int
    obs_size: int
    state_size: int
    episode_limit: int
    obs_names: tuple[str, ...]
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]
    can_be_won: bool = True
    map_digest: str = ""

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names by what they are of, as files hold them."""
        return {"obs": self.obs_names, "state": self.state_names, "action": self.action_names}

    @property
    def state_one_hot(self) -> int:
        """How many of the state's last features are the agents' last actions, one-hot; 0 if it does not end in them."""
        return len(list(takewhile(lambda name: ".last_action " in name, reversed(self.state_names))))

    @property
    def world(self) -> World:
        """What is played, for results that are made of it."""
        return World(environment=self.backend, version=self.version, map=self.map, map_digest=self.map_digest)

    def fingerprint(self) -> str:
        """Short hash of all facts but `can_be_won`: a policy only plays an environment with that of its training."""
        facts = asdict(self)
        del facts["can_be_won"]  # says how play is measured, not how it goes; older checkpoints do not have it
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


class BatchedEnv(Protocol):
    """E environments in lock-step. The arrays are the environment's own: overwritten in place, copy what you keep.

    An environment runs until it is `terminated`, `truncated` or `lost`; at most one of them is true. Only an engine in
    a process of its own can be lost: it died or hung in the middle of an episode. What that row shows is no episode;
    whoever plays throws it away and resets the row with the same seed, which starts a new engine. Environments that
    live in this process are never lost.

    An agent always has at least one available action. An unavailable action in `step` is an error (ValueError, naming
    environment, agent and action), checked before anything moves. `won` is only true where `terminated` is,
    and nowhere if the spec says that nothing can be won.
    """

    spec: EnvSpec
    n_envs: int
    obs: NDArray[np.float32]  # (E, N, O)
    state: NDArray[np.float32]  # (E, S)
    available: NDArray[np.bool_]  # (E, N, A)
    reward: NDArray[np.float32]  # (E,)   of the last step
    terminated: NDArray[np.bool_]  # (E,) the world ended
    truncated: NDArray[np.bool_]  # (E,)  the time limit cut the episode: bootstrap
    won: NDArray[np.bool_]  # (E,)
    lost: NDArray[np.bool_]  # (E,) the engine broke: this episode never comes to an end

    @property
    def restarts(self) -> int:
        """Engines that broke and were replaced so far, with or without losing an episode; 0 where nothing can break.

        One that works and has only grown too large is none of them.
        """

    def reset(self, seeds: NDArray[np.uint64], rows: NDArray[np.intp] | None = None) -> None:
        """Start new episodes in `rows` (default: all); seeds (len(rows),) decide each episode's whole chance."""

    def step(self, actions: NDArray[np.integer[Any]]) -> None:
        """Advance every running environment by one env step; actions (E, N)."""

    def snapshot(self) -> Any:
        """A copy of everything that decides what follows; may raise NotImplementedError where the engine cannot."""

    def restore(self, snapshot: Any) -> None:
        """Return to a snapshot: what follows is then exactly what followed then, given the same actions."""

    def close(self) -> None:
        """Release processes and memory. A closed environment is not used again."""


@runtime_checkable
class FreeRows(BatchedEnv, Protocol):
    """Environments that can also go on by themselves, none of them waiting for the others: games in processes.

    What a row shows changes only in `answered`, and only if it returns that row.
    """

    def begin(self, row: int, seed: int) -> None:
        """Ask for the episode of that seed, whatever the row is doing: what it has not yet answered is forgotten."""

    def ask(self, rows: Sequence[int], actions: NDArray[np.integer[Any]]) -> None:
        """Ask running rows that have answered for a step; actions (len(rows), N)."""

    def answered(self) -> list[int]:
        """Wait until rows have answered; which did, in no order. One that is `lost` now broke in its step."""
