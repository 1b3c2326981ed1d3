"""The one error users see: what is wrong, and what to type next."""

import difflib
from collections.abc import Iterable

NEAR = 0.5  # similarity from which a name is offered instead; names are short: 3n is 0.5 similar to 3m

SHOWN = 100  # characters of a value that an error quotes


class PtdeError(Exception):
    """A mistake the user can mend, shown as one sentence without a traceback (exit code 2).

    Args:
        problem: what is wrong, with the offending value ("no map named 3n").
        fix: what to do or type next ("see `ptde maps`"); may be empty when the problem says it all.
    """

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(f"{problem}; {fix}" if fix else problem)
        self.problem = problem
        self.fix = fix


def unknown(kind: str, word: str, known: Iterable[str], otherwise: str = "") -> PtdeError:
    """The error for a name that does not exist: it offers the nearest one that does.

    Args:
        kind: what was named ("setting", "map").
        word: what was typed.
        known: the names that exist.
        otherwise: what to do if none of them is near; by default they are all listed.
    """
    return PtdeError(f"no {kind} named {quoted(repr(word))}", nearest(word, known, otherwise))


def nearest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """What to do about a name that does not exist: the nearest one that does, else `otherwise`, else all of them."""
    names = list(known)
    near = difflib.get_close_matches(word[:SHOWN], names, n=1, cutoff=NEAR)
    return f"did you mean {near[0]!r}?" if near else otherwise or f"choose from {', '.join(sorted(names))}"


def quoted(value: object) -> str:
    """A value, or a library's error, as a sentence of ours says it: never longer than a line."""
    text = str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
