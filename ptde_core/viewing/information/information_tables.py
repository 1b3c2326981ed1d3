"""What information matters, as tables."""

from collections.abc import Sequence

import numpy as np

from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.results.wording import percent
from ptde_core.viewing.information.inspect_information import THE_STUDENT, THE_TEACHER, Inspected
from ptde_core.viewing.information.measure import Dependence


def information_tables(inspected: Sequence[Inspected]) -> list[Table]:
    """Per run: what each agent's z depends on, and how that lies to its sight; then what students recover, all runs."""
    tables = []
    for one in inspected:
        tables.append(_by_agent(one))
        if one.dependence.classes:
            tables.append(_by_class(one))
    recovered = [one for one in inspected if one.recovered]
    if recovered:
        tables.append(_recovered(recovered))
    return tables


def share(value: float) -> str:
    """A share for people: "12.3 %"; a dash where it is undefined."""
    return NOTHING if np.isnan(value) else percent(value)


def _by_agent(one: Inspected) -> Table:
    of: Dependence = one.dependence
    agents = [f"agent {agent}{f', {kind}' if kind else ''}" for agent, kind in enumerate(one.agents)]
    rows: list[Row] = []
    for number, block in enumerate(of.blocks):
        cells = (
            f"{share(moved)} / {_plain(hidden)}"
            for moved, hidden in zip(of.by_agent[:, number], of.hidden[:, number], strict=True)
        )
        rows.append((block, *cells))
    whole: Row = ("all of it", *(f"{share(1.0)} / {_plain(hidden)}" for hidden in of.all_hidden))
    return Table(
        title=f"What the z of {one.title} depends on",
        columns=("Part of the state", *agents),
        groups=(tuple(rows), (whole,)),
        text_columns=1,
        notes=(
            f"{one.episodes} greedy episodes of the teacher, z without noise; {one.rows} env steps, agents without a"
            " choice left out.",
            "First number: share of the part in the squared gradients of z's mean, each number of the state weighed by"
            " its variance. Second: squared change of z when the part is hidden (its numbers set to their means),"
            " over the variance of z. What is left when all of it is hidden, z has from the agent's own view.",
        ),
    )


def _by_class(one: Inspected) -> Table:
    of = one.dependence
    rows = tuple((name, share(value)) for name, value in zip(of.classes, of.by_class, strict=True))
    return Table(
        title=f"Whose features move the z of {one.title}",
        columns=("Features of", "Share of z's squared gradient"),
        groups=(rows,),
        text_columns=1,
        notes=("Distances are from the agent, at each step; what lies beyond its sight, a student cannot see.",),
    )


def _recovered(inspected: Sequence[Inspected]) -> Table:
    groups = []
    for one in inspected:
        for student in one.recovered:
            plays = list(student.by_player.values())
            parts = {"all": [(of.rows, of.explained) for of in plays]}
            for kind in ("by_type", "by_distance"):
                for name in getattr(plays[0], kind):
                    found = [getattr(of, kind).get(name, (0, float("nan"))) for of in plays]
                    label = f"agents of type {name}" if kind == "by_type" else f"nearest enemy {name} away"
                    parts[label] = found
            heads = (one.title, student.name)
            groups.append(tuple((*heads, part, *(_cell(*cell) for cell in cells)) for part, cells in parts.items()))
    return Table(
        title="What students recover of z",
        columns=("Run", "Student", "Agent-steps", *(f"in {who}'s episodes" for who in (THE_TEACHER, THE_STUDENT))),
        groups=tuple(groups),
        text_columns=3,
        notes=(
            "1 - squared error of z' / variance of z over all agent-steps of these episodes; in brackets the number of"
            " agent-steps. 100 %: all is recovered, 0 %: no better than always saying the mean; below that: worse.",
        ),
    )


def _cell(rows: int, explained: float) -> str:
    return f"{share(explained)} ({rows})" if rows else NOTHING


def _plain(value: float) -> str:
    return NOTHING if np.isnan(value) else f"{value:.2f}"
