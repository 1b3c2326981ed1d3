"""MAPPO (Yu et al., 2021) with PTDE's teacher as the actor: PPO with a critic that sees the state.

A rollout is whole episodes. The standard normals that z was sampled with while playing come with the episodes and are
used again in the update, so that the probability ratio compares two policies at one z, and is 1 before the first step.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from ptde_core.algorithms.learner_settings import MappoSettings
from ptde_core.algorithms.ppo_chunks import Rollout, Share, build_rollout, weighted
from ptde_core.base.batch import Episode, EpisodeBatch
from ptde_core.base.seeding import generator
from ptde_core.base.threads import Threads, add_gradients, one_thread
from ptde_core.base.untrusted import Count
from ptde_core.learning.adam import Adam
from ptde_core.learning.averaging import AveragedWeights
from ptde_core.learning.losses import clipped_surrogate, clipped_value_error, masked_mean
from ptde_core.nets.actor_critic import Critic
from ptde_core.nets.value_norm import ValueNorm
from ptde_core.policies.policy import Exploration
from ptde_core.policies.teacher import Teacher


def log_policy(logits: Tensor, available: Tensor) -> Tensor:
    """Log-probabilities (..., A) of the softmax over the available actions; minus infinity for the others."""
    return logits.masked_fill(~available, -torch.inf).log_softmax(dim=-1)


def entropy(log_probs: Tensor) -> Tensor:
    """Entropy (...) in nat of log-probabilities (..., A); actions of probability 0 add nothing."""
    possible = log_probs > -torch.inf
    return -(log_probs.exp() * log_probs.where(possible, 0.0)).sum(dim=-1)


def policy_of(teacher: Teacher, rollout: Rollout) -> tuple[Tensor, Tensor | None]:
    """Log-probabilities (R, N, A) of all actions, and the deviation (R, N, Z) of z where there is one."""
    logits, sigma = teacher.unroll_rows(
        rollout.local, rollout.state, rollout.chunks, noise=rollout.noise, start=rollout.actor_start
    )
    return log_policy(logits, rollout.available), sigma


def of_actions(log_probs: Tensor, rollout: Rollout) -> Tensor:
    """The log-probabilities (R, N) of the actions that were played."""
    return log_probs.gather(-1, rollout.actions[..., None]).squeeze(dim=-1)


def policy_loss(
    teacher: Teacher, rollout: Rollout, played: Tensor, advantage: Tensor, settings: MappoSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    """Clipped surrogate minus weighted entropy, both means over agents that have a choice; and what to log.

        L = mean_{t,i} [-min(rho A, clip(rho, 1 - c, 1 + c) A) - w H(pi)],  rho = pi(u) / pi_played(u)

    Args:
        teacher: what learns.
        rollout: what was played.
        played: (R, N) log-probabilities of the actions by the policy that played them.
        advantage: (R, N).
        settings: clip and the weight of the entropy.
    """
    log_probs, sigma = policy_of(teacher, rollout)  # (R, N, A), (R, N, Z)
    log_ratio = of_actions(log_probs, rollout) - played  # (R, N)
    choosing = rollout.choosing
    surrogate = masked_mean(clipped_surrogate(log_ratio, advantage, settings.clip), choosing)
    spread = masked_mean(entropy(log_probs), choosing)
    with torch.no_grad():
        ratio = log_ratio.exp()
        log = {
            "policy_loss": surrogate.detach(),
            "policy_entropy": spread.detach(),
            "policy_kl": masked_mean(ratio - 1 - log_ratio, choosing),
            "clip_share": masked_mean(((ratio - 1).abs() > settings.clip).float(), choosing),
        }
        if sigma is not None:
            log["z_sigma_mean"] = masked_mean(sigma.mean(dim=-1), choosing)
    return surrogate - settings.entropy_weight * spread, log


def value_loss(critic: Critic, rollout: Rollout, target: Tensor, settings: MappoSettings) -> Tensor:
    """Mean over all agents and real steps of the clipped Huber error (`learning.losses.clipped_value_error`).

    Dead agents count too, as in the paper's runs: an agent's values while it lives are bootstrapped from those after.

    Args:
        critic: what learns.
        rollout: what was played.
        target: (R, N) normalised lambda-returns.
        settings: clip and Huber's delta.
    """
    value, _ = critic.unroll(rollout.seen_by_critic, rollout.chunks, rollout.critic_start)  # (R, N)
    return clipped_value_error(value, rollout.value, target, settings.clip, settings.huber_delta).mean()


class MappoLearner:
    """Actor, critic and their optimisers, and the episodes that are still too few to learn from."""

    def __init__(self, teacher: Teacher, critic: Critic, settings: MappoSettings, seed: int) -> None:
        self._teacher, self.critic, self.norm, self.settings = teacher, critic, ValueNorm(), settings
        self.seed = seed
        self._optimisers = {
            name: Adam(network.parameters(), lr=settings.learning_rate, eps=settings.adam_epsilon)
            for name, network in (("actor", teacher), ("critic", critic))
        }
        self.average = AveragedWeights(teacher, settings.average_weights)
        self.updates = 0
        self._threads = Threads()
        self._waiting: list[Episode] = []

    @property
    def teacher(self) -> Teacher:
        """The policy being trained."""
        return self._teacher

    @property
    def result(self) -> Teacher:
        """What is tested and saved."""
        return self.average.network

    @property
    def held(self) -> int:
        """Episodes played since the last update."""
        return len(self._waiting)

    def exploration(self, env_steps: int) -> Exploration:  # noqa: ARG002  the policy itself says how much it explores
        """Actions drawn from the policy; the noise of z is kept for the update."""
        return Exploration(actions="sampled", keep_noise=True)

    def learn(self, episodes: Sequence[Episode]) -> dict[str, Tensor]:
        """Keep a round; once there are enough steps, learn from all that is kept, and forget it."""
        self._waiting += episodes
        if sum(e.length for e in self._waiting) < self.settings.rollout_steps:
            return {}
        rollout, self._waiting = self._waiting, []
        return self.update(rollout)

    @one_thread()  # beside those that share the rollout
    def update(self, episodes: Sequence[Episode]) -> dict[str, Tensor]:
        """Some epochs of gradient steps on episodes just played; the scalars to log."""
        parameters = [*self._teacher.parameters(), *self.critic.parameters()]
        shares, log = self._shares(episodes)
        for _ in range(self.settings.epochs):
            for part in self._minibatches(shares):
                log |= add_gradients(part, self._share_of_losses, parameters, self._threads)
                log["gradient_norm"] = self._step("actor", self._teacher)
                log["critic_gradient_norm"] = self._step("critic", self.critic)
                self.updates += 1
                self.average.take_in(self.updates)
        return log

    def _minibatches(self, shares: list[Share]) -> list[list[Share]]:
        """The shares cut into random parts of about as many chunks, whatever the number of threads."""
        if self.settings.minibatches == 1:
            return [shares]
        count = sum(len(share.numbers) for share in shares)
        order = generator(self.seed, "minibatches", self.updates).permutation(count)
        parts = np.array_split(order, min(self.settings.minibatches, count))
        return [weighted([share.part(chunks) for share in shares]) for chunks in parts]

    def _shares(self, episodes: Sequence[Episode]) -> tuple[list[Share], dict[str, Tensor]]:
        """The rollout cut by episodes, a share for each thread, normalised together; and what to log of it."""
        cut = self._threads.cut([e.length for e in episodes])
        ends = np.cumsum([-(-e.length // self.settings.chunk_steps) for e in episodes])  # chunks up to each one's end
        numbers = np.split(np.arange(ends[-1]), ends[:-1])
        rollouts = self._threads.map(self._prepare, [[episodes[k] for k in chosen] for chosen in cut])
        returns, advantage = (torch.cat([getattr(r, name) for r, _ in rollouts]) for name in ("returns", "advantage"))
        of_choices = advantage[torch.cat([r.choosing for r, _ in rollouts])]
        centre, scale = of_choices.mean(), of_choices.std(correction=0) + 1e-5
        self.norm.update(returns)
        shares = [
            Share(
                numbers=np.concatenate([numbers[k] for k in chosen]),
                rollout=rollout,
                played=played,
                advantage=(rollout.advantage - centre) / scale,
                value_target=self.norm.normalise(rollout.returns),
            )
            for chosen, (rollout, played) in zip(cut, rollouts, strict=True)
        ]
        return weighted(shares), {
            "value_explained": 1 - advantage.var() / returns.var(),
            "return_mean": returns.mean(),
            "return_std": self.norm.moments()[1],
        }

    @torch.no_grad()
    def _prepare(self, episodes: Sequence[Episode]) -> tuple[Rollout, Tensor]:
        """What the update needs of some episodes, and the log-probabilities (R, N) of their actions before it."""
        batch = EpisodeBatch.of(episodes)
        rollout = build_rollout(self._teacher, self.critic, self.norm, batch, self.settings)
        return rollout, of_actions(policy_of(self._teacher, rollout)[0], rollout)

    def _share_of_losses(self, share: Share) -> tuple[Tensor, dict[str, Tensor]]:
        """A share's part of both losses, which have no weight in common, and of what is logged."""
        policy, log = policy_loss(self._teacher, share.rollout, share.played, share.advantage, self.settings)
        value = share.of_steps * value_loss(self.critic, share.rollout, share.value_target, self.settings)
        log = {key: number * share.of_choices for key, number in log.items()}
        return share.of_choices * policy + value, log | {"value_loss": value.detach()}

    def _step(self, name: str, network: nn.Module) -> Tensor:
        """One gradient step of one network; the norm of its gradients before clipping."""
        norm = nn.utils.clip_grad_norm_(network.parameters(), self.settings.gradient_clip)
        self._optimisers[name].step()
        return norm

    def learned(self) -> Iterable[Tensor]:
        """The weights of actor and critic."""
        return (*self._teacher.parameters(), *self.critic.parameters())

    def networks(self) -> dict[str, Any]:
        """The weights of the critic, and the units of its values."""
        parts = {"critic": self.critic, "norm": self.norm}
        return {f"{part}.{key}": value for part, net in parts.items() for key, value in net.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """Networks, the actor's average, optimisers and the counter."""
        return {
            "actor": self._teacher.state_dict(),
            "average": self.average.state(),
            "critic": self.critic.state_dict(),
            "norm": self.norm.state_dict(),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()},
            "updates": self.updates,
        }

    def load(self, state: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
        """Go back to a saved `state`, with the episodes that were waiting."""
        self._teacher.load_state_dict(state["actor"])
        self.average.load(state.get("average", {}))  # older states have none
        self.critic.load_state_dict(state["critic"])
        self.norm.load_state_dict(state["norm"])
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.updates = TypeAdapter(Count).validate_python(state["updates"])
        self._waiting = list(episodes)
