"""Which of a policy's evaluations a table shows: evaluation.json can hold several."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from ptde_core.runs.stage_settings import EvaluateSettings
from ptde_core.storage.evaluation_file import EvaluationEntry


@dataclass(frozen=True)
class Wanted:
    """Which evaluations to count. None stands for the default: the default seed, and the largest.

    Args:
        seed: of the list of episodes.
        episodes: how many.
    """

    seed: int | None = None
    episodes: int | None = None

    def __str__(self) -> str:
        words = [f"--seed {self.seed}"] if self.seed is not None else []
        return " ".join([*words, *([f"--episodes {self.episodes}"] if self.episodes is not None else [])])


def policy_of(entry: EvaluationEntry) -> Hashable:
    """Equal for evaluations of the same policy that plays in the same way."""
    return entry.checkpoint, entry.z, entry.threshold


def chosen(
    entries: Iterable[EvaluationEntry],
    wanted: Wanted,
    policy: Callable[[EvaluationEntry], Hashable] = policy_of,
) -> list[EvaluationEntry]:
    """One evaluation of each policy: the largest with the seed that is wanted.

    Where nobody asked for a seed and none is of the default one, it is the largest of any. Of equal ones it is that
    with the lower seed.

    Args:
        entries: of one run.
        wanted: which.
        policy: what tells policies apart.
    """
    by_policy: dict[Hashable, list[EvaluationEntry]] = {}
    for entry in entries:
        by_policy.setdefault(policy(entry), []).append(entry)
    default = EvaluateSettings().seed
    found = []
    for of_policy in by_policy.values():
        fit = [
            one
            for one in of_policy
            if wanted.seed in (None, one.evaluation_seed) and wanted.episodes in (None, len(one.episodes.seed))
        ]
        if wanted.seed is None:
            fit = [one for one in fit if one.evaluation_seed == default] or fit
        if fit:
            found.append(max(fit, key=lambda one: (len(one.episodes.seed), -one.evaluation_seed)))
    return found
