"""Which algorithm wins more than which on a map, ours beside the paper's: what agrees, and what does not."""

from collections.abc import Sequence
from itertools import combinations

from ptde_core.results.differences import INTERVALS, Difference, difference, difference_table
from ptde_core.results.gather import Section
from ptde_core.results.table import Table
from ptde_core.results.wording import listed
from ptde_core.scores.published import benchmark_for

AGREES, DIFFERS = "agrees", "differs"


def pairs_beside_paper(section: Section) -> list[Difference]:
    """Every pair of algorithms that differ in the paper, on a map that both have; the first wins more in the paper."""
    benchmark = benchmark_for(section.backend)
    if benchmark is None:
        return []
    ours = {(score.map, score.name): score for score in section.scores if score.z != "mean" and not score.variant}
    found = []
    for map_name, rates in benchmark.win_rates.items():
        names = sorted((name for name in rates if (map_name, name) in ours), key=lambda name: -rates[name].mean)
        pairs = [pair for pair in combinations(names, 2) if rates[pair[0]].mean > rates[pair[1]].mean]
        found += [difference(section.backend, ours[map_name, one], ours[map_name, other]) for one, other in pairs]
    return found


def agreement_of(one: Difference) -> str:
    """What a pair says beside the paper's: one of `AGREES` and `DIFFERS`, or why it says neither."""
    if one.verdict not in {"higher", "lower"}:
        return one.verdict
    return AGREES if one.difference > 0 else DIFFERS


def agreement_words(found: Sequence[Difference]) -> str:
    """How many pairs agree, and which do not."""
    agreeing = sum(agreement_of(one) == AGREES for one in found)
    contrary = [one for one in found if agreement_of(one) == DIFFERS]
    told = listed(f"{one.second} wins more than {one.first} on {one.map}" for one in contrary)
    return (
        f"Pairs of algorithms on a map: {agreeing} in the paper's order, {len(contrary)} in the other"
        + (f" ({told})" if contrary else "")
        + f", {len(found) - agreeing - len(contrary)} not told apart here or with one training alone on a side."
    )


def agreement_table(found: Sequence[Difference]) -> Table:
    """A row per pair: the one that wins more in the paper first."""
    note = (
        f"The first of a pair wins more in the paper. {INTERVALS} Agrees, differs: two seeds a side and an interval "
        "without 0. Of the paper's differences the sign alone is used."
    )
    said = [agreement_of(one) for one in found]
    return difference_table("Pairs of algorithms beside the paper's", found, "Order", said, (note,))
