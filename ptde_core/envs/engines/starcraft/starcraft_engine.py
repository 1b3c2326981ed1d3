"""StarCraft II as an engine of the workers (`--env smac --map MAP`, `--env smacv2 --map RACE_N_vs_M`).

What is seen, done and paid is the package's own, with its default arguments. Its class is used as it is, but for three
things: a seed for what it draws, the end of an episode told apart, and a game that lost its connection counts as broken
(the package starts another by itself and calls the episode ended).
"""

import importlib
import random
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.envs.engines.starcraft.installed import PACKAGES, SMAC, SMACV2, Package, require_game, require_package
from ptde_core.envs.engines.starcraft.reinforcement import reinforced
from ptde_core.envs.engines.starcraft.starcraft_maps import REINFORCED, smac_file, smac_map, smacv2_map
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.skirmish.spec import build_spec
from ptde_core.envs.workers.engine_contract import Outcome, View
from ptde_core.envs.workers.pool import EnginePool

RULES = "1"  # of this adapter


class StarCraftEngine:
    """One game.

    Args:
        backend: "smac" or "smacv2".
        name: the map.

    Raises:
        PtdeError: no such map, or something of StarCraft II is missing here.
    """

    def __init__(self, backend: str, name: str) -> None:
        version = require_starcraft(backend, name)
        self._env = _smac(name) if backend == SMAC.module else _smacv2(name)
        self._game = getattr(self._env, "env", self._env)  # SMACv2 wraps what plays into what draws the teams
        self.spec = self._build_spec(backend, name, version)

    def _build_spec(self, backend: str, name: str, version: str) -> EnvSpec:
        """Skirmish's names for SMAC's features, which are the same; numbers where the package's sizes are its own."""
        told = self._env.get_env_info()
        if backend == SMAC.module:
            spec = build_spec(smac_map(name), backend, version)
            sizes = (spec.n_agents, spec.n_actions, spec.obs_size, spec.state_size, spec.episode_limit)
            keys = ("n_agents", "n_actions", "obs_shape", "state_shape", "episode_limit")
            if sizes != tuple(int(told[key]) for key in keys):
                raise RuntimeError(
                    f"{backend} shows {told} on {name}, not SMAC's sizes {dict(zip(keys, sizes, strict=True))}"
                )
            return spec
        return EnvSpec(
            backend=backend,
            version=version,
            map=name,
            n_agents=told["n_agents"],
            n_actions=told["n_actions"],
            obs_size=told["obs_shape"],
            state_size=told["state_shape"],
            episode_limit=told["episode_limit"],
            obs_names=tuple(f"obs_{k}" for k in range(told["obs_shape"])),
            state_names=tuple(f"state_{k}" for k in range(told["state_shape"])),
            action_names=tuple(f"action_{k}" for k in range(told["n_actions"])),
        )

    def reset(self, seed: int, view: View) -> None:
        """Start an episode. The seed decides what the package draws, and the game's chance when the game is started.

        A game that goes on draws from where it is: equal seeds do not give equal episodes there.

        Raises:
            ConnectionError: the game broke.
        """
        self._game._seed = seed % 2**31  # read when a game is started
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002  SMACv2 draws from there
        for drawn in getattr(self._env, "env_key_to_distribution_map", {}).values():
            _reseed(drawn, np.random.default_rng(seed))
        restarts = self._game.force_restarts
        self._env.reset()
        if self._game.force_restarts != restarts:
            raise ConnectionError("StarCraft II broke when an episode was to begin")
        # The package starts a game as long as no episode has come to an end; an episode may be left before that.
        self._game._episode_count = max(1, self._game._episode_count)
        self._show(view)

    def step(self, actions: NDArray[np.int64], view: View) -> Outcome:
        """One step of all agents, half a second of the game.

        Raises:
            ConnectionError: the game broke.
        """
        reward, ended, told = self._env.step(actions.tolist())
        if "battle_won" not in told:
            raise ConnectionError("StarCraft II broke in an episode")
        self._show(view)
        truncated = bool(ended) and bool(told.get("episode_limit", False))
        return Outcome(float(reward), bool(ended) and not truncated, truncated, bool(told["battle_won"]))

    def _show(self, view: View) -> None:
        view.obs[:] = self._env.get_obs()
        view.state[:] = self._env.get_state()
        view.available[:] = [self._env.get_avail_agent_actions(agent) for agent in range(self.spec.n_agents)]

    def save_recording(self, path: Path) -> None:
        """Everything since the game was started, as a .SC2Replay."""
        path.write_bytes(self._game._controller.save_replay())

    def close(self) -> None:
        """Stop the game."""
        self._env.close()


def build_starcraft(backend: str, name: str, n_envs: int) -> EnginePool:
    """A batch of games.

    Raises:
        PtdeError: as `StarCraftEngine`; before any process starts.
    """
    require_starcraft(backend, name)
    return EnginePool(partial(StarCraftEngine, backend, name), n_envs)


def require_starcraft(backend: str, name: str) -> str:
    """What plays this map here, with all versions that can move a number.

    Raises:
        PtdeError: no such map; the package, the game or the map's file is missing.
    """
    package = PACKAGES[backend]
    files: tuple[str, ...]
    if package is SMAC:
        smac_map(name)
        files = (smac_file(name),)
    else:
        files = smacv2_map(name).files
    version = require_package(package)
    game = require_game()
    game.require_map(files, package)
    return f"{package.module} {version}, StarCraft II {game.build}, rules {RULES}"


def _smac(name: str) -> Any:
    base = imported(SMAC).StarCraft2Env
    if name in REINFORCED:
        return reinforced("smac", base, name, REINFORCED[name], smac_map(name).limit)
    return base(map_name=name, continuing_episode=True)


def _smacv2(name: str) -> Any:
    wrapper = imported(SMACV2).StarCraftCapabilityEnvWrapper
    return wrapper(continuing_episode=True, **smacv2_map(name).arguments())


def imported(package: Package) -> Any:
    """The package's module of environments.

    Raises:
        PtdeError: it cannot be imported.
    """
    try:
        return importlib.import_module(f"{package.module}.env")
    except (ImportError, TypeError) as error:  # a TypeError is how protocol buffers refuse what is too old for them
        why = str(error).splitlines()[0]
        old = "type: python -m pip install 'protobuf<3.21'" if "escriptors" in why else f"type: {package.install}"
        raise PtdeError(f"{package.module} is installed, but cannot be imported ({why})", old) from None


def _reseed(drawn: Any, chance: np.random.Generator) -> None:
    """Give one of SMACv2's distributions, and those inside it, a generator of ours: its own has no seed."""
    for key, value in vars(drawn).items():
        if isinstance(value, np.random.Generator):
            setattr(drawn, key, chance)
        elif hasattr(value, "generate"):
            _reseed(value, chance)
