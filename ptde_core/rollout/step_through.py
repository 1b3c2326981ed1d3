"""A policy over a recorded episode, step by step as in play, whoever played it."""

from typing import Any

import torch

from ptde_core.base.batch import Episode
from ptde_core.policies.network_inputs import local_inputs_of
from ptde_core.policies.policy import Acted
from ptde_core.policies.student import Student
from ptde_core.policies.teachers import AnyTeacher


@torch.no_grad()
def step_through(policy: AnyTeacher | Student, episode: Episode, *, sampled: bool) -> Acted:
    """The policy's action values (T, N, A) and z (T, N, Z) at the T steps of an episode, and its memory after them.

    Its own episode, with the noise that it was played with, gives the values that it played by.

    Args:
        policy: on the CPU.
        episode: with its noise, if z is to be sampled.
        sampled: whether z is sampled with the episode's noise; else it is its mean.
    """
    local, state = local_inputs_of(episode), torch.from_numpy(episode.state)
    noise = torch.from_numpy(episode.noise) if sampled and episode.noise is not None else None
    steps: list[Acted] = []
    memory: Any = None
    for t in range(episode.length):
        now = slice(t, t + 1)
        acted = policy.step(
            local[now],
            memory,
            state[now] if policy.reads_state else None,
            None if noise is None else noise[now],
        )
        memory = acted.memory
        steps.append(acted)
    z = [step.z for step in steps if step.z is not None]
    return Acted(torch.cat([step.values for step in steps]), memory, torch.cat(z) if z else None)
