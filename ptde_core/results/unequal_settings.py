"""Settings that trainings of one algorithm do not share, though only their information is compared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ptde_core.algorithms.table_names import teacher_name
from ptde_core.results.found_runs import MAY_DIFFER, differing, grouped
from ptde_core.results.score import Score
from ptde_core.results.wording import listed


@dataclass(frozen=True)
class UnequalSetting:
    """A setting that differs between kinds of global information on one map.

    Args:
        values: the names of the trainings in the paper's tables, by the setting's value.
    """

    map: str
    setting: str
    values: Mapping[str, tuple[str, ...]]


def unequal_settings(scores: Iterable[Score]) -> list[UnequalSetting]:
    """What teachers of equal map and algorithm differ in besides their information.

    A setting that several rows of one name differ in is in their names already, and left out here.
    """
    found = []
    teachers = [score for score in scores if score.policy == "teacher"]
    for (map_name, alg), same in grouped(teachers, lambda score: (score.map, score.alg)):
        by_info = grouped(same, lambda score: score.global_info)
        settings = [score.settings for _, of_info in by_info for score in of_info]
        told = {key for _, of_info in by_info for key in differing([score.settings for score in of_info])}
        for key in differing(settings, MAY_DIFFER | {"global_info", *told}):
            names = [
                (str(of_info[0].settings.get(key, "not set")), teacher_name(alg, info)) for info, of_info in by_info
            ]
            values = {value: tuple(name for _, name in those) for value, those in grouped(names, lambda one: one[0])}
            found.append(UnequalSetting(map_name, key, values))
    return found


def unequal_notes(found: Iterable[UnequalSetting]) -> list[str]:
    """A note below a table for each map with such settings."""
    return [
        f"On {map_name} these were trained with other settings too, so their information alone does not explain what "
        f"they won: {'; '.join(map(_values, settings))}."
        for map_name, settings in grouped(found, lambda one: one.map)
    ]


def _values(one: UnequalSetting) -> str:
    return f"{one.setting} = " + ", ".join(f"{value} ({listed(names)})" for value, names in one.values.items())
