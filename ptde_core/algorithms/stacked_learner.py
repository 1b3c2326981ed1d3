"""K value decompositions that differ by their seed alone, trained at once: one set of kernels, on any device.

Each is what `value_decomposition.py` makes of its seed, up to rounding: the same initial weights, episodes, batches
and, on the CPU, the same noise. The same loss is written here over time-major rows whose number the host knows, so that
a gradient step never waits for the device.
"""

import copy
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from ptde_core.algorithms.learner_settings import ValueDecompositionSettings
from ptde_core.algorithms.value_decomposition import (
    Team,
    ValueDecompositionLearner,
    best_available,
    noise_of_z,
    pick,
)
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import generator
from ptde_core.learning.adam import Adam
from ptde_core.learning.averaging import AveragedWeights
from ptde_core.learning.td_targets import world_ends
from ptde_core.nets.stacked_networks import stacked, stacked_tensors
from ptde_core.policies.stacked_views import StackedPolicy, StackedViews
from ptde_core.policies.teacher import Teacher
from ptde_core.storage.device_replay_buffer import DeviceReplay


def stacked_td_loss(
    online: Team,
    target: Team,
    views: StackedViews,
    noise: tuple[Tensor, Tensor] | None,
    settings: ValueDecompositionSettings,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Each seed's loss (K,), as `value_decomposition.td_loss`, and what to log, each (K,).

    Args:
        online: stacked; what learns.
        target: stacked; what the targets come from.
        views: of K batches.
        noise: two tensors (K, R, N, Z) of standard normals, for z of the online and of the target networks, or None.
        settings: gamma, lambda, the loss's factor, and whether a time limit bootstraps.
    """
    noise_online, noise_target = noise if noise is not None else (None, None)
    counts, stepped, real = torch.from_numpy(views.layout.counts), views.stepped, views.real
    assert isinstance(online.teacher, Teacher)
    assert isinstance(target.teacher, Teacher)
    values, sigma = online.teacher.unroll_rows(views.local, views.state, counts, noise=noise_online)  # (K, R, N, A)
    with torch.no_grad():
        greedy, best = best_available(values, views.available)  # (K, R, N)
        target_values, _ = target.teacher.unroll_rows(views.local, views.state, counts, noise=noise_target)
        _, target_best = best_available(target_values, views.available)  # (K, R, N)
        bootstrap_value = target.mixer(pick(target_values, greedy), target_best, greedy, views.state)  # (K, R)
        following = bootstrap_value[:, len(views.layout.length[0]) :]  # (K, P); time-major: the first views follow none
        td_target = time_major_targets(views, following, settings)  # (K, P)
    taken = pick(values[:, stepped], views.actions)  # (K, P, N)
    q_tot = online.mixer(taken, best[:, stepped], views.actions, views.state[:, stepped])  # (K, P)
    steps = real.sum(dim=1)  # (K,)
    error = (q_tot - td_target) * real
    squared = error.square().sum(dim=1) / steps
    loss = settings.td_loss_factor * squared
    with torch.no_grad():
        log = {
            "td_loss": squared.detach(),
            "td_error_abs": error.abs().sum(dim=1) / steps,
            "q_taken_mean": (q_tot * real).sum(dim=1) / steps,
            "target_mean": (td_target * real).sum(dim=1) / steps,
        }
        if sigma is not None:
            seen = views.seen[..., None, None]  # (K, R, 1, 1)
            log["z_sigma_mean"] = (sigma * seen).sum(dim=(1, 2, 3)) / (seen.sum(dim=(1, 2, 3)) * sigma[0, 0].numel())
    return loss, log


def time_major_targets(views: StackedViews, following: Tensor, settings: ValueDecompositionSettings) -> Tensor:
    """`td_lambda_targets` over time-major steps: (K, P) from the bootstrap values (K, P) of the views that follow."""
    follows = settings.gamma * (~world_ends(views.terminated, views.last, settings.bootstrap_at_limit)).float()
    keep = settings.td_lambda * (~views.last).float()
    targets = views.reward + follows * (1 - keep) * following  # (K, P), what does not depend on later targets
    weights = follows * keep
    counts = views.layout.counts[1:].tolist()  # steps at each time
    ends = list(accumulate(counts))
    for t in reversed(range(len(counts) - 1)):
        later = slice(ends[t], ends[t + 1])
        here = slice(ends[t] - counts[t], ends[t] - counts[t] + counts[t + 1])  # those that have a later one
        targets[:, here].addcmul_(weights[:, here], targets[:, later])
    return targets


class StackedLearner:
    """K learners as one, from where they stand. They are as they were until `write_back`.

    Args:
        learners: whose settings are equal; they give up their episodes.
        device: where all of it is.
        replays: their replay memories, where they are on the device already.

    Raises:
        PtdeError: the learners do not stand at the same update, or have networks that cannot be stacked.
    """

    def __init__(
        self,
        learners: Sequence[ValueDecompositionLearner],
        device: torch.device,
        replays: Sequence[DeviceReplay] | None = None,
    ) -> None:
        self._learners, self._device = learners, device
        self.settings, self.counters = learners[0].settings, copy.copy(learners[0].counters)
        check_same_updates([learner.counters.updates for learner in learners])
        self.online, self.target = (
            _team(stacked([getattr(learner, name) for learner in learners]), device) for name in ("online", "target")
        )
        self.target.requires_grad_(False)
        self.optimiser = Adam(self.online.parameters(), lr=self.settings.learning_rate)
        states = [learner.optimiser.state_dict() for learner in learners]
        if states[0]["state"]:
            together = {
                index: stacked_tensors([state["state"][index] for state in states]) for index in states[0]["state"]
            }
            for of_parameter in together.values():
                of_parameter["step"] = of_parameter["step"][0]  # all stand at the same one
            self.optimiser.load_state_dict({**states[0], "state": together})
        self.average = AveragedWeights(self.online.teacher, self.settings.average_weights)
        self.average.load(stacked_tensors([learner.average.state() for learner in learners]))
        self._replays = replays or [DeviceReplay(self.settings.replay_episodes, device) for _ in learners]
        for replay, learner in zip(self._replays, learners, strict=True):
            replay.add(learner.replay.drain())

    @property
    def policy(self) -> StackedPolicy:
        """What plays the next round of all."""
        return StackedPolicy(self.online.teacher, len(self._learners))

    def learn(self, rounds: Sequence[Sequence[Episode]]) -> list[dict[str, Tensor]]:
        """Take in a round of each and update if there are enough episodes; what each logs, as a learner by itself."""
        settings, counters = self.settings, self.counters
        for replay, episodes in zip(self._replays, rounds, strict=True):
            replay.add(episodes)
        counters.episodes += len(rounds[0])
        if len(self._replays[0]) < settings.batch_episodes:
            return [{} for _ in rounds]
        log: dict[str, Tensor] = {}
        for _ in range(settings.updates_per_round):
            log = self.update()
        if counters.episodes - counters.last_copy >= settings.target_every_episodes:
            self.target.load_state_dict(self.online.state_dict())
            counters.last_copy = counters.episodes
        return [{key: value[k] for key, value in log.items()} for k in range(len(rounds))]

    def update(self) -> dict[str, Tensor]:
        """One gradient step of each on a random batch of its own; scalars to log, each (K,)."""
        size, at = self.settings.batch_episodes, self.counters.updates
        chosen = [
            replay.choose(size, generator(learner.seed, "replay", at))
            for replay, learner in zip(self._replays, self._learners, strict=True)
        ]
        views = StackedViews.of(self._replays, chosen, self._device)
        loss, log = stacked_td_loss(self.online, self.target, views, self._noise(views), self.settings)
        self.optimiser.zero_grad()
        loss.sum().backward()  # type: ignore[no-untyped-call]  # torch's
        log["gradient_norm"] = clip_each(list(self.online.parameters()), self.settings.gradient_clip)
        self.optimiser.step()
        self.counters.updates += 1
        self.average.take_in(self.counters.updates)
        return log

    def learned(self, k: int) -> list[Tensor]:
        """All weights of one learner that gradients change, where they are now."""
        return [parameter.detach()[k] for parameter in self.online.parameters()]

    def _noise(self, views: StackedViews) -> tuple[Tensor, Tensor] | None:
        """What each learner would draw for its own views, put where they stand now."""
        size, layout = self._learners[0].teacher.noise_size, views.layout
        if size == 0:
            return None
        drawn = [
            noise_of_z(learner.seed, self.counters.updates, rows, (views.local.shape[2], size))
            for learner, rows in zip(self._learners, torch.from_numpy(layout.own_rows).to(self._device), strict=True)
        ]
        noise_online, noise_target = zip(*drawn, strict=True)
        return torch.stack(noise_online), torch.stack(noise_target)

    def only(self, which: Sequence[int]) -> "StackedLearner":
        """Those learners alone, from where they stand now."""
        self.write_back()
        learners, replays = [self._learners[k] for k in which], [self._replays[k] for k in which]
        return StackedLearner(learners, self._device, replays)

    def write_back(self) -> None:
        """Bring each learner's networks, average, optimiser and counters to where it stands now, but not its replay."""
        optimiser = self.optimiser.state_dict()
        for k, learner in enumerate(self._learners):
            learner.online.load_state_dict({name: tensor[k] for name, tensor in self.online.state_dict().items()})
            learner.target.load_state_dict({name: tensor[k] for name, tensor in self.target.state_dict().items()})
            state = {
                index: {name: tensor if name == "step" else tensor[k] for name, tensor in of_parameter.items()}
                for index, of_parameter in optimiser["state"].items()
            }
            learner.optimiser.load_state_dict({**optimiser, "state": state})
            learner.average.load({name: tensor[k] for name, tensor in self.average.state().items()})
            learner.counters = copy.copy(self.counters)


def check_same_updates(updates: Sequence[int]) -> None:
    """Refuse learners that cannot be stacked, for they have taken different numbers of gradient steps.

    Raises:
        PtdeError: with those numbers.
    """
    if len(set(updates)) > 1:
        numbers = ", ".join(map(str, updates))
        raise PtdeError(f"the seeds stand at different updates ({numbers})", "go on with one at a time: --seed")


def _team(network: nn.Module, device: torch.device) -> Team:
    assert isinstance(network, Team)
    return network.to(device)


@torch.no_grad()
def clip_each(parameters: Sequence[Tensor], largest: float) -> Tensor:
    """Clip each seed's gradients to a norm of at most `largest`; the norms (K,) before. Parameters are (K, ...)."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norms = torch.stack([torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients])
    norm: Tensor = torch.linalg.vector_norm(norms, dim=0)  # (K,)
    factor = (largest / (norm + 1e-6)).clamp_max(1.0)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, *(1 for _ in gradient.shape[1:])))
    return norm
