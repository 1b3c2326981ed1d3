"""Records what environments show and what agents do in them, and cuts it into episodes."""

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.batch import Episode
from ptde_core.envs.interface import BatchedEnv


class Recorder:
    """An episode in each of k environments, which begin together; it is made when the first views are shown.

    Args:
        env: of E environments.
        rows: which k of them.
        seeds: (k,) of the episodes.
    """

    def __init__(self, env: BatchedEnv, rows: slice, seeds: NDArray[np.uint64]) -> None:
        self._env, self._rows, self._seeds = env, rows, seeds
        self._noises: list[NDArray[np.float32]] = []
        self._views: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]] = []
        self._actions: list[NDArray[np.int16]] = []
        self._rewards: list[NDArray[np.float32]] = []
        self._lengths = np.zeros(len(seeds), np.int64)  # (k,)
        self._keep_views()

    @property
    def begun(self) -> bool:
        """Whether the agents have acted yet."""
        return bool(self._actions)

    def acted(self, actions: NDArray[np.int64], noise: NDArray[np.float32] | None) -> None:
        """Keep the agents' actions (k, N), and the noise (k, N, Z) that z was sampled with if episodes hold it."""
        self._actions.append(actions.astype(np.int16))
        if noise is not None:
            self._noises.append(noise.copy())

    def stepped(self, running: NDArray[np.bool_]) -> None:
        """Keep what the environments show now that they have taken these actions.

        Args:
            running: (k,) whose episodes this step belongs to; the others have ended before.
        """
        self._rewards.append(self._env.reward[self._rows].copy())
        self._lengths += running
        self._keep_views()

    def episodes(self) -> list[Episode | None]:
        """The k episodes, once all have ended; None in place of one that its engine did not bring to an end."""
        env = self._env
        obs, state, available = (np.stack(column, axis=1) for column in zip(*self._views, strict=True))  # (k, T+1, .)
        actions, reward = np.stack(self._actions, axis=1), np.stack(self._rewards, axis=1)  # (k, T, N), (k, T)
        noise = np.stack(self._noises, axis=1) if self._noises else None  # (k, T, N, Z)
        lost, terminated, won = (facts[self._rows] for facts in (env.lost, env.terminated, env.won))  # (k,)
        return [
            None
            if lost[k]
            else Episode(
                seed=int(self._seeds[k]),
                obs=obs[k, : length + 1].copy(),
                state=state[k, : length + 1].copy(),
                available=available[k, : length + 1].copy(),
                actions=actions[k, :length].copy(),
                reward=reward[k, :length].copy(),
                terminated=bool(terminated[k]),
                won=bool(won[k]),
                noise=None if noise is None else noise[k, :length].copy(),
            )
            for k, length in enumerate(self._lengths.tolist())
        ]

    def _keep_views(self) -> None:
        env, rows = self._env, self._rows
        self._views.append((env.obs[rows].copy(), env.state[rows].copy(), env.available[rows].copy()))
