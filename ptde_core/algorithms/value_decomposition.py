"""VDN (Sunehag et al., 2017), QMIX (Rashid et al., 2018) and QPLEX (Wang et al., 2021): one loss, three mixers.

Paper, Algorithm 1 lines 5 to 10 and equations 4, 5: a batch of whole episodes, double Q-learning with TD(lambda)
targets from target networks, one Adam over everything. Equation 4 sums the loss over the batch. Here it is a mean over
real steps: the batch size then does not change the step size.

Letters: R views and P steps of a batch (`base/batch.py`), N agents, A actions, Z numbers of z.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from ptde_core import kernels
from ptde_core.algorithms.learner_settings import ValueDecompositionSettings
from ptde_core.base.batch import AnyEpisode, Episode, EpisodeBatch
from ptde_core.base.seeding import generator, seed_for
from ptde_core.base.setting_fields import check_settings
from ptde_core.base.threads import Threads, add_gradients, one_thread
from ptde_core.base.untrusted import Count
from ptde_core.learning.adam import Adam
from ptde_core.learning.averaging import AveragedWeights
from ptde_core.learning.noise import standard_normals
from ptde_core.learning.schedules import linear
from ptde_core.learning.td_targets import td_lambda_targets, world_ends
from ptde_core.nets.global_information import AgentHyper
from ptde_core.policies.network_inputs import Views
from ptde_core.policies.policy import Exploration
from ptde_core.policies.teachers import AnyTeacher
from ptde_core.storage.replay_buffer import Replay


class Team(nn.Module):
    """All that one loss trains: a teacher, the mixer that makes the team's value, and perhaps a regulariser.

    Args:
        teacher: gives each agent's action values.
        mixer: mixer(taken, best, actions, state) -> the team's value; see `nets/mixers.py`.
        regulariser: regulariser(batch, views, unrolled) -> (scalar that is added to the loss, scalars to log).
    """

    def __init__(self, teacher: AnyTeacher, mixer: nn.Module, regulariser: nn.Module | None = None) -> None:
        super().__init__()
        self.teacher, self.mixer, self.regulariser = teacher, mixer, regulariser


def pick(values: Tensor, actions: Tensor) -> Tensor:
    """The values (..., N) of the chosen actions (..., N) among (..., N, A)."""
    return values.gather(-1, actions[..., None]).squeeze(dim=-1)


def best_available(values: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
    """The best available action of each agent (..., N) int64 and its value (..., N), without gradient.

    Args:
        values: (..., N, A).
        available: (..., N, A) bool, at least one of each agent.
    """
    if kernels.can_take(values):
        choice, best = values.new_empty(values.shape[:-1], dtype=torch.int64), values.new_empty(values.shape[:-1])
        of_agents = (tensor.flatten(0, -2) for tensor in (values, available))
        kernels.best_available(*(kernels.array(t) for t in (*of_agents, choice.view(-1), best.view(-1))))
        return choice, best
    best, choice = values.detach().masked_fill(~available, -torch.inf).max(dim=-1)
    return choice, best


def td_loss(
    online: Team,
    target: Team,
    batch: EpisodeBatch,
    noise: tuple[Tensor, Tensor] | None,
    settings: ValueDecompositionSettings,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch, a scalar, and what to log (equations 4, 5).

        L = f mean_t (Q_tot(s_t, u_t) - y_t)^2 + regulariser
        y = TD(lambda) of the rewards and the bootstrap values Q_tot'(s, argmax_u Q(s, u))   (double Q)

    with f = `td_loss_factor`, the mean over the P real steps, and ' for the target networks. The logged `td_loss` is
    without f.

    Args:
        online: what learns.
        target: what the TD targets come from; no gradient flows into it.
        batch: episodes.
        noise: two tensors (R, N, Z) of standard normals, for z of the online and of the target networks; None where
            there is no z.
        settings: gamma, lambda, f, and whether a time limit bootstraps.
    """
    noise_online, noise_target = noise if noise is not None else (None, None)
    views, played = Views.of(batch), batch.played  # R views; at the P of `played` a step was taken
    with torch.no_grad():  # first, while nothing is kept for gradients
        target_values = target.teacher.unroll(views, noise_target).values  # (R, N, A)
    unrolled = online.teacher.unroll(views, noise_online)
    values = unrolled.values  # (R, N, A)
    with torch.no_grad():
        greedy, best = best_available(values, batch.available)  # (R, N) actions and their values
        _, target_best = best_available(target_values, batch.available)  # (R, N)
        bootstrap_value = target.mixer(pick(target_values, greedy), target_best, greedy, views.state)  # (R,)
        td_target = td_lambda_targets(
            batch.reward,
            world_ends(batch.terminated, batch.last, settings.bootstrap_at_limit),
            batch.last,
            bootstrap_value[played + 1],  # of the view that follows each step
            settings.gamma,
            settings.td_lambda,
        )  # (P,)
        # Mixers take a row per view. At an episode's final view nothing was played: a greedy action stands there, and
        # the row is left out of the loss.
        actions = greedy.index_copy(0, played, batch.actions)  # (R, N)
    q_tot = online.mixer(pick(values, actions), best, actions, views.state).index_select(0, played)  # (P,)
    assert q_tot.shape == td_target.shape, "a value and a target for each step"
    error = q_tot - td_target
    squared = error.square().mean()
    loss = settings.td_loss_factor * squared
    with torch.no_grad():
        log = {
            "td_loss": squared.detach(),
            "td_error_abs": error.abs().mean(),
            "q_taken_mean": q_tot.mean(),
            "target_mean": td_target.mean(),
        }
        if unrolled.sigma is not None:
            log["z_sigma_mean"] = unrolled.sigma.mean()
    if online.regulariser is not None:
        addition, more = online.regulariser(batch, views, unrolled)
        loss, log = loss + addition, log | more
    return loss, log


@dataclass
class Counters:
    """How far a learner is.

    Args:
        updates: gradient steps taken.
        episodes: taken in.
        last_copy: `episodes` at the last copy into the target networks.
    """

    updates: Count = 0
    episodes: Count = 0
    last_copy: Count = 0


def noise_of_z(seed: int, update: int, rows: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Standard normals (r, N, Z) for z of the online and of the target networks, in one update of a training.

    They depend on the update's number: a resumed run draws what it would have drawn. And on the rows: each thread draws
    those of its own episodes.

    Args:
        seed: of the training.
        update: gradient steps taken before.
        rows: (r,) int64, which of the batch's views.
        shape: N, Z.
    """
    noise_online, noise_target = (
        standard_normals(seed_for(seed, "noise of z", update, k), rows, shape) for k in range(2)
    )
    return noise_online, noise_target


KEPT_BYTES = 2**27  # of the products of states with agents' weights that an update holds at a time


class _Share(NamedTuple):
    """The part of a batch that one thread works on at a time."""

    episodes: list[AnyEpisode]
    rows: Tensor  # (r,) int64, where its views stand among those of the whole batch
    weight: float  # its real steps / those of the whole batch


class ValueDecompositionLearner:
    """Replay, online and target networks and the optimiser: Algorithm 1, lines 5 to 10.

    Raises:
        PtdeError: settings of a class that lacks what it reads.
    """

    def __init__(self, team: Team, settings: ValueDecompositionSettings, seed: int) -> None:
        check_settings(
            settings, ValueDecompositionSettings, "ValueDecompositionLearner", "TrainValueDecompositionSettings"
        )
        self.online, self.target = team, copy.deepcopy(team).requires_grad_(False)
        self.settings, self.seed = settings, seed
        self.optimiser = Adam(team.parameters(), lr=settings.learning_rate)
        self.average = AveragedWeights(team.teacher, settings.average_weights)
        self.replay = Replay(settings.replay_episodes)
        self.counters = Counters()
        self._threads = Threads()

    @property
    def teacher(self) -> AnyTeacher:
        """The policy being trained."""
        return self.online.teacher

    @property
    def result(self) -> AnyTeacher:
        """What is tested and saved."""
        return self.average.network

    @property
    def updates(self) -> int:
        """Gradient steps taken."""
        return self.counters.updates

    @property
    def held(self) -> int:
        """Episodes in the replay memory, wherever that is."""
        return min(self.counters.episodes, self.settings.replay_episodes)

    def exploration(self, env_steps: int) -> Exploration:
        """Epsilon-greedy play, epsilon falling linearly."""
        settings = self.settings
        return Exploration(linear(settings.epsilon_start, settings.epsilon_end, settings.epsilon_steps, env_steps))

    def learn(
        self, episodes: Sequence[Episode], before_update: Callable[[list[Episode]], dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor]:
        """Keep a round; once there are enough episodes, update from random batches, then perhaps copy to the target.

        Args:
            episodes: of the round.
            before_update: is given each batch before the update from it, and returns what is to be logged with it: for
                what learns from the same batches.

        Returns:
            The log of the last update; empty if there was none.
        """
        settings = self.settings
        self.replay.add(episodes)
        self.counters.episodes += len(episodes)
        log: dict[str, Tensor] = {}
        if len(self.replay) < settings.batch_episodes:
            return log
        for _ in range(settings.updates_per_round):
            batch = self.replay.sample(settings.batch_episodes, generator(self.seed, "replay", self.updates))
            before = before_update([one.whole() for one in batch]) if before_update else {}
            log = before | self.update(batch)
        if self.counters.episodes - self.counters.last_copy >= settings.target_every_episodes:
            self.copy_to_target()
            self.counters.last_copy = self.counters.episodes
        return log

    @one_thread()  # beside those that share the batch
    def update(self, episodes: Sequence[AnyEpisode]) -> dict[str, Tensor]:
        """One gradient step on a batch of episodes (lines 6 to 9); the scalars to log."""
        log = add_gradients(self._shares(episodes), self._share_of_loss, list(self.online.parameters()), self._threads)
        log["gradient_norm"] = nn.utils.clip_grad_norm_(self.online.parameters(), self.settings.gradient_clip)
        self.optimiser.step()
        self.counters.updates += 1
        self.average.take_in(self.updates)
        return log

    def _shares(self, episodes: Sequence[AnyEpisode]) -> list[_Share]:
        """The batch cut by episodes: for each thread as many shares as bound what is kept for gradients at a time."""
        steps = np.array([e.length for e in episodes])  # (B,)
        kept = sum(part.kept_bytes for part in self.online.modules() if isinstance(part, AgentHyper))
        turns = max(1, ceil((steps + 1).sum() * kept / KEPT_BYTES))
        episode_of_view = np.repeat(np.arange(len(steps)), steps + 1)  # (R,)
        return [
            _Share(
                episodes=[episodes[k] for k in chosen],
                rows=torch.from_numpy(np.flatnonzero(np.isin(episode_of_view, chosen))),
                weight=float(steps[chosen].sum() / steps.sum()),
            )
            for chosen in self._threads.cut(steps, turns)
        ]

    def _share_of_loss(self, share: _Share) -> tuple[Tensor, dict[str, Tensor]]:
        """A share's part of the mean over all real steps, and of what is logged."""
        batch, noise, size = EpisodeBatch.of(share.episodes), None, self.teacher.noise_size
        if size:
            noise = noise_of_z(self.seed, self.updates, share.rows, (batch.obs.shape[1], size))
        loss, log = td_loss(self.online, self.target, batch, noise, self.settings)
        return share.weight * loss, {key: share.weight * value for key, value in log.items()}

    def copy_to_target(self) -> None:
        """Copy the online networks into the target networks (line 10)."""
        self.target.load_state_dict(self.online.state_dict())

    def learned(self) -> Iterable[Tensor]:
        """The weights of the team."""
        return self.online.parameters()

    def networks(self) -> dict[str, Any]:
        """The mixer's weights, and the regulariser's where there is one; none that are the teacher's too."""
        named = self.online.named_parameters()  # the teacher's first, and none twice
        return {name: parameter.detach() for name, parameter in named if not name.startswith("teacher.")}

    def state(self) -> dict[str, Any]:
        """Networks, their average, optimiser and counters."""
        return {
            "online": self.online.state_dict(),
            "target": self.target.state_dict(),
            "average": self.average.state(),
            "optimiser": self.optimiser.state_dict(),
            **asdict(self.counters),
        }

    def load(self, state: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
        """Go back to a saved `state`, with the episodes that were in the replay memory."""
        self.online.load_state_dict(state["online"])
        self.target.load_state_dict(state["target"])
        self.average.load(state.get("average", {}))  # older states have none
        self.optimiser.load_state_dict(state["optimiser"])
        self.counters = TypeAdapter(Counters).validate_python({one.name: state[one.name] for one in fields(Counters)})
        self.replay.add(episodes)
