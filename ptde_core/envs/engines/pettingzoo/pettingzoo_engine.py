"""Anybody's PettingZoo `ParallelEnv` as a team game (`--env pettingzoo --map module:maker`), one process each.

The rules, for what PettingZoo leaves open, stand in docs/explanation/engines.md; each has its function here.
"""

import ast
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.envs.engines.pettingzoo.flat_actions import Choices
from ptde_core.envs.engines.pettingzoo.maker import EXAMPLE, Place
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.engine_contract import Outcome, View
from ptde_core.envs.workers.pool import EnginePool

LONGEST = 1000  # env steps of an episode where the environment does not say (`max_cycles`)
INSTALLED = frozenset({"site-packages", "dist-packages"})  # folders of packages that pip installs
PTDE = Path(__file__).resolve().parents[3]  # counts as installed
PYTHON = Path(sysconfig.get_path("stdlib")).resolve()
IMPORTING = frozenset({"import_module", "__import__"})
MASK = "action_mask"
WON = "won"


class PettingZooEngine:
    """One parallel environment.

    Args:
        place: "module:maker?key=value#reward=playing" (`pettingzoo_place`). A module in the maker's place stands for
            its `parallel_env`, and a module alone too.

    Raises:
        PtdeError: there is no such thing, or it is no environment that a team can play.
    """

    def __init__(self, place: str) -> None:
        told = Place.of(place)
        self._env, self._only_playing = _made(told, place), told.reward == "playing"
        self._agents: list[str] = list(self._env.possible_agents)
        self._sizes = [_view_size(self._env.observation_space(agent), agent) for agent in self._agents]
        self._choices = [Choices(self._env.action_space(agent), agent) for agent in self._agents]
        self._limit = int(getattr(self._env.unwrapped, "max_cycles", LONGEST))
        seen, infos = _first_view(self._env, place)
        self._own_state = _state(self._env)
        self._can_be_won = self._says_that_it_can_be_won(seen, infos)
        self.spec = self._build_spec(place)
        self._steps = 0

    def _build_spec(self, place: str) -> EnvSpec:
        obs = tuple(f"obs_{k}" for k in range(max(self._sizes)))
        if self._own_state is None:
            state = tuple(f"{agent}.{name}" for agent in self._agents for name in obs)
        else:
            state = tuple(f"state_{k}" for k in range(self._own_state.size))
        most = max(one.count for one in self._choices)
        named = {one.names for one in self._choices if one.count == most}
        actions = named.pop() if len(named) == 1 else tuple(f"action_{k}" for k in range(most))
        return EnvSpec(
            backend="pettingzoo",
            version=str(self._env.metadata.get("name", "unnamed")),
            map=place,
            n_agents=len(self._agents),
            n_actions=len(actions),
            obs_size=len(obs),
            state_size=len(state),
            episode_limit=self._limit,
            obs_names=obs,
            state_names=state,
            action_names=actions,
            can_be_won=self._can_be_won,
            map_digest=_source_digest(place, self._env),
        )

    def _says_that_it_can_be_won(self, seen: dict[str, Any], infos: dict[str, Any]) -> bool:
        """As the metadata says ("can_be_won"), else whether the infos of a first step, taken for that, have "won"."""
        if "can_be_won" in self._env.metadata:
            return bool(self._env.metadata["can_be_won"])
        actions = {}
        for agent, choices in zip(self._agents, self._choices, strict=True):
            if agent in self._env.agents:
                mask = _mask(seen[agent], infos.get(agent, {}))
                actions[agent] = choices.action(0 if mask is None else int(np.argmax(choices.mask(mask))))
        told = self._env.step(actions)
        if not (isinstance(told, tuple) and len(told) == 5):
            raise PtdeError(
                f"a step returns {_shape_of(told)}, not (observations, rewards, terminations, truncations, infos)"
                + (": it is of before PettingZoo 1.22" if isinstance(told, tuple) and len(told) == 4 else ""),
                "tell ends of the world and of time apart in its step",
            )
        return any(WON in info for info in told[-1].values())

    def reset(self, seed: int, view: View) -> None:
        """Start the episode of that seed; PettingZoo's environments take 31 bits of it."""
        seen, infos = self._env.reset(seed=seed % 2**31)
        self._steps = 0
        self._show(seen, infos, view)

    def step(self, actions: NDArray[np.int64], view: View) -> Outcome:
        """One step of all agents that still play; the reward is the mean over all agents, or over these."""
        playing = set(self._env.agents)
        chosen = {
            agent: choices.action(int(a))
            for agent, choices, a in zip(self._agents, self._choices, actions, strict=True)
            if agent in playing
        }
        seen, rewards, _, truncations, infos = self._env.step(chosen)
        self._steps += 1
        self._show(seen, infos, view)
        of_whom = len(playing) if self._only_playing else len(self._agents)
        reward = sum(float(one) for one in rewards.values()) / max(1, of_whom)
        over, out_of_time = not self._env.agents, any(truncations.values())
        won = any(bool(info.get(WON, False)) for info in infos.values())
        if won and not self._can_be_won:
            raise PtdeError(
                "the environment reports a win, but neither its metadata nor the infos of a first step say that it can",
                'add "can_be_won": True to its metadata',
            )
        terminated = over and not out_of_time
        return Outcome(reward, terminated, not terminated and (over or self._steps >= self._limit), won and terminated)

    def _show(self, seen: dict[str, Any], infos: dict[str, Any], view: View) -> None:
        """An agent that has left sees zeros and may only do action 0; so does one whose mask allows nothing."""
        view.obs[:] = 0.0
        view.available[:] = False
        playing = set(self._env.agents)
        for k, agent in enumerate(self._agents):
            if agent in seen:
                flat = _flat(seen[agent])
                view.obs[k, : flat.size] = flat
            if agent in playing:
                mask = _mask(seen[agent], infos.get(agent, {}))
                choices = self._choices[k]
                view.available[k, : choices.count] = True if mask is None else choices.mask(mask)
            if not view.available[k].any():
                view.available[k, 0] = True
        view.state[:] = view.obs.ravel() if self._own_state is None else np.asarray(self._env.state()).ravel()

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


def build_pettingzoo(place: str, n_envs: int) -> EnginePool:
    """A batch of that environment.

    Raises:
        PtdeError: as `PettingZooEngine`.
    """
    return EnginePool(partial(PettingZooEngine, place), n_envs)


def _made(told: Place, place: str) -> Any:
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  a module beside the user, as with `python -m`
    try:
        found: Any = importlib.import_module(told.module)
        if told.maker:
            found = getattr(found, told.maker, None) or importlib.import_module(f"{told.module}.{told.maker}")
    except (ImportError, ValueError) as error:
        raise PtdeError(f"no PettingZoo environment at {place!r} ({error})", EXAMPLE) from None
    maker = getattr(found, "parallel_env", found)
    if not callable(maker):
        raise PtdeError(f"{place!r} makes no environment: it has no parallel_env and cannot be called", EXAMPLE)
    _look_at(maker, place, told.arguments)
    env = maker(**told.arguments)
    if _takes_turns(env):
        raise PtdeError(
            f"{place!r} makes an AEC environment, whose agents act one after another",
            "give its parallel_env; where agents could act at once, pettingzoo.utils.aec_to_parallel makes one",
        )
    if not all(hasattr(env, name) for name in ("possible_agents", "observation_space", "action_space", "reset")):
        raise PtdeError(f"{place!r} makes a {type(env).__name__}, which is no ParallelEnv of PettingZoo", EXAMPLE)
    return env


def _source_digest(place: str, env: Any) -> str:
    """Of the files that the game's code stands in, and their names: edited, it is another game.

    They are the modules of the maker and of the environment's classes, and the files of the user's own that these
    import, and so on: of installed packages only the former. What is imported by a name that is put together as the
    game runs is not among them, nor are files with data.
    """
    made = inspect.getmodule(type(env.unwrapped))
    modules = {sys.modules.get(place.partition(":")[0]), inspect.getmodule(type(env)), made}
    left = {Path(file).resolve() for module in modules if (file := getattr(module, "__file__", None))}
    files: set[Path] = set()
    while left:
        files.add(path := left.pop())
        left |= _imported(path) - files
    told = sorted((path.relative_to(_root(path)).as_posix(), _sha256(path.read_bytes())) for path in files)
    return _sha256(repr(told).encode())[:16]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _root(path: Path) -> Path:
    """The folder that a file's package lies in; of a module that is in none, the file's."""
    return next(folder for folder in path.parents if not (folder / "__init__.py").is_file())


def _imported(path: Path) -> set[Path]:
    """The files of the user's own that a source file imports, anywhere in it; none of an installed package."""
    if path.suffix != ".py" or not _is_own(path):
        return set()
    found = set[Path]()
    with suppress(SyntaxError, ValueError):  # of a file that is imported later, or never
        for node in ast.walk(ast.parse(path.read_bytes())):
            names, roots = _named(node), [path.parent, _root(path), Path.cwd()]
            if isinstance(node, ast.ImportFrom) and node.level:
                roots = list(path.parents[node.level - 1 : node.level])  # none: it leads out of all folders
            else:
                roots += [root for name in names for root in _where(name.partition(".")[0])]
            parts = [[*filter(None, name.split("."))] for name in names]
            found.update(root.joinpath(*one[: k + 1]) for root in roots for one in parts for k in range(len(one)))
    files = {file.resolve() for one in found for file in (one.with_name(f"{one.name}.py"), one / "__init__.py")}
    return {file for file in files if file.is_file() and _is_own(file)}


def _named(node: ast.AST) -> list[str]:
    """The modules that a piece of code imports: a statement, or a call of `import_module` with a name as it stands."""
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(f"{node.module or ''}.{one.name}" for one in node.names)]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        name = node.args[0].value
        return [name] if called in IMPORTING and isinstance(name, str) else []
    return []


def _where(module: str) -> list[Path]:
    """The folders in which Python finds a module or package of the first level: any on its path, for one."""
    with suppress(ImportError, ValueError):  # there is none, or it has been made up
        spec = importlib.util.find_spec(module)
        places = [] if spec is None else [*(spec.submodule_search_locations or ()), *filter(None, [spec.origin])]
        return [Path(place).parent for place in places]
    return []


def _is_own(path: Path) -> bool:
    """Whether a file is the user's: neither of Python, nor of an installed package, nor of ptde."""
    return not (INSTALLED.intersection(path.parts) or PTDE in path.parents or PYTHON in path.parents)


def _look_at(maker: Any, place: str, arguments: Mapping[str, Any]) -> None:
    """Refuse, before it is called, what makes no environment: another class, a function of Python's own.

    Raises:
        PtdeError: why it is not called.
    """
    if isinstance(maker, type) and not all(hasattr(maker, name) for name in ("reset", "step")):
        raise PtdeError(f"{place!r} is a class without reset and step, so no environment", EXAMPLE)
    home = str(getattr(maker, "__module__", "")).partition(".")[0]
    if inspect.isbuiltin(maker) or (home in sys.stdlib_module_names - {"__main__"} and not isinstance(maker, partial)):
        raise PtdeError(f"{place!r} is a function of Python's own, so no environment's maker", EXAMPLE)
    try:
        inspect.signature(maker).bind(**arguments)
    except (TypeError, ValueError) as error:
        so = "so" if arguments else "without arguments"
        raise PtdeError(f"the maker of {place!r} cannot be called {so} ({error})", EXAMPLE) from None


def _takes_turns(env: Any) -> bool:
    """Whether it is one of PettingZoo's AEC environments, which ask one agent at a time."""
    from pettingzoo import AECEnv

    return isinstance(env, AECEnv) or (
        callable(getattr(env, "agent_iter", None)) and callable(getattr(env, "last", None))
    )


def _first_view(env: Any, place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the first reset shows.

    Raises:
        PtdeError: it has the signature of older versions of PettingZoo.
    """
    takes = inspect.signature(env.reset).parameters.values()
    if not any(one.name == "seed" or one.kind is inspect.Parameter.VAR_KEYWORD for one in takes):
        raise PtdeError(
            f"the reset of {place!r} takes no seed: its signature is of before PettingZoo 1.22",
            "write it as reset(self, seed=None, options=None), and have the seed decide the episode",
        )
    told = env.reset(seed=0)
    if isinstance(told, tuple) and len(told) == 2 and all(isinstance(part, dict) for part in told):
        return told
    raise PtdeError(
        f"the reset of {place!r} returns {_shape_of(told)}, not (observations, infos)"
        + (": it is of before PettingZoo 1.23" if isinstance(told, dict) else ""),
        "have it return two dictionaries by agent",
    )


def _shape_of(told: Any) -> str:
    """A returned value in words."""
    return f"{len(told)} values" if isinstance(told, tuple) else f"a {type(told).__name__}"


def _view_size(space: Any, agent: str) -> int:
    """Numbers in an agent's view: a box, flattened; of a dictionary, its "observation"."""
    from gymnasium.spaces import Box, Dict

    box = space["observation"] if isinstance(space, Dict) and "observation" in space.spaces else space
    if not isinstance(box, Box):
        raise PtdeError(f"{agent} observes {space}", "only a Box, or a Dict with a Box named observation, can be read")
    return int(np.prod(box.shape))


def _state(env: Any) -> NDArray[Any] | None:
    """The environment's state; None where it has none, which is then the joint view of all agents."""
    try:
        return np.asarray(env.state())
    except (AttributeError, NotImplementedError):
        return None


def _flat(seen: Any) -> NDArray[Any]:
    return np.asarray(seen["observation"] if isinstance(seen, dict) else seen).ravel()


def _mask(seen: Any, info: dict[str, Any]) -> Any:
    """What may be done, as the environment says it: a mask in the view, else in the info, else None for everything."""
    return seen.get(MASK) if isinstance(seen, dict) else info.get(MASK)
