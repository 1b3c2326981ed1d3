"""Stage 1 (paper, Algorithm 1): play, learn, test; leaves config.json, metrics.jsonl, teacher.pt in the run folder.

An algorithm that trains its student at the same time (CTDS) has both tested, and leaves student.pt too.

Every random choice is a function of the run's seed and a counter (episode, update), so the state to resume from holds
no random streams, and a resumed run is equal to an uninterrupted one bit for bit (CPU, same number of threads).
"""

import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ptde_core.algorithms.catalogue import build_learner
from ptde_core.algorithms.learner import TeachesOnline
from ptde_core.algorithms.naming import teacher_marks, teacher_name
from ptde_core.algorithms.settings import ValueDecompositionSettings
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, Logged, Note, Progress, StageFinished, StageStarted, silent
from ptde_core.base.memory import keep_freed_memory
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.catalogue import ENVIRONMENTS
from ptde_core.envs.interface import BatchedEnv, EnvSpec
from ptde_core.policies.catalogue import build_environment_of
from ptde_core.policies.play import Exploration, play
from ptde_core.policies.restore import spec_to_plain
from ptde_core.stages.interruption import Interruption
from ptde_core.stages.settings import TrainingSettings
from ptde_core.storage.checkpoint import identity, load_checkpoint, save_checkpoint
from ptde_core.storage.provenance_file import add_sitting
from ptde_core.storage.replay import ReplayJournal, largest_replay
from ptde_core.storage.run_folder import RunFolder, read_json, write_json
from ptde_core.storage.status import read_state, write_status
from ptde_core.storage.training_log import TrainingLog

STAGE = "train-teacher"


def train_teacher(
    settings: TrainingSettings, run: RunFolder, *, resume: bool = False, listen: Listener = silent
) -> Path:
    """Train a teacher; returns the path of its checkpoint, `run.teacher`.

    Args:
        settings: everything that decides the result.
        run: an unused folder; or, with `resume`, one that holds this training, finished or not.
        resume: go on where an interrupted training stopped; a finished one is left as it is.
        listen: is told of progress and of files.

    Raises:
        PtdeError: the folder holds a run and `resume` is not given, or it holds one with other settings or rules.
        KeyboardInterrupt: interrupted; all is saved to go on with `resume`.
    """
    if not _may_begin(settings, run, resume):
        return run.teacher
    with closing(build_environment_of(settings.model_dump(), settings.n_envs)) as env:
        # Now that the map is known to exist: a wrong one leaves no folder.
        write_json(run.config, settings.model_dump())
        add_sitting(run.provenance, env.spec.backend, env.spec.version, torch.get_num_threads())
        write_status(run, "running")
        keep_freed_memory()
        try:
            _Training(settings, run, env, listen).run()
        except KeyboardInterrupt:
            write_status(run, "interrupted", "stopped by the user")
            raise
        except BaseException as error:
            write_status(run, "failed", f"{type(error).__name__}: {error}")
            raise
    return run.teacher


def _may_begin(settings: TrainingSettings, run: RunFolder, resume: bool) -> bool:
    """Check that the folder can take this training; False if it has already finished there."""
    if not run.config.exists():
        return True
    held = read_json(run.config, "settings of a run")
    if not resume:
        raise PtdeError(f"{run.path} already holds a run", "add --resume to go on with it, or --out for another folder")
    for key, value in settings.model_dump().items():
        if held.get(key) != value:
            raise PtdeError(
                f"{run.path} was trained with {key} = {held.get(key)!r}, not {value!r}",
                "resume it with its own settings, or choose another folder with --out",
            )
    return not (run.status.exists() and read_state(run) == "finished")


@dataclass
class _Counters:
    """Where a training stands; with the settings it decides everything that follows."""

    env_steps: int = 0
    episodes: int = 0
    held: int = 0  # of these, the newest that the learner still holds
    next_test: int = 0  # env steps from which the next test is due
    logged: dict[str, int] = field(default_factory=dict)  # lengths of the log's files that belong to this state
    seconds: float = 0.0  # wall time of all sittings
    engine_restarts: int = 0  # engines that broke and were replaced; their episodes were played again
    recent: dict[str, float] = field(default_factory=lambda: {"episodes": 0, "won": 0, "reward": 0.0, "length": 0})


class _Training:
    """One sitting of a training."""

    def __init__(self, settings: TrainingSettings, run: RunFolder, env: BatchedEnv, listen: Listener) -> None:
        self._settings, self._run, self._env, self._listen = settings, run, env, listen
        self._learner = build_learner(settings.alg, env.spec, settings, settings.seed)
        if ENVIRONMENTS[settings.env].engines:  # as many games as are running already are enough
            self._test_env = env
        else:
            self._test_env = build_environment_of(settings.model_dump(), max(1, min(settings.test_episodes, 32)))
        self._restarts_seen = env.restarts
        self._tested = {"": self._learner.teacher}  # what stands before the names of a policy's metrics -> the policy
        if isinstance(self._learner, TeachesOnline):
            self._tested["student_"] = self._learner.student
        self._journal = ReplayJournal(run.resume)
        self._unsaved: list[Episode] = []
        self._at = _Counters()
        self._log: Mapping[str, Tensor | float] = {}
        self._shown: dict[str, float] = {}
        self._play_seconds = 0.0
        if self._state_file.exists():
            self._load()
        self._training_log = TrainingLog(run, self._at.logged)
        self._begun, self._begun_steps = time.monotonic(), self._at.env_steps
        self._seconds_before = self._at.seconds

    @property
    def _state_file(self) -> Path:
        return self._run.resume / "state.pt"

    def run(self) -> None:
        """Algorithm 1, lines 3 to 11."""
        settings, at = self._settings, self._at
        marks = teacher_marks(settings.model_dump(), self._learner.teacher.trunk.hidden_size)
        name = teacher_name(settings.alg, settings.global_info, marks)
        title = f"teacher {name} on {settings.env} {self._env.spec.map}, seed {settings.seed}"
        self._listen(StageStarted(STAGE, title, settings.steps, "env steps", at.env_steps))
        if preparation := ENVIRONMENTS[settings.env].preparation():
            self._listen(Note(preparation))
        if isinstance(settings, ValueDecompositionSettings):
            self._listen(Note(_memory_needed(settings.replay_episodes, self._env.spec)))
        saved = time.monotonic()
        with Interruption() as interruption:
            while at.env_steps < settings.steps:
                episodes = self._round()
                self._log = self._learner.learn(episodes) or self._log
                self._unsaved = self._newest(self._unsaved)
                if at.env_steps >= at.next_test or at.env_steps >= settings.steps:
                    self._test()
                self._count_restarts()
                self._listen(Progress(STAGE, min(at.env_steps, settings.steps), self._shown))
                if interruption.requested or time.monotonic() - saved >= settings.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
                interruption.raise_if_requested()
        self._finish()

    def _round(self) -> list[Episode]:
        """Play one round of episodes (line 4)."""
        settings, at = self._settings, self._at
        how = self._learner.exploration(at.env_steps)
        seeds = episode_seeds(settings.seed, "training", at.episodes, settings.n_envs)
        began = time.monotonic()
        episodes = list(play(self._env, self._learner.teacher, seeds, how))
        self._play_seconds += time.monotonic() - began
        self._unsaved += episodes
        at.episodes += len(episodes)
        at.env_steps += sum(e.length for e in episodes)
        recent = at.recent
        recent["episodes"] += len(episodes)
        recent["won"] += sum(e.won for e in episodes)
        recent["reward"] += sum(e.total_reward for e in episodes)
        recent["length"] += sum(e.length for e in episodes)
        self._shown["train_win_rate"] = recent["won"] / recent["episodes"]
        if how.actions == "greedy":  # a policy that samples its actions has no epsilon
            self._shown["epsilon"] = how.epsilon
        return episodes

    def _count_restarts(self) -> None:
        """Tell of engines that broke since the last time."""
        if new := self._env.restarts - self._restarts_seen:
            self._restarts_seen += new
            self._at.engine_restarts += new
            told = f"{new} engine{'s' if new > 1 else ''} broke and started anew ({self._at.engine_restarts} in all)"
            self._listen(Note(f"{told}; broken episodes are played again from their seeds"))

    def _newest(self, episodes: list[Episode]) -> list[Episode]:
        """Those of the newest episodes that the learner still holds: the others need no saving."""
        return episodes[max(0, len(episodes) - self._learner.held) :]

    def _test(self) -> None:
        """Greedy episodes, always the same battles, and one line of metrics."""
        settings, at = self._settings, self._at
        at.next_test = (at.env_steps // settings.test_every + 1) * settings.test_every
        recent = at.recent
        metrics = {
            "episodes": float(at.episodes),
            "updates": float(self._learner.updates),
            **{key: self._shown[key] for key in ("epsilon",) if key in self._shown},
            "train_win_rate": recent["won"] / recent["episodes"],
            "train_return": recent["reward"] / recent["episodes"],
            "train_length": recent["length"] / recent["episodes"],
            **{key: float(value) for key, value in self._log.items()},
        }
        at.recent = _Counters().recent
        if settings.test_episodes:
            seeds = episode_seeds(settings.seed, "test", 0, settings.test_episodes)
            for whose, policy in self._tested.items():
                tests = list(play(self._test_env, policy, seeds, Exploration()))
                metrics[f"{whose}test_win_rate"] = float(np.mean([e.won for e in tests]))
                metrics[f"{whose}test_return"] = float(np.mean([e.total_reward for e in tests]))
                metrics[f"{whose}test_length"] = float(np.mean([e.length for e in tests]))
        sitting = time.monotonic() - self._begun
        metrics["env_steps_per_s"] = (at.env_steps - self._begun_steps) / sitting
        metrics["play_share"] = self._play_seconds / sitting
        self._training_log.add(at.env_steps, metrics)
        self._shown |= metrics
        self._listen(Logged(at.env_steps, metrics))

    def _mishaps(self) -> dict[str, Any]:
        """What status.json says of engines that broke; nothing where none can."""
        return {"engine_restarts": self._at.engine_restarts} if ENVIRONMENTS[self._settings.env].engines else {}

    def _save(self) -> None:
        """Save the state to resume from: episodes first, then the state that names them, then delete the old."""
        self._at.held = self._learner.held
        self._journal.append(self._unsaved, keep=self._at.held)
        self._unsaved = []
        self._at.logged = self._training_log.lengths
        self._at.seconds = self._seconds_before + time.monotonic() - self._begun
        content = {
            "counters": asdict(self._at),
            "learner": self._learner.state(),
            "log": {key: float(value) for key, value in self._log.items()},  # the next test may come before an update
            "segments": self._journal.segments,
        }
        save_checkpoint(self._state_file, "training", content)
        self._journal.drop_old()
        write_status(self._run, "running", env_steps=self._at.env_steps, seconds=self._at.seconds, **self._mishaps())

    def _load(self) -> None:
        """Go back to the saved state."""
        content = load_checkpoint(self._state_file, "training")
        self._at = _Counters(**content["counters"])
        self._log = content["log"]
        episodes = self._journal.load(content["segments"])
        self._learner.load(content["learner"], episodes[len(episodes) - self._at.held :])

    def _finish(self) -> None:
        """Write the teacher, the student if there is one, and clear what only an interrupted training needs."""
        at, run, learner = self._at, self._run, self._learner
        at.seconds = self._seconds_before + time.monotonic() - self._begun
        about = {
            "settings": self._settings.model_dump(),
            "env": spec_to_plain(self._env.spec),
            "teacher_id": identity(learner.teacher.state_dict()),
            "counters": {"env_steps": at.env_steps, "episodes": at.episodes, "updates": learner.updates},
        }
        teacher = {**about, "networks": _copied(learner.teacher), "training_networks": learner.networks()}
        save_checkpoint(run.teacher, "teacher", teacher)
        self._listen(FileSaved(run.teacher, "the trained teacher"))
        if isinstance(learner, TeachesOnline):
            student = {**about, "networks": _copied(learner.student), "teacher_file": run.teacher.name}
            save_checkpoint(run.student, "student", student)
            self._listen(FileSaved(run.student, "the student trained with it"))
        facts = {
            **self._mishaps(),
            "env_steps": at.env_steps,
            "seconds": at.seconds,
            "threads": torch.get_num_threads(),
        }
        write_status(run, "finished", **facts)
        shutil.rmtree(self._run.resume, ignore_errors=True)
        self._listen(StageFinished(STAGE, time.monotonic() - self._begun))


def _memory_needed(episodes: int, spec: EnvSpec) -> str:
    most = largest_replay(episodes, spec.episode_limit, spec.n_agents, spec.n_actions, spec.obs_size, spec.state_size)
    return f"replay memory: up to {most / 1e9:.2g} GB, if {episodes} episodes last {spec.episode_limit} steps each"


def _copied(policy: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in policy.state_dict().items()}
