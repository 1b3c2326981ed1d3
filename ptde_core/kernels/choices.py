"""Choosing actions: greedy, or epsilon-greedy, among the available ones."""

import numpy as np

from ptde_core.kernels.compile import Array, entry


@entry
def best_available(values: Array, available: Array, choice: Array, best: Array) -> None:
    """The largest value of an available action in each row of values (R, A), and its action; of ties the first."""
    offered = np.empty(values.shape[1], np.float32)
    for row in range(len(values)):
        worth, there = values[row], available[row]
        for k in range(len(offered)):  # a loop of its own, which LLVM compiles without branches
            offered[k] = worth[k] if there[k] else np.float32(-np.inf)
        highest, place = np.float32(-np.inf), 0
        for k in range(len(offered)):
            better = offered[k] > highest
            highest, place = (offered[k], k) if better else (highest, place)
        choice[row], best[row] = place, highest


@entry
def choose(values: Array, available: Array, epsilon: Array, draws: Array, actions: Array) -> None:
    """Write the best available actions (E, N); each is any available one instead with a probability of epsilon (E,).

    Values and availability are (E, N, A). The draws (E, 2, N) are uniform: the first decides whether to explore, the
    second which action is taken then.
    """
    for env in range(len(actions)):
        for agent in range(actions.shape[1]):
            highest, best, count = np.float32(-np.inf), 0, 0
            for action in range(available.shape[2]):
                if available[env, agent, action]:
                    count += 1
                    if values[env, agent, action] > highest:
                        highest, best = values[env, agent, action], action
            if draws[env, 0, agent] < epsilon[env]:
                left = np.int64(draws[env, 1, agent] * count)  # how many available ones stand before the chosen one
                for action in range(available.shape[2]):
                    if available[env, agent, action]:
                        if left == 0:
                            best = action
                        left -= 1
            actions[env, agent] = best
