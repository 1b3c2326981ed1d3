"""The paper's experiments as sweeps: their cells, what narrows them, what is refused."""

from pathlib import Path

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.base.setting_fields import MOST_SEED
from ptde_core.experiments.sweeps.cells import Cell, seeds_below
from ptde_core.experiments.sweeps.paper import PARTS, Scope, parts_of, sweep_of
from ptde_core.experiments.sweeps.sweep_file import cells_of
from ptde_core.runs.stage_settings import preset_of
from ptde_core.scores.published import benchmarks


def cells(parts: list[str], **scope: object) -> list[Cell]:
    return cells_of(sweep_of(parts, Scope(**scope)))  # type: ignore[arg-type]  as typed


def names(found: list[Cell]) -> set[str]:
    return {cell.run.path.parent.name for cell in found}


@pytest.mark.parametrize(
    ("part", "count"),
    [("table2", 108), ("table3", 45), ("figure6", 2), ("figure7", 36), ("figure8", 108), ("figure9", 45)],
)
def test_a_part_has_the_papers_cells_with_the_papers_steps(part: str, count: int) -> None:
    found = cells([part])
    assert len(found) == count
    for cell in found:
        training = cell.pipeline.training
        assert training.steps == preset_of(training.map)["paper_steps"]
        assert cell.run.path.parts[:2] == ("reproduction", training.env)
        assert [one.recipe for one in cell.pipeline.distilling] == ["paper", "recurrent"]


@pytest.mark.parametrize("number", [2, 3])
def test_a_table_has_every_map_and_algorithm_of_the_published_one(number: int) -> None:
    published = next(one for one in benchmarks() if one.table == number).win_rates
    found = cells([f"table{number}"])
    assert {cell.pipeline.training.map for cell in found} == set(published)
    students = {"QMIX_ASGKD"}  # made in QMIX_SGI's cell
    assert names(found) | students == {name for rates in published.values() for name in rates}


def test_no_cell_is_there_twice_where_parts_share_some() -> None:
    both = cells(["table2", "figure6", "figure8"])
    assert len(both) == 108


def test_a_scope_narrows_and_its_budget_has_a_folder_of_its_own() -> None:
    found = cells(["table2"], budget=0.001, seeds=[1], maps=("6h_vs_8z",), algorithms=("QMIX", "QMIX_SGI"))
    assert [str(cell.run.path) for cell in found] == [
        "reproduction-0.001/skirmish/6h_vs_8z/QMIX_SGI/seed1",
        "reproduction-0.001/skirmish/6h_vs_8z/QMIX/seed1",
    ]
    assert {cell.pipeline.training.steps for cell in found} == {5000}
    assert {cell.pipeline.distilling[0].steps for cell in found} == {500}
    assert cells(["figure6"], seeds=[1, 2], out=Path("x"))[0].run.path.parts[0] == "x"
    assert {cell.pipeline.training.seed for cell in cells(["figure6"], seeds=[1, 2])} == {1}, (
        "one battle takes one seed"
    )
    assert {cell.pipeline.training.seed for cell in cells(["table2"], seeds=[2, 5])} == {2, 5}


def test_all_is_what_can_be_played(monkeypatch: pytest.MonkeyPatch) -> None:
    football = ["table3", "figure9"]
    for there, left in ((None, [part for part in PARTS if part not in football]), (object(), list(PARTS))):
        monkeypatch.setattr("ptde_core.experiments.sweeps.paper.find_spec", lambda _, there=there: there)
        assert parts_of("all", Scope()) == left
        assert parts_of("all", Scope(), trains=False) == list(PARTS), "what is only shown needs no engine"
        assert parts_of("all", Scope(env="football")) == football
        assert parts_of("all", Scope(env="smac")) == [part for part in PARTS if part not in football]
        assert parts_of("table3", Scope()) == ["table3"]


def test_runs_that_are_there_are_taken_with_the_seeds_they_have(tmp_path: Path) -> None:
    assert seeds_below(tmp_path) == (1,)
    for name in (
        "QMIX/seed4",
        "QMIX/seed2",
        "VDN/seed2",
        "VDN/mine",
        f"VDN/seed{MOST_SEED + 1}",
        f"VDN/seed{'9' * 99}",
    ):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "status.json").touch()
    assert seeds_below(tmp_path) == (2, 4)


@pytest.mark.parametrize(
    ("part", "scope", "sentence"),
    [
        ("table4", Scope(), "no table or figure named 'table4'; did you mean"),
        ("table3", Scope(env="smac"), "table3 is not played on smac"),
        ("table2", Scope(env="football"), "table2 is not played on football"),
        ("table2", Scope(env="game"), "the paper's maps are not on game"),
        ("table2", Scope(maps=("3m",)), "no map in it named '3m'"),
        ("table2", Scope(algorithms=("VDN",)), "no algorithm in it named 'VDN'"),
        ("table2", Scope(algorithms=("QMIX_ASGKD",)), "QMIX_ASGKD is a student; name its teacher, QMIX_SGI"),
    ],
)
def test_what_the_paper_does_not_have(part: str, scope: Scope, sentence: str) -> None:
    with pytest.raises(PtdeError, match=sentence):
        sweep_of(parts_of(part, scope), scope)
