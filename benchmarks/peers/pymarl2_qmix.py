"""PyMARL2's own code, unchanged, trains QMIX on skirmish under SMAC's names; in the peers' environment, prints JSON.

Its code is not here and not installed by pip: the folder given is a clone of it. What this script puts around it: its
configuration is read as its own start does, without sacred; where it imports the game it gets skirmish; names that left
Python's and PyYAML's interfaces since it was written are there again.
"""

import argparse
import collections
import collections.abc
import contextlib
import json
import logging
import os
import random
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
import yaml

from ptde_core.envs.smac_api import StarCraft2Env

PROCESS, REALLY_EXIT = os.getpid(), os._exit


class _EndedError(Exception):
    """It ends its process itself; here its training ends with this."""


def main() -> None:
    """Train, and print the curve of its tests, its speed and versions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("code", type=Path, help="folder of PyMARL2's clone")
    parser.add_argument("map")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--test-every", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    source = options.code.resolve() / "src"
    sys.path.insert(0, str(source))
    _give_skirmish()
    collections.Mapping = collections.abc.Mapping  # where it stood when that code was written
    os._exit = _end  # that one never returns, ours raises
    config = _configuration(source / "config", options)
    random.seed(options.seed)
    np.random.seed(options.seed)  # noqa: NPY002  what its code draws from
    torch.manual_seed(options.seed)
    from run import REGISTRY  # PyMARL2's

    run, log = SimpleNamespace(info={}), logging.getLogger("pymarl2")
    began = time.perf_counter()
    with contextlib.suppress(_EndedError):
        REGISTRY[config["run"]](run, config, log)
    took = time.perf_counter() - began
    curve = {name: run.info.get(name, []) for name in ("test_battle_won_mean_T", "test_battle_won_mean")}
    found = {
        "env_steps": [int(steps) for steps in curve["test_battle_won_mean_T"]],
        "test_win_rate": [float(rate) for rate in curve["test_battle_won_mean"]],
        "seconds": took,
        "versions": f"torch {torch.__version__}, numpy {np.__version__}",
    }
    print("\n" + json.dumps(found), flush=True)


def _end(code: int) -> None:
    if os.getpid() != PROCESS:  # one of its workers
        REALLY_EXIT(code)
    raise _EndedError


def _give_skirmish() -> None:
    """Modules of the names that it imports the game from."""
    envs, matrix_game, smac, smac_env = (ModuleType(name) for name in ("envs", "envs.matrix_game", "smac", "smac.env"))
    envs.REGISTRY = {"sc2": StarCraft2Env}  # a bare module has no names yet
    matrix_game.print_matrix_status = None  # of a game that is not played here
    smac_env.StarCraft2Env = StarCraft2Env  # as above
    for module in (envs, matrix_game, smac, smac_env):
        sys.modules[module.__name__] = module


def _configuration(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Its defaults, its SMAC settings and its QMIX settings, as its start joins them; and what is asked for here."""
    config: dict[str, Any] = {}
    for name in ("default", "envs/sc2", "algs/qmix"):
        config |= yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
    config["env_args"] |= {"map_name": options.map, "seed": options.seed}
    config |= {"t_max": options.steps, "test_interval": options.test_every, "use_cuda": False, "seed": options.seed}
    return config | {"test_nepisode": 32, "save_model": False, "use_tensorboard": False}


if __name__ == "__main__":
    main()
