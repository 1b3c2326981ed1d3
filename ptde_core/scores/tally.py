"""A win rate keeps its parts: how many episodes were won, out of how many. And the PRR made of two of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    """`wins` won episodes out of `episodes` played.

    Raises:
        ValueError: no episode, or a count of wins that cannot be.
    """

    wins: int
    episodes: int

    def __post_init__(self) -> None:
        if self.episodes < 1 or not 0 <= self.wins <= self.episodes:
            raise ValueError(f"{self.wins} wins in {self.episodes} episodes cannot be")

    @classmethod
    def of(cls, won: Iterable[bool]) -> "Tally":
        """Count outcomes, one per episode."""
        outcomes = list(won)
        return cls(sum(outcomes), len(outcomes))

    @classmethod
    def of_tallies(cls, tallies: Iterable["Tally"]) -> "Tally":
        """All their episodes together."""
        parts = list(tallies)
        return cls(sum(one.wins for one in parts), sum(one.episodes for one in parts))

    @property
    def rate(self) -> float:
        """The win rate, a fraction in 0..1."""
        return self.wins / self.episodes

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.wins + other.wins, self.episodes + other.episodes)

    def __str__(self) -> str:
        return f"{self.wins}/{self.episodes}"


def retention(student: Tally, teacher: Tally) -> float | None:
    """PRR: student's win rate / teacher's win rate (1.0 = nothing lost). None where the teacher never wins."""
    return None if teacher.wins == 0 else student.rate / teacher.rate
