"""The paper's Tables 2 and 3 with our figures in them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ptde_core.results.gather import Section
from ptde_core.results.score import Score
from ptde_core.results.shortfall import shortfall
from ptde_core.results.table import NOTHING, PAPER_MARK, Row, Table
from ptde_core.results.win_rate_texts import rate_cell, win_rate_notes
from ptde_core.results.wording import backend_title, listed, mean_std_text, percent, retention_text
from ptde_core.scores.published import RETENTION_OF, benchmark_for


def paper_table(section: Section, number: int) -> list[Table]:
    """The paper's Table 2 or 3 with our figures in it: its rows, its maps, its order; empty for another benchmark.

    Below each of our rows is the paper's, and below that what the paper has not: averaged teachers, other recipes.
    """
    benchmark = benchmark_for(section.backend)
    if benchmark is None or benchmark.table != number:
        return []
    maps = list(benchmark.win_rates)
    ours = {(score.map, score.name): score for score in section.scores if score.z != "mean" and not score.variant}
    several = sorted({score.name for score in section.scores if score.variant})
    held = dict.fromkeys(name for map_name, name in ours if map_name in maps)
    groups: list[tuple[Row, ...]] = []
    for name in dict.fromkeys(name for rates in benchmark.win_rates.values() for name in rates):
        printed = {map_name: rates[name] for map_name, rates in benchmark.win_rates.items() if name in rates}
        papers = (mean_std_text(printed[m]) if m in printed else NOTHING for m in maps)
        group: list[Row] = [
            _row_of_ours(name, name, ours, maps, _win_rate_cell),
            (PAPER_MARK + benchmark.label, *papers),
        ]
        marked = (one for one in held if one.startswith(f"{name} ("))  # averaged, of another recipe
        groups.append((*group, *(_row_of_ours(one, one, ours, maps, _win_rate_cell) for one in marked)))
    papers = (percent(benchmark.retention[m]) for m in maps)
    group = [_row_of_ours("PRR", RETENTION_OF, ours, maps, _prr_cell), (PAPER_MARK + benchmark.label, *papers)]
    marks = [one.removeprefix(RETENTION_OF) for one in held if one.startswith(f"{RETENTION_OF} (")]
    groups.append((*group, *(_row_of_ours(f"PRR{one}", RETENTION_OF + one, ours, maps, _prr_cell) for one in marks)))
    of_maps = replace(section, scores=tuple(score for score in section.scores if score.map in maps))
    notes = win_rate_notes(of_maps)
    if several:
        notes.append(
            f"Left out, for their settings differ in more than the seed: {listed(several)}; see --layout full."
        )
    return [
        Table(
            title=f"The paper's Table {number} on {backend_title(section.backend, section.version)}",
            columns=("Algorithm", *maps),
            groups=tuple(groups),
            text_columns=1,
            notes=tuple(notes),
        )
    ]


def _row_of_ours(
    label: str, name: str, ours: Mapping[tuple[str, str], Score], maps: Iterable[str], cell: Callable[[Score], str]
) -> Row:
    found = {map_name: ours[map_name, name] for map_name in maps if (map_name, name) in ours}
    return (label, *(cell(found[m]) if m in found else NOTHING for m in maps))


def _win_rate_cell(score: Score) -> str:
    return rate_cell(score) + shortfall(score, len(score.seeds))


def _prr_cell(score: Score) -> str:
    kept = score.retention
    if kept is None or kept.ratio is None:
        return NOTHING
    return retention_text(kept) + shortfall(score, len(kept.train_seeds))
