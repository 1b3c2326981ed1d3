import pytest

from ptde_core.scores.tally import Tally, retention


def test_a_tally_keeps_its_parts() -> None:
    tally = Tally.of([True, False, True, True])
    assert tally == Tally(3, 4)
    assert tally.rate == 0.75
    assert str(tally) == "3/4"
    assert tally + Tally(1, 6) == Tally(4, 10)


@pytest.mark.parametrize(("wins", "episodes"), [(0, 0), (5, 4), (-1, 4)])
def test_an_impossible_tally_is_refused(wins: int, episodes: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        Tally(wins, episodes)


def test_retention_is_student_over_teacher() -> None:
    assert retention(Tally(24, 32), Tally(30, 32)) == pytest.approx(0.8)
    assert retention(Tally(30, 32), Tally(24, 32)) == pytest.approx(1.25)  # a student may win more often
    assert retention(Tally(16, 32), Tally(48, 64)) == pytest.approx(2 / 3)  # rates, not counts


def test_retention_is_undefined_where_the_teacher_never_wins() -> None:
    assert retention(Tally(3, 32), Tally(0, 32)) is None
    assert retention(Tally(0, 32), Tally(0, 32)) is None
