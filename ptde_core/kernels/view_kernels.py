"""The local input of the agents' networks: observation, last action and identity side by side."""

import numpy as np

from ptde_core.kernels.compile import Array, entry
from ptde_core.kernels.rows import copy_floats


@entry
def local_inputs(obs: Array, actions: Array, lengths: Array, local: Array) -> None:
    """Local inputs at all views of episodes that are laid end to end: observation, last action, identity.

    Args:
        obs: (R, N, O).
        actions: (P, N) int64.
        lengths: (B,) int64 steps of each episode, which has one view more.
        local: (R, N, O+A+N), written.
    """
    agents, size, width = obs.shape[1], obs.shape[2], local.shape[2]
    row = 0
    for episode in range(len(lengths)):
        for t in range(lengths[episode] + 1):
            for agent in range(agents):
                own = local[row, agent]
                copy_floats(own.ctypes.data, obs[row, agent].ctypes.data, size)
                for k in range(size, width):
                    own[k] = np.float32(0.0)
                if t:
                    own[size + actions[row - episode - 1, agent]] = np.float32(1.0)
                own[width - agents + agent] = np.float32(1.0)
            row += 1
