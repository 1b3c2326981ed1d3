"""What a policy makes of an episode, step by step, whoever played it: its action values, its z, and where z comes from.

A policy that follows its own episode, with the noise that it was played with, thinks what it thought then.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.nets.recurrent_agent import local_input
from ptde_core.policies.coach import CoachedTeacher
from ptde_core.policies.commander import CommandedTeacher
from ptde_core.policies.student import Student
from ptde_core.policies.teacher import Teacher
from ptde_core.policies.teachers import AnyTeacher


class Followed(NamedTuple):
    """The T steps of an episode as a policy saw them."""

    values: Tensor  # (T, N, A) action values, or logits
    z: Tensor | None  # (T, N, Z) what its head was given beside its memory; None: nothing


def local_inputs(episode: Episode) -> Tensor:
    """The agents' local inputs (T, N, L) at the steps of an episode."""
    batch = EpisodeBatch.of([episode])
    return local_input(batch.obs, batch.last_actions, batch.available.shape[-1])[:-1]


@torch.no_grad()
def follow(policy: AnyTeacher | Student, episode: Episode, *, sampled: bool) -> Followed:
    """Let a policy see the episode as if it played it.

    Args:
        policy: any.
        episode: with its views; and with its noise, if z is to be sampled.
        sampled: whether z is drawn with the episode's noise, or is its mean.
    """
    local, state = local_inputs(episode), torch.from_numpy(episode.state)
    noise = torch.from_numpy(episode.noise) if sampled and episode.noise is not None else None
    given: list[Tensor | None] = []

    def remember(_: Any, inputs: tuple[Any, ...]) -> None:
        given.append(inputs[-1])

    values = []
    memory: Any = None
    hook = policy.acting.register_forward_pre_hook(remember)  # every policy gives its z to its agents last
    for step in range(episode.length):
        at = slice(step, step + 1)
        seen = state[at] if policy.reads_state else None
        found, memory = policy.step(local[at], memory, seen, None if noise is None else noise[at])
        values.append(found)
    hook.remove()
    z = [one for one in given if one is not None]
    return Followed(torch.cat(values), torch.cat(z) if z else None)


def informed(policy: AnyTeacher | Student, local: Tensor, state: Tensor) -> tuple[Tensor, Tensor | None] | None:
    """Mean (..., N, Z) of the z that a policy draws from the state, and its deviation where there is one.

    A coach or commander is asked as if it looked at every step. None for a policy that is told nothing of the state.

    Args:
        policy: any.
        local: (..., N, L) local inputs.
        state: (..., S).
    """
    if isinstance(policy, CommandedTeacher):
        exact: Tensor = policy.commander(local, state)
        return exact, None
    if isinstance(policy, CoachedTeacher):
        mean, sigma = policy.coach(state)
        return mean, sigma
    if isinstance(policy, Teacher) and policy.information is not None:
        return policy.inform(local, state)
    return None
