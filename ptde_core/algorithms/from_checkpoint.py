"""From a checkpoint's content back to a policy and the facts it was trained with."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.building import build_environment_of, build_online_student, build_teacher
from ptde_core.algorithms.catalogue import algorithm_named, typed_settings
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError, quoted
from ptde_core.envs.backends import ENVIRONMENTS, side_by_side
from ptde_core.envs.interface import BatchedEnv, EnvSpec
from ptde_core.envs.trust import check_trusted
from ptde_core.nets.network_settings import INFORMATION, StudentSettings
from ptde_core.policies.student import Student
from ptde_core.policies.teacher import Teacher
from ptde_core.policies.teachers import AnyTeacher
from ptde_core.storage.episode_file import Widths


@dataclass(frozen=True)
class Trained:
    """A policy out of a checkpoint, and the settings of the teacher's training that it (or its teacher) came from."""

    policy: AnyTeacher | Student
    spec: EnvSpec
    settings: TrainingSettings
    teacher_id: str
    env_steps: int

    @property
    def algorithm(self) -> Algorithm[Any]:
        """The record of that training's algorithm."""
        return algorithm_named(self.settings.alg)

    @property
    def widths(self) -> Widths:
        """The sizes of the columns in a file of its episodes."""
        spec = self.spec
        return Widths(agents=spec.n_agents, actions=spec.n_actions, obs=spec.obs_size, info=self.policy.noise_size)

    def environment(self, n_envs: int) -> BatchedEnv:
        """The environment the policy is measured on, up to `n_envs` times (see `side_by_side`).

        It is the one it was trained on, without a reward that only helped it to learn.

        Raises:
            PtdeError: the backend's rules have changed since; or the checkpoint names code that nobody has trusted.
        """
        backend = self.spec.backend
        check_trusted(self.settings.env, self.settings.map)
        measured_on = ENVIRONMENTS[backend].measured_on(self.settings.map)
        settings = self.settings.model_copy(update={"map": measured_on})
        env = build_environment_of(settings, side_by_side(backend, n_envs))
        played = env.spec
        if measured_on != self.settings.map:  # only a reward is another there
            played = replace(played, map=self.spec.map, map_digest=self.spec.map_digest)
        if played.fingerprint() != self.spec.fingerprint():
            env.close()
            now = played.world
            other = self.spec.world.changed(now) or f"made on {now.environment} {now.map} with other views or actions"
            raise PtdeError(f"the checkpoint is stale: {other}", "put that back, or train anew")
        return env


def spec_to_plain(spec: EnvSpec) -> dict[str, Any]:
    """An EnvSpec as plain values, for a checkpoint."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(spec).items()}


def spec_from_plain(plain: Mapping[str, Any]) -> EnvSpec:
    """The inverse of `spec_to_plain`."""
    values: dict[str, Any] = {f.name: plain[f.name] for f in fields(EnvSpec)}
    return EnvSpec(**values | {key: tuple(value) for key, value in values.items() if isinstance(value, list)})


def restore(content: Mapping[str, Any], device: torch.device | None = None) -> Trained:
    """Rebuild the policy of a loaded teacher or student checkpoint, on the CPU or on another device.

    Raises:
        PtdeError: its networks are not those that its settings describe.
    """
    spec = spec_from_plain(content["env"])
    networks: Mapping[str, Tensor] = content["networks"]
    try:
        settings = typed_settings(content["settings"])
        with torch.device("meta"):  # shapes alone: settings may describe networks of any size
            expected = _built(content, settings, spec).state_dict()
        if {name: _shape(one) for name, one in expected.items()} != {
            name: _shape(one) for name, one in networks.items()
        }:
            raise ValueError("they are of other shapes")
        policy = _built(content, settings, spec)
        policy.load_state_dict(networks)
    except (ValueError, KeyError, TypeError, RuntimeError, AssertionError, OverflowError) as error:
        problem = f"the networks of a checkpoint of teacher {content['teacher_id']} do not fit its settings"
        raise PtdeError(f"{problem} ({quoted(error)})", "train it anew") from None
    policy.requires_grad_(False).to(device)
    return Trained(policy, spec, settings, str(content["teacher_id"]), int(content["counters"]["env_steps"]))


def _built(content: Mapping[str, Any], settings: TrainingSettings, spec: EnvSpec) -> AnyTeacher | Student:
    """The policy with fresh networks."""
    if content["kind"] == "student" and algorithm_named(settings.alg).online_student is not None:
        return build_online_student(settings, spec)
    policy = build_teacher(settings, spec)
    if content["kind"] == "teacher":
        return policy
    if not isinstance(policy, Teacher) or not INFORMATION[settings.global_info].distillable:
        raise ValueError("only PTDE's teachers are distilled")
    return Student(policy, _student_settings(content["distill"]))


def _shape(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
    return tensor.shape, tensor.dtype


def _student_settings(distilled: Mapping[str, Any]) -> StudentSettings:
    """Those of the student's own network; what is missing takes its default, as in `typed_settings`."""
    return StudentSettings(**{key: distilled[key] for key in StudentSettings.model_fields if key in distilled})
