"""BenchMARL's QMIX on skirmish; runs in the peers' own environment, prints JSON.

BenchMARL's own battles, SMACv2's, need StarCraft II, but it takes any environment of TorchRL. So it plays the simulator
that ptde plays, and what is compared is the learning library: loop, collector, replay memory, networks. The battles are
one batch (`Battles`), which suits it best, or with `--pettingzoo` single PettingZoo environments, which needs no code.
Sizes are PyMARL2's as far as BenchMARL has an option for them; it draws sequences as long as a round, whatever ends
within them.
"""

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from benchmarl.algorithms import QmixConfig
from benchmarl.environments.common import TaskClass
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models import GruConfig, MlpConfig, SequenceModelConfig
from tensordict import TensorDict, TensorDictBase
from torch import nn
from torchrl.data import Binary, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase, PettingZooWrapper

from ptde_core.base.seeding import episode_seeds
from ptde_core.envs import pettingzoo_api
from ptde_core.envs.skirmish.skirmish import Skirmish

GROUP = "agent"  # what TorchRL makes of PettingZoo's agent_0, agent_1, ...


class Battles(EnvBase):
    """E battles of skirmish as one TorchRL environment of that batch size."""

    def __init__(self, map_name: str, count: int) -> None:
        super().__init__(batch_size=[count])
        self.skirmish, self.begun = Skirmish(map_name, count), 0
        spec = self.skirmish.spec
        team = (count, spec.n_agents)
        views = Composite(
            observation=Unbounded((*team, spec.obs_size)),
            action_mask=Binary(shape=(*team, spec.n_actions), dtype=torch.bool),
            shape=team,
        )
        self.observation_spec = Composite({GROUP: views, "state": Unbounded((count, spec.state_size))}, shape=(count,))
        chosen = Composite(action=Categorical(spec.n_actions, shape=team), shape=team)
        self.action_spec = Composite({GROUP: chosen}, shape=(count,))
        self.reward_spec = Composite({GROUP: Composite(reward=Unbounded((*team, 1)), shape=team)}, shape=(count,))
        flag = Binary(shape=(count, 1), dtype=torch.bool)
        self.done_spec = Composite(done=flag, terminated=flag.clone(), truncated=flag.clone(), shape=(count,))

    def _shown(self) -> TensorDictBase:
        """Copies of what the battles show, for skirmish overwrites its arrays."""
        now = self.skirmish
        ended, late = torch.tensor(now.terminated)[:, None], torch.tensor(now.truncated)[:, None]
        views = {"observation": torch.tensor(now.obs), "action_mask": torch.tensor(now.available)}
        return TensorDict(
            {
                GROUP: TensorDict(views, now.obs.shape[:2]),
                "state": torch.tensor(now.state),
                "done": ended | late,
                "terminated": ended,
                "truncated": late,
            },
            self.batch_size,
        )

    def _reset(self, tensordict: TensorDictBase | None = None, **_: Any) -> TensorDictBase:
        which = None if tensordict is None else tensordict.get("_reset", None)
        rows = np.arange(self.skirmish.n_envs) if which is None else np.flatnonzero(which.numpy())
        self.skirmish.reset(episode_seeds(0, "benchmarl", self.begun, len(rows)), rows)
        self.begun += len(rows)
        return self._shown()

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        self.skirmish.step(tensordict[GROUP, "action"].numpy())
        shown = self._shown()
        reward = torch.tensor(self.skirmish.reward)[:, None, None]
        shown[GROUP, "reward"] = reward.repeat(1, self.skirmish.spec.n_agents, 1)
        return shown

    def _set_seed(self, seed: int | None) -> None:
        """Battles are seeded by their number."""


class Task(TaskClass):
    """A map of skirmish, as BenchMARL wants to be told of an environment."""

    def get_env_fun(
        self,
        num_envs: int,
        continuous_actions: bool,  # noqa: ARG002  there are none
        seed: int | None,
        device: str,
    ) -> Callable[[], EnvBase]:
        """Makes a batch of battles, or one battle, of which BenchMARL then makes as many as it needs."""
        if not self.config["pettingzoo"]:
            return lambda: Battles(self.name, num_envs)
        return lambda: PettingZooWrapper(
            pettingzoo_api.parallel_env(self.name),
            return_state=True,
            categorical_actions=True,
            seed=seed,
            device=device,
        )

    def supports_continuous_actions(self) -> bool:
        """No."""
        return False

    def supports_discrete_actions(self) -> bool:
        """Yes."""
        return True

    def has_render(self, env: EnvBase) -> bool:  # noqa: ARG002  as `TaskClass`
        """No."""
        return False

    def max_steps(self, env: EnvBase) -> int:  # noqa: ARG002  as `TaskClass`
        """The map's limit of steps: only its evaluation asks, which is off."""
        return Skirmish(self.name, 1).spec.episode_limit

    def group_map(self, env: EnvBase) -> dict[str, list[str]]:
        """All agents are one team."""
        return {GROUP: [f"agent_{k}" for k in range(self.action_spec(env)[GROUP].shape[0])]}

    def observation_spec(self, env: EnvBase) -> Composite:
        """What an agent sees."""
        return _part(env, "observation")

    def action_mask_spec(self, env: EnvBase) -> Composite:
        """What an agent may do."""
        return _part(env, "action_mask")

    def state_spec(self, env: EnvBase) -> Composite:
        """What the mixer sees."""
        return Composite(state=env.full_observation_spec_unbatched["state"].clone())

    def info_spec(self, env: EnvBase) -> None:  # noqa: ARG002  as `TaskClass`
        """Infos are not used."""
        return

    def action_spec(self, env: EnvBase) -> Composite:
        """What the team does."""
        return env.full_action_spec_unbatched

    @staticmethod
    def env_name() -> str:
        """The simulator's name."""
        return "skirmish"


def _part(env: EnvBase, name: str) -> Composite:
    views = env.full_observation_spec_unbatched[GROUP]
    return Composite({GROUP: Composite({name: views[name].clone()}, shape=views.shape)})


def model() -> SequenceModelConfig:
    """Linear(O, 64), GRU(64), Linear(64, A); BenchMARL has no nonlinearity between the first two of these."""
    no_hidden: dict[str, Any] = {"num_cells": [], "activation_class": nn.ReLU, "layer_class": nn.Linear}
    after_gru = {f"mlp_{name}": value for name, value in no_hidden.items()}
    gru = GruConfig(hidden_size=64, n_layers=1, bias=True, dropout=0.0, compile=False, **after_gru)
    return SequenceModelConfig(model_configs=[MlpConfig(**no_hidden), gru], intermediate_sizes=[64])


def settings(folder: Path, environments: int, episodes: int, steps: int) -> ExperimentConfig:
    """A round of `steps` of all environments, then an update from `episodes` sequences of as many; no evaluation."""
    config = ExperimentConfig.get_from_yaml()
    config.off_policy_collected_frames_per_batch = environments * steps
    config.off_policy_n_envs_per_worker = environments
    config.off_policy_n_optimizer_steps = 1
    config.off_policy_train_batch_size = episodes * steps
    config.off_policy_memory_size = 5000 * steps
    config.exploration_eps_init, config.exploration_eps_end, config.exploration_anneal_frames = 1.0, 0.05, 100_000
    config.lr, config.clip_grad_val = 1e-3, 10.0
    config.soft_target_update, config.hard_target_update_frequency = False, 25
    config.evaluation, config.create_json, config.loggers, config.save_folder = False, False, ["csv"], str(folder)
    return config


def logged(folder: Path, timer: str) -> float:
    """Mean seconds of a timer in BenchMARL's log, without the first sixth of its rounds."""
    (file,) = folder.rglob(f"timers_{timer}_time.csv")
    times = [float(line.split(",")[1]) for line in file.read_text().splitlines()]
    return mean(times[-(-len(times) // 6) :])


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("map")
    parser.add_argument("--pettingzoo", action="store_true", help="skirmish as PettingZoo environments")
    for size in ("environments", "episodes", "steps", "rounds"):
        parser.add_argument(f"--{size}", type=int, required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = Task(options.map, {"pettingzoo": options.pettingzoo})
        config = settings(folder, options.environments, options.episodes, options.steps)
        config.max_n_frames, config.max_n_iters = None, options.rounds
        Experiment(task, QmixConfig.get_from_yaml(), model(), seed=0, config=config).run()
        found = {
            "update_seconds": logged(folder, "training"),
            "collect_seconds": logged(folder, "collection"),
            "versions": ", ".join(f"{package} {version(package)}" for package in ("benchmarl", "torchrl", "torch")),
        }
    sys.stdout.write(f"\n{json.dumps(found)}")


if __name__ == "__main__":
    main()
