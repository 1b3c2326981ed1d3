"""MAPPO's teacher: trunk, information and head of layers as in Yu et al. (2021); its values are logits."""

from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.actor_critic import NormedHead, NormedTrunk
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.policies.teacher import Teacher


def build_actor(spec: EnvSpec, settings: NetworkSettings) -> Teacher:
    """A teacher whose action values are the logits of a policy."""
    return Teacher(spec, settings, NormedTrunk, NormedHead)
