"""One run of a training, seen from its folder: how far it is, what it logs, what it saves to go on, what it leaves.

What plays and learns is a trainer (`single_trainer.py`): several runs may be trained at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from ptde_core.algorithms.learner import Learner, TeachesOnline
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.events import FileSaved, Listener, Logged, Note
from ptde_core.base.made_from import KEY
from ptde_core.base.metrics import check_logged
from ptde_core.base.seeding import episode_seeds
from ptde_core.base.untrusted import Count, Number, Seconds, first_fault
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.envs.interface import BatchedEnv, EnvSpec
from ptde_core.learning.finite import check_learned
from ptde_core.pipeline.callbacks import Callbacks, Played, Tested, Updated, call
from ptde_core.pipeline.kept_checkpoints import KeptCheckpoints, Reached
from ptde_core.pipeline.single_trainer import Learned, Round
from ptde_core.policies.policy import Exploration
from ptde_core.rollout.play import play
from ptde_core.runs.identity import training_made_from
from ptde_core.runs.one_training import log_digest
from ptde_core.storage.checkpoint import load_checkpoint, save_checkpoint, why_untrained
from ptde_core.storage.replay_buffer import ReplayJournal
from ptde_core.storage.run_folder import LAST, RunFolder
from ptde_core.storage.status import write_status
from ptde_core.storage.training_log import TrainingLog

_LOG = TypeAdapter(dict[str, float])


def _none_recent() -> dict[str, float]:
    return {"episodes": 0, "won": 0, "reward": 0.0, "length": 0}


@dataclass
class _Counters:
    """Where a training stands; with the settings it decides all that follows. Its types bound what a file says."""

    env_steps: Count = 0
    episodes: Count = 0
    held: Count = 0  # episodes of these that the learner still holds, the newest
    next_test: Count = 0  # env steps from which the next test is played
    logged: dict[str, Count] = field(default_factory=dict)  # lengths of the log's files that belong to this state
    seconds: Seconds = 0.0  # wall time of all sittings; what runs do together, they share equally
    engine_restarts: Count = 0  # engines that broke and were replaced; their episodes were played again
    recent: dict[str, Number] = field(default_factory=_none_recent)


class TrainingRun:
    """One seed's training in one sitting.

    Args:
        settings: of the training.
        folder: its run folder; goes on from the state that is saved there.
        learner: of this seed; its networks are what is tested and saved.
        spec: of the environment.
        callbacks: are told of each round, update and test.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        folder: RunFolder,
        learner: Learner,
        spec: EnvSpec,
        callbacks: Callbacks,
    ) -> None:
        self._spec, self._callbacks = spec, callbacks
        self._wins = spec.can_be_won  # where not, no win rate is logged
        self.settings, self.folder, self.learner = settings, folder, learner
        self.at = _Counters()
        self.newest_metrics: dict[str, float] = {}
        self._made_from = training_made_from(settings, spec.world)
        self._tested = {"": learner.result}  # what stands before the names of a policy's metrics -> the policy
        if isinstance(learner, TeachesOnline):
            self._tested["student_"] = learner.student_result
        self._checkpoints = KeptCheckpoints(settings, folder, learner, spec)
        self._checkpoint_due = 0  # by the newest round, in env steps
        self._journal = ReplayJournal(folder.resume)
        self._unsaved: list[Episode] = []
        self._log: Mapping[str, Tensor | float] = {}
        if folder.state.exists():
            self._load()
        self._training_log = TrainingLog(folder, self.at.logged)
        self.missing = self._training_log.missing  # what a user should know of its log
        self._begun_steps, self._begun_seconds = self.at.env_steps, self.at.seconds
        self._play_seconds = 0.0

    @property
    def is_over(self) -> bool:
        """Whether all steps are done."""
        return self.at.env_steps >= self.settings.steps

    @property
    def test_is_due(self) -> bool:
        """Whether `test_every` env steps have passed since the last test."""
        return self.at.env_steps >= self.at.next_test

    @property
    def checkpoint_is_due(self) -> bool:
        """Whether this round passed a multiple of the env steps at which `keep` asks for a checkpoint."""
        return self._checkpoint_due > 0

    @property
    def is_tested(self) -> bool:
        """Whether there was a test since the last episode, as there is at the end."""
        return self.at.recent["episodes"] == 0

    def next_round(self) -> Round:
        """The round after those that were taken in."""
        seeds = episode_seeds(self.settings.seed, "training", self.at.episodes, self.settings.n_envs)
        return Round(seeds, self.learner.exploration(self.at.env_steps))

    def played(self, episodes: Sequence[Episode], how: Exploration) -> None:
        """Take in a round (Algorithm 1, line 4)."""
        at = self.at
        self._unsaved += episodes
        at.episodes += len(episodes)
        before = at.env_steps
        at.env_steps += sum(e.length for e in episodes)
        self._checkpoint_due = self._checkpoints.due_at(before, at.env_steps)
        recent = at.recent
        recent["episodes"] += len(episodes)
        recent["won"] += sum(e.won for e in episodes)
        recent["reward"] += sum(e.total_reward for e in episodes)
        recent["length"] += sum(e.length for e in episodes)
        of_play = "train_win_rate" if self._wins else "train_return"
        self.newest_metrics[of_play] = recent["won" if self._wins else "reward"] / recent["episodes"]
        if how.actions == "greedy":  # a policy that samples its actions has no epsilon
            self.newest_metrics["epsilon"] = float(np.mean(how.epsilon))
        if self._callbacks.on_round:
            record = Played(
                seed=self.settings.seed,
                env_steps=at.env_steps,
                episodes=at.episodes,
                won=sum(e.won for e in episodes),
                returns=tuple(float(e.total_reward) for e in episodes),
                lengths=tuple(e.length for e in episodes),
            )
            call("on_round", self._callbacks.on_round, record)

    def learned(self, learned: Learned) -> None:
        """Take in what the learner did with the round.

        Raises:
            PtdeError: its log or its weights are not finite; nothing of them has been saved.
        """
        self._log = learned.log or self._log
        if learned.log:
            where = f"at {self.at.env_steps:,} env steps of {self.folder.path}"
            saved = "; what was saved before lies there" if self.folder.state.exists() else ""
            where += f" (updates: {self.learner.updates:,})"
            check_learned(learned.weights, learned.log, where, f"training stops{saved}")
            if self._callbacks.on_update:
                metrics = {key: float(value) for key, value in learned.log.items()}
                record = Updated(self.settings.seed, self.at.env_steps, self.learner.updates, metrics)
                call("on_update", self._callbacks.on_update, record)

    def took(self, seconds: float, playing: float) -> None:
        """Take in this run's share of the wall time; `playing` is a part of it."""
        self.at.seconds += seconds
        self._play_seconds += playing

    def test(self, env: BatchedEnv, listen: Listener) -> None:
        """Greedy episodes, always the same battles, and one line of metrics."""
        settings, at = self.settings, self.at
        at.next_test = (at.env_steps // settings.test_every + 1) * settings.test_every
        recent = at.recent
        metrics = {
            "episodes": float(at.episodes),
            "updates": float(self.learner.updates),
            **{key: self.newest_metrics[key] for key in ("epsilon",) if key in self.newest_metrics},
            **({"train_win_rate": recent["won"] / recent["episodes"]} if self._wins else {}),
            "train_return": recent["reward"] / recent["episodes"],
            "train_length": recent["length"] / recent["episodes"],
            **{key: float(value) for key, value in self._log.items()},
        }
        at.recent = _none_recent()
        if settings.test_episodes:
            seeds = episode_seeds(settings.seed, "test", 0, settings.test_episodes)
            for whose, policy in self._tested.items():
                tests = list(play(env, policy, seeds, Exploration()))
                if self._wins:
                    metrics[f"{whose}test_win_rate"] = float(np.mean([e.won for e in tests]))
                metrics[f"{whose}test_return"] = float(np.mean([e.total_reward for e in tests]))
                metrics[f"{whose}test_length"] = float(np.mean([e.length for e in tests]))
        sitting = at.seconds - self._begun_seconds
        metrics["env_steps_per_s"] = (at.env_steps - self._begun_steps) / sitting
        metrics["play_share"] = self._play_seconds / sitting
        self._training_log.add(at.env_steps, metrics)
        self._checkpoints.tested(self._reached(), metrics)
        self.newest_metrics |= metrics
        listen(Logged(at.env_steps, metrics))
        if self._callbacks.on_test:
            record = Tested(settings.seed, at.env_steps, self.learner.updates, dict(metrics))
            call("on_test", self._callbacks.on_test, record)

    def keep_checkpoint(self) -> None:
        """Write the one whose time has come."""
        self._checkpoints.write(str(self._checkpoint_due), self._reached())

    def _reached(self) -> Reached:
        return Reached(self.at.env_steps, self.at.episodes)

    def _facts(self) -> dict[str, Any]:
        """What status.json says of how far it is, whose it is, and of engines that broke, where any can."""
        mishaps = {"engine_restarts": self.at.engine_restarts} if ENVIRONMENTS[self.settings.env].engines else {}
        return {
            "env_steps": self.at.env_steps,
            "seconds": self.at.seconds,
            "training": self._made_from.digest,
            **mishaps,
        }

    def save(self) -> None:
        """Save the state to resume from: episodes first, then the state that names them, then delete the old."""
        self.at.held = self.learner.held
        unsaved = self._unsaved[max(0, len(self._unsaved) - self.at.held) :]  # the others are not needed any more
        self._journal.append(unsaved, keep=self.at.held)
        self._unsaved = []
        self.at.logged = self._training_log.lengths
        content = {
            KEY: self._made_from.plain(),
            "counters": asdict(self.at),
            "learner": self.learner.state(),
            "log": {key: float(value) for key, value in self._log.items()},  # the next test may come before an update
            "segments": self._journal.segments,
            "best": self._checkpoints.state(),
        }
        save_checkpoint(self.folder.state, "training", content)
        self._journal.drop_old()
        write_status(self.folder, "running", **self._facts())

    def _load(self) -> None:
        """Go back to the saved state, which `beginning.check_origin` has found to be of this training.

        Raises:
            PtdeError: what it holds does not fit.
        """
        content = load_checkpoint(self.folder.state, "training")
        try:
            self.at = TypeAdapter(_Counters).validate_python(content["counters"])
            _check_counters(self.at, self.settings, self._spec)
            self._log = _LOG.validate_python(content["log"])
            check_logged(self.at.env_steps, self._log, 0)  # an undefined metric is NaN
            episodes = self._journal.load(content["segments"])
            _check_episodes(episodes, self._spec, self.learner.teacher.noise_size)
            if not 0 <= self.at.held <= len(episodes):
                raise ValueError(f"{self.at.held} episodes held, and {len(episodes)} kept")
            self.learner.load(content["learner"], episodes[len(episodes) - self.at.held :])
            if not 0 <= self.learner.updates < 2**63:
                raise ValueError(f"{self.learner.updates} updates")
            self._checkpoints.load(content["best"])  # the last: it writes files
        except (PtdeError, ValueError, KeyError, TypeError, RuntimeError, IndexError, AttributeError) as error:
            why = error.problem if isinstance(error, PtdeError) else error
            why = first_fault(error) if isinstance(error, ValidationError) else why
            problem = f"{self.folder.state} is not the state of this training ({quoted(why)})"
            raise PtdeError(problem, "train it anew in another folder, with --out") from None

    def finish(self, keep_state: bool, listen: Listener) -> None:
        """Write the teacher, the student if there is one, and tell how large is what a longer training goes on from."""
        folder = self.folder
        for path in self._checkpoints.write(LAST, self._reached()):
            listen(FileSaved(path, "the student trained with it" if path == folder.student else "the trained teacher"))
        best, how_good = self._checkpoints.best()
        for path in best:
            listen(FileSaved(path, how_good))
        if why := why_untrained(folder.teacher):
            listen(Note(why))
        facts = {**self._facts(), "threads": torch.get_num_threads(), "log": log_digest(folder)}
        write_status(folder, "finished", **facts)
        if not keep_state:
            folder.forget_state()
            return
        to_resume = f"{folder.resume} holds what it takes to train on (--resume --steps MORE), {state_size(folder)}"
        listen(Note(f"{to_resume}; --resume --no-keep-state deletes it"))


def state_size(folder: RunFolder) -> str:
    """How much room what a training goes on from takes: "12.3 MB"."""
    return f"{sum(path.stat().st_size for path in folder.resume.iterdir()) / 1e6:,.1f} MB"


def _check_counters(at: _Counters, settings: TrainingSettings, spec: EnvSpec) -> None:
    """Refuse counters that no training of these settings reaches: it ends with the first round past its last step.

    Raises:
        ValueError: which.
    """
    most = settings.steps + settings.n_envs * spec.episode_limit
    if at.env_steps > most:
        raise ValueError(f"{at.env_steps} env steps, and its training ends before {most}")
    if at.episodes > at.env_steps:  # each has a step at least
        raise ValueError(f"{at.episodes} episodes in {at.env_steps} env steps")
    if at.recent.keys() != _none_recent().keys():
        raise ValueError("other counters of the last rounds than a training has")
    played, won = at.recent["episodes"], at.recent["won"]
    if not 0 <= won <= played <= at.episodes or not 0 <= at.recent["length"] <= at.env_steps:
        raise ValueError("counters of the last rounds that cannot be")


def _check_episodes(episodes: Sequence[Episode], spec: EnvSpec, noise_size: int) -> None:
    """Refuse episodes that were not played on this environment: the kernels believe their shapes.

    Raises:
        ValueError: which array does not fit.
    """
    agents = spec.n_agents
    for episode in episodes:
        steps, views = episode.length, episode.length + 1
        wanted: dict[str, tuple[int, ...]] = {
            "obs": (views, agents, spec.obs_size),
            "state": (views, spec.state_size),
            "available": (views, agents, spec.n_actions),
            "actions": (steps, agents),
            "reward": (steps,),
            **({"noise": (steps, agents, noise_size)} if episode.noise is not None else {}),
        }
        for name, shape in wanted.items():
            held = getattr(episode, name)
            if held.shape != shape or not np.isfinite(held).all():
                raise ValueError(f"{name} of an episode is {held.shape}, not {shape} of finite numbers")
        if episode.actions.min() < 0 or episode.actions.max() >= spec.n_actions:
            raise ValueError("an action that there is not")
        if not episode.available.any(axis=-1).all():
            raise ValueError("an agent that can do nothing")
