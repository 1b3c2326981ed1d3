from ptde_core.base.errors import PtdeError, unknown


def test_an_error_is_one_sentence() -> None:
    assert str(PtdeError("no map named '3n'", "see `ptde maps`")) == "no map named '3n'; see `ptde maps`"
    assert str(PtdeError("no map named '3n'")) == "no map named '3n'"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert str(unknown("map", "3n", ["8m", "3m"])) == "no map named '3n'; did you mean '3m'?"
    assert str(unknown("map", "zzz", ["8m", "3m"])) == "no map named 'zzz'; choose from 3m, 8m"
    assert str(unknown("map", "zzz", ["8m"], "see `ptde maps`")) == "no map named 'zzz'; see `ptde maps`"
