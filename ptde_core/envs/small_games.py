"""Small games with a known optimum, solved in seconds on a CPU: to check that learning works, and to show why.

two-step: the game of the QMIX paper (Rashid et al., 2018, Section 6 and Table 1). Agent 0's first action chooses one of
two payoff matrices; the best that can be had is 8, and a plain sum of values (VDN) settles for 7.

non-monotonic: one step, three actions each; 6 if both play 0, -12 if one of them does, else 0. Whether playing 0 is
good depends on the other, so no mixer that is monotonic in the agents' values can show it: after uniform exploration
the best fit of any such mixer calls something else the best. QPLEX's mixer can show it
(docs/explanation/algorithms/qplex.md).

common-signal, personal-signal: each step the state shows a target action, drawn anew, one for the team or one for each
agent; the agents' views show nothing of it. Without global information an agent is right once in three times. Unified
information solves the common game only: it joins the action head by addition, after all that tells agents apart, so it
moves the values of every agent alike. Agent-specific information solves both: the paper's claim in small.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import unknown
from ptde_core.base.seeding import generator
from ptde_core.envs.interface import EnvSpec


class Game(ABC):
    """The contract's bookkeeping; a game adds how an episode begins and what a step brings."""

    spec: EnvSpec

    def __init__(self, n_envs: int) -> None:
        spec, e = self.spec, n_envs
        self.n_envs = n_envs
        self.obs = np.zeros((e, spec.n_agents, spec.obs_size), np.float32)
        self.state = np.zeros((e, spec.state_size), np.float32)
        self.available = np.ones((e, spec.n_agents, spec.n_actions), np.bool_)
        self.reward = np.zeros(e, np.float32)
        self.terminated = np.ones(e, np.bool_)
        self.truncated = np.zeros(e, np.bool_)
        self.won = np.zeros(e, np.bool_)
        self.lost = np.zeros(e, np.bool_)
        self.restarts = 0
        self._steps = np.zeros(e, np.int64)
        self._chance = [generator(0, "game")] * e
        self._memory: list[dict[str, Any]] = [{} for _ in range(e)]

    @abstractmethod
    def begin(self, row: int, memory: dict[str, Any], chance: np.random.Generator) -> None:
        """Write obs and state of a new episode in `row`; `memory` keeps what the game must remember."""

    @abstractmethod
    def advance(
        self, row: int, step: int, actions: NDArray[np.integer[Any]], memory: dict[str, Any]
    ) -> tuple[float, bool, bool]:
        """Play step number `step` (from 0) and write the next obs and state; (reward, terminated, won)."""

    def reset(self, seeds: NDArray[np.uint64], rows: NDArray[np.intp] | None = None) -> None:
        """Start new episodes; see `BatchedEnv.reset`."""
        for row, seed in zip(range(self.n_envs) if rows is None else rows, seeds, strict=True):
            self._chance[row] = generator(int(seed), "game")
            self._memory[row] = {}
            self._steps[row] = 0
            self.reward[row] = 0.0
            self.terminated[row] = self.truncated[row] = self.won[row] = False
            self.begin(row, self._memory[row], self._chance[row])

    def step(self, actions: NDArray[np.integer[Any]]) -> None:
        """Advance every running game; see `BatchedEnv.step`."""
        wrong = (actions < 0) | (actions >= self.spec.n_actions)
        wrong[self.terminated] = False
        if wrong.any():
            row, agent = np.argwhere(wrong)[0]
            raise ValueError(f"environment {row}, agent {agent}: action {actions[row, agent]} is not available")
        self.reward[self.terminated] = 0.0
        for row in np.flatnonzero(~self.terminated).tolist():
            outcome = self.advance(row, int(self._steps[row]), actions[row], self._memory[row])
            self.reward[row], self.terminated[row], self.won[row] = outcome
            self._steps[row] += 1

    def snapshot(self) -> Any:
        """A copy of everything that decides what follows."""
        arrays = {name: value.copy() for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return arrays, [chance.bit_generator.state for chance in self._chance], [dict(m) for m in self._memory]

    def restore(self, snapshot: Any) -> None:
        """Return to a snapshot."""
        arrays, states, memory = snapshot
        for name, value in arrays.items():
            getattr(self, name)[...] = value
        self._chance = [generator(0, "game") for _ in states]
        for chance, state in zip(self._chance, states, strict=True):
            chance.bit_generator.state = state
        self._memory = [dict(m) for m in memory]

    def close(self) -> None:  # noqa: B027  part of the contract, and there is nothing to release
        """Nothing to release."""


def _spec(name: str, agents: int, actions: int, limit: int, obs: tuple[str, ...], state: tuple[str, ...]) -> EnvSpec:
    return EnvSpec(
        backend="game",
        version="1",
        map=name,
        n_agents=agents,
        n_actions=actions,
        obs_size=len(obs),
        state_size=len(state),
        episode_limit=limit,
        obs_names=obs,
        state_names=state,
        action_names=tuple(f"action_{a}" for a in range(actions)),
    )


class TwoStepGame(Game):
    """Payoff 7 whatever is done on branch A; on branch B 0, 1, 1 or 8: worth choosing only if both then play 1."""

    PLACES = ("start", "branch_a", "branch_b", "end")
    PAYOFF = np.array([[[7, 7], [7, 7]], [[0, 1], [1, 8]]], np.float32)  # (branch, action of agent 0, of agent 1)
    spec = _spec("two-step", agents=2, actions=2, limit=2, obs=PLACES, state=PLACES)

    def _show(self, row: int, place: int) -> None:
        self.state[row] = np.eye(len(self.PLACES), dtype=np.float32)[place]
        self.obs[row] = self.state[row]

    def begin(self, row: int, memory: dict[str, Any], chance: np.random.Generator) -> None:  # noqa: ARG002  nothing is chance
        """Start at the start."""
        self._show(row, 0)

    def advance(
        self, row: int, step: int, actions: NDArray[np.integer[Any]], memory: dict[str, Any]
    ) -> tuple[float, bool, bool]:
        """First the branch, then the payoff."""
        if step == 0:
            memory["branch"] = int(actions[0])
            self._show(row, 1 + memory["branch"])
            return 0.0, False, False
        self._show(row, 3)
        payoff = float(self.PAYOFF[memory["branch"], actions[0], actions[1]])
        return payoff, True, payoff == self.PAYOFF.max()


class NonMonotonicGame(Game):
    """The best action of one agent is the worst unless the other plays it too."""

    PAYOFF = np.array([[6, -12, -12], [-12, 0, 0], [-12, 0, 0]], np.float32)  # (action of agent 0, of agent 1)
    spec = _spec("non-monotonic", agents=2, actions=3, limit=1, obs=("nothing",), state=("nothing",))

    def begin(self, row: int, memory: dict[str, Any], chance: np.random.Generator) -> None:
        """There is nothing to see and nothing to draw."""

    def advance(
        self,
        row: int,  # noqa: ARG002  nothing is shown
        step: int,  # noqa: ARG002  there is one
        actions: NDArray[np.integer[Any]],
        memory: dict[str, Any],  # noqa: ARG002  nothing to remember
    ) -> tuple[float, bool, bool]:
        """The payoff."""
        payoff = float(self.PAYOFF[actions[0], actions[1]])
        return payoff, True, payoff == self.PAYOFF.max()


class SignalGame(Game):
    """Each agent is to play its target among 3 actions for 3 steps; only the state shows the targets."""

    ACTIONS, STEPS = 3, 3
    personal: bool  # whether each of the 2 agents has a target of its own

    def _show(self, row: int, targets: NDArray[np.integer[Any]]) -> None:
        self.state[row] = np.eye(self.ACTIONS, dtype=np.float32)[targets].ravel()

    def begin(self, row: int, memory: dict[str, Any], chance: np.random.Generator) -> None:
        """Draw every step's targets."""
        memory["targets"] = chance.integers(self.ACTIONS, size=(self.STEPS + 1, 2 if self.personal else 1))
        memory["right"] = True
        self._show(row, memory["targets"][0])

    def advance(
        self, row: int, step: int, actions: NDArray[np.integer[Any]], memory: dict[str, Any]
    ) -> tuple[float, bool, bool]:
        """Reward: the share of agents that played their target."""
        right = actions == memory["targets"][step]
        memory["right"] = memory["right"] and bool(right.all())
        self._show(row, memory["targets"][step + 1])
        over = step + 1 == self.STEPS
        return float(right.mean()), over, over and memory["right"]


class CommonSignalGame(SignalGame):
    """One target for both agents."""

    personal = False
    spec = _spec("common-signal", 2, 3, 3, obs=("nothing",), state=tuple(f"target_is_{a}" for a in range(3)))


class PersonalSignalGame(SignalGame):
    """A target for each agent: the same global information is of no use to both."""

    personal = True
    spec = _spec(
        "personal-signal",
        2,
        3,
        3,
        obs=("nothing",),
        state=tuple(f"ally_{n}.target_is_{a}" for n in range(2) for a in range(3)),
    )


GAMES: Mapping[str, type[Game]] = {
    "two-step": TwoStepGame,
    "non-monotonic": NonMonotonicGame,
    "common-signal": CommonSignalGame,
    "personal-signal": PersonalSignalGame,
}


def game_spec(name: str) -> EnvSpec:
    """The facts of one of the games.

    Raises:
        PtdeError: no game of that name.
    """
    if name not in GAMES:
        raise unknown("game", name, GAMES)
    return GAMES[name].spec


def build_game(name: str, n_envs: int) -> Game:
    """A batch of one of the games.

    Raises:
        PtdeError: no game of that name.
    """
    game_spec(name)
    return GAMES[name](n_envs)
