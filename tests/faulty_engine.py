"""A small engine for the workers' tests: a seeded random walk that dies, hangs, raises or starts programs on demand."""

import os
import random
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import generator
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.engine_contract import Outcome, View

LIMIT = 12
SPEC: EnvSpec = EnvSpec(
    backend="walk",
    version="1",
    map="line",
    n_agents=2,
    n_actions=3,
    obs_size=2,
    state_size=3,
    episode_limit=LIMIT,
    obs_names=("own", "noise"),
    state_names=("first", "second", "seed"),
    action_names=("stay", "left", "right"),
)


@dataclass
class Walk:
    """Two walkers on a line from -3 to 3: whoever meets the right end wins for both, the left end loses.

    `plan` is a folder: a file "<seed>" in it holds the step and the mishap of that seed's episode ("3 die"), and is
    taken away when it happens, so that the episode goes well when it is played again; a mishap "always ..." stays.
    `uneven`: seconds that a step takes at most, at random.
    """

    plan: Path | None = None
    uneven: float = 0.0

    def __post_init__(self) -> None:
        if self.plan is not None and (self.plan / "absent").exists():
            raise PtdeError("walk is not installed", "type: pip install walk")
        self.spec = SPEC
        if self.plan is not None and (self.plan / "program").exists():
            program = subprocess.Popen(["sleep", "1000"])
            (self.plan / f"program-{os.getpid()}").write_text(str(program.pid))
            (Path(tempfile.gettempdir()) / "scratch").touch()  # as StarCraft II's package makes folders

    def reset(self, seed: int, view: View) -> None:
        self._seed, self._step = seed, 0
        self._chance = generator(seed, "walk")
        self._at = self._chance.integers(-1, 2, size=2)
        self._show(view)

    def step(self, actions: np.ndarray, view: View) -> Outcome:
        self._step += 1
        time.sleep(self.uneven * random.random())
        self._mishap(view)
        self._at = self._at + np.array([0, -1, 1])[actions] * self._chance.integers(0, 2, size=2)
        self._show(view)
        won, lost = bool((self._at >= 3).any()), bool((self._at <= -3).any())
        over = won or lost
        return Outcome(float(self._at.mean()), over, self._step == LIMIT and not over, won)

    def close(self) -> None:
        pass

    def _show(self, view: View) -> None:
        view.obs[:, 0], view.obs[:, 1] = self._at, self._chance.random(2)
        view.state[:2], view.state[2] = self._at, self._seed % 1000 / 1000
        view.available[:] = True
        view.available[:, 1] = self._at > -2

    def _mishap(self, view: View) -> None:
        planned = None if self.plan is None else self.plan / str(self._seed)
        if planned is None or not planned.exists():
            return
        *often, step, what = planned.read_text().split()
        if self._step != int(step):
            return
        if not often:
            planned.unlink()
        view.obs[:] = np.nan  # what is half written when an engine breaks must never be seen
        print(f"about to {what}", flush=True)
        match what:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "hang":
                time.sleep(1000)
            case "lose":
                raise ConnectionError("the game does not answer")
            case "raise":
                raise OSError("the game has gone")
