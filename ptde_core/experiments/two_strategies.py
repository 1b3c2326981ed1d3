"""The paper's Figure 6: QMIX, and a student of QMIX_SGI, in the same battle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.results.found_runs import read_run
from ptde_core.results.gather import ANY
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.viewing.replays.chosen_episodes import shown_of
from ptde_core.viewing.replays.movie import pictures_of, save_moments

EARLY, LATE = 0.25, 0.75  # shares of the shorter battle at which both are shown


@dataclass(frozen=True)
class TwoStrategies:
    """Two policies that were evaluated on the same episodes.

    Args:
        plain, student: how they played.
        files: their checkpoints.
    """

    plain: EvaluationEntry
    student: EvaluationEntry
    files: tuple[Path, Path]

    @property
    def number(self) -> int:
        """The episode that is shown: the first that the student won, or if it won none, the first."""
        won = self.student.episodes.won
        return won.index(True) if True in won else 0

    @property
    def caption(self) -> str:
        """Who plays, which episode it is and why, and how much both won of all."""
        plain, student, number = self.plain, self.student, self.number
        first = "the first that the student won" if student.episodes.won[number] else "of which the student won none"
        ended = "won" if plain.episodes.won[number] else "did not win"
        return (
            f"{plain.name} above, {student.name} below, on {plain.map} (training seed {plain.train_seed}), "
            f"{100 * EARLY:.0f} % and {100 * LATE:.0f} % into the shorter of two episodes with the same start. It is "
            f"number {number} of the evaluation, {first}; {plain.name} {ended} it. Of all {len(plain.episodes.won)} "
            f"{plain.name} won {sum(plain.episodes.won)}, the student {sum(student.episodes.won)}."
        )

    def draw(self, picture: Path) -> None:
        """Play the episode with both, and write the picture: the first above the second, early and late."""
        films = [pictures_of(one) for one in shown_of(self.files, self.number, self.student.evaluation_seed)]
        last = min(map(len, films)) - 1
        save_moments(films, picture, [round(EARLY * last), round(LATE * last)])


def two_strategies(cells: Sequence[Cell]) -> TwoStrategies | None:
    """Of the first map and seed that have both: QMIX, and that student of QMIX_SGI that won most."""
    by_kind = {_kind(cell.pipeline.training): cell for cell in reversed(cells) if not cell.variant}
    for cell in cells:
        training = cell.pipeline.training
        plain = by_kind.get((training.map, training.seed, "qmix", "none"))
        informed = by_kind.get((training.map, training.seed, "qmix", "agent-specific"))
        if plain and informed and (found := _pair(plain, informed)):
            return found
    return None


def _kind(training: TrainingSettings) -> tuple[str, int, str, str]:
    return training.map, training.seed, training.alg, training.global_info


def _pair(plain: Cell, informed: Cell) -> TwoStrategies | None:
    teachers = [one for one in _evaluated(plain) if one.checkpoint == plain.run.teacher.name]
    students = [one for one in _evaluated(informed) if one.policy == "student"]
    pairs = [(t, s) for t in teachers for s in students if _episodes(t) == _episodes(s)]
    if not pairs:
        return None
    most = max(pairs, key=lambda pair: (sum(pair[1].episodes.won), pair[1].checkpoint == informed.run.student.name))
    return TwoStrategies(*most, (plain.run.path / most[0].checkpoint, informed.run.path / most[1].checkpoint))


def _evaluated(cell: Cell) -> list[EvaluationEntry]:
    """What a report would count: of checkpoints that are there, and are what was evaluated."""
    counted, _ = read_run(cell.run, ANY)
    return [one.entry for one in counted]


def _episodes(one: EvaluationEntry) -> tuple[int, list[int]]:
    return one.evaluation_seed, one.episodes.seed
