"""The choice of actions: the best available one, or now and then any available one."""

import numpy as np

from ptde_core.base.kernels.compile import Array, entry


@entry
def best_available(values: Array, available: Array, choice: Array, best: Array) -> None:
    """Of each row of values (R, A) the largest among the available ones and where it stands, the first of equals."""
    for row in range(len(values)):
        highest, place = np.float32(-np.inf), 0
        for k in range(values.shape[1]):
            if available[row, k] and values[row, k] > highest:
                highest, place = values[row, k], k
        choice[row], best[row] = place, highest


@entry
def explore(actions: Array, available: Array, epsilon: Array, draws: Array) -> None:
    """See `policies.acting.explore`, whose arguments these are."""
    for env in range(len(actions)):
        for agent in range(actions.shape[1]):
            if draws[env, 0, agent] < epsilon[env]:
                count = 0
                for action in range(available.shape[2]):
                    count += available[env, agent, action]
                left = np.int64(draws[env, 1, agent] * count)  # how many available ones stand before the chosen one
                for action in range(available.shape[2]):
                    if available[env, agent, action]:
                        if left == 0:
                            actions[env, agent] = action
                        left -= 1
