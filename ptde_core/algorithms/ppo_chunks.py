"""What MAPPO learns from: the real steps of whole episodes in chunks, cut into shares of threads and minibatches."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptde_core.algorithms.learner_settings import MappoSettings
from ptde_core.base.batch import EpisodeBatch
from ptde_core.learning.td_targets import td_lambda_targets, world_ends
from ptde_core.nets.actor_critic import Critic, critic_input
from ptde_core.nets.gru import chunk_lengths
from ptde_core.nets.value_norm import ValueNorm
from ptde_core.policies.network_inputs import local_input
from ptde_core.policies.teacher import Teacher


@dataclass(frozen=True)
class Rollout:
    """The R real steps of whole episodes, one after the other, cut into C chunks; nothing here has a gradient."""

    local: Tensor  # (R, N, L)
    state: Tensor  # (R, S)
    available: Tensor  # (R, N, A)
    choosing: Tensor  # (R, N) bool: agents with more than one available action
    actions: Tensor  # (R, N)
    noise: Tensor | None  # (R, N, Z), None where there is no z
    seen_by_critic: Tensor  # (R, N, S+L)
    chunks: Tensor  # (C,) steps of each chunk
    actor_start: Tensor  # (C, N, H) the memories that the chunks begin with
    critic_start: Tensor  # (C, N, H)
    value: Tensor  # (R, N) normalised, as the critic saw it then
    returns: Tensor  # (R, N) lambda-returns, as rewards
    advantage: Tensor  # (R, N) returns minus value, as rewards


def starts(hidden: Tensor, lengths: Tensor, chunks: Tensor) -> Tensor:
    """The hiddens (C, N, H) that chunks begin with: that of the row before, zeros where an episode begins.

    Args:
        hidden: (R, N, H) of episodes, one after the other.
        lengths: (B,) of the episodes.
        chunks: (C,) of their chunks.
    """
    first = torch.cumsum(chunks, 0) - chunks  # (C,) rows
    begun = torch.isin(first, torch.cumsum(lengths, 0) - lengths)  # (C,)
    return hidden[first - 1].masked_fill(begun[:, None, None], 0.0)


@torch.no_grad()
def build_rollout(
    teacher: Teacher, critic: Critic, norm: ValueNorm, batch: EpisodeBatch, settings: MappoSettings
) -> Rollout:
    """What the update needs of the episodes: values, lambda-returns and advantages, by the networks before the update.

    Args:
        teacher: the policy that played the episodes, unchanged since.
        critic: values each agent's situation.
        norm: the units of those values.
        batch: episodes; with `noise` if the teacher has a z.
        settings: gamma, lambda, whether a time limit bootstraps, and the length of chunks.
    """
    played = batch.played
    local = local_input(batch.obs, batch.last_actions, teacher.n_actions)  # (R+B, N, L)
    # An agent with a single available action has no choice: the dead of SMAC, whatever the backend calls them.
    choosing = batch.available.sum(dim=-1) > 1  # (R+B, N)
    seen_by_critic = critic_input(local, batch.state, choosing)  # (R+B, N, S+L)
    values, critic_hidden = critic.unroll(seen_by_critic, batch.views)  # (R+B, N), (R+B, N, H)
    bootstrap_value = norm.restore(values)  # (R+B, N), as rewards
    ended = world_ends(batch.terminated, batch.last, settings.bootstrap_at_limit)  # (R,)
    facts = batch.reward, ended, batch.last  # (R,) each
    returns = td_lambda_targets(*facts, bootstrap_value[played + 1], settings.gamma, settings.gae_lambda)  # (R, N)
    chunks = chunk_lengths(batch.length, settings.chunk_steps)
    return Rollout(
        local=local[played],
        state=batch.state[played],
        available=batch.available[played],
        choosing=choosing[played],
        actions=batch.actions,
        noise=batch.noise,
        seen_by_critic=seen_by_critic[played],
        chunks=chunks,
        actor_start=starts(teacher.trunk.unroll(local[played], batch.length), batch.length, chunks),
        critic_start=starts(critic_hidden[played], batch.length, chunks),
        value=values[played],
        returns=returns,
        advantage=returns - bootstrap_value[played],
    )


def part_of(rollout: Rollout, chosen: Tensor) -> Rollout:
    """The rollout of some of its chunks alone.

    Args:
        rollout: of C chunks.
        chosen: (C,) bool.
    """
    rows = chosen.repeat_interleave(rollout.chunks)  # (R,) bool
    of_chunks = ("chunks", "actor_start", "critic_start")
    parts: dict[str, Any] = {}
    for name in (field.name for field in fields(rollout)):
        whole = getattr(rollout, name)
        parts[name] = None if whole is None else whole[chosen if name in of_chunks else rows]
    return Rollout(**parts)


class Share(NamedTuple):
    """What one thread works on: some of the episodes, and what they are to be compared with in every epoch."""

    numbers: NDArray[np.int64]  # (C,) which of all the episodes' chunks these are
    rollout: Rollout
    played: Tensor  # (R, N) log-probabilities of the actions by the policy that played them
    advantage: Tensor  # (R, N) normalised over the whole rollout
    value_target: Tensor  # (R, N) normalised lambda-returns
    of_choices: float = 1.0  # its agents with a choice / those of all shares
    of_steps: float = 1.0  # its steps / those of all shares

    def part(self, chosen: NDArray[np.int64]) -> "Share":
        """Those of its chunks that have these numbers; the weights are still to be set (`weighted`)."""
        mask = np.isin(self.numbers, chosen)  # (C,) bool
        chunks = torch.from_numpy(mask)
        rows = chunks.repeat_interleave(self.rollout.chunks)  # (R,)
        compared = (self.played[rows], self.advantage[rows], self.value_target[rows])
        return Share(self.numbers[mask], part_of(self.rollout, chunks), *compared)


def weighted(shares: Sequence[Share]) -> list[Share]:
    """The shares with their weights in the means over all of them; without those that hold no step."""
    choices, steps = zip(*((int(s.rollout.choosing.sum()), len(s.value_target)) for s in shares), strict=True)
    parts = zip(shares, choices, steps, strict=True)
    of_all = max(1, sum(choices)), sum(steps)
    return [s._replace(of_choices=c / of_all[0], of_steps=n / of_all[1]) for s, c, n in parts if n]
