"""What a sweep's file stands for: its cells, their folders, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.experiments.sweeps.cells import LONGEST_NAME, Cell
from ptde_core.experiments.sweeps.sweep_file import cells_of, read_sweep, sweep_file, teacher_named

SIX = ("seed", "learning_rate", "gamma", "gradient_clip", "batch_episodes", "replay_episodes")


def cells(**values: Any) -> list[Cell]:
    return cells_of(sweep_file(values))


def folders(**values: Any) -> list[str]:
    return [str(cell.run.path) for cell in cells(**values)]


def test_a_grid_is_every_point_of_its_axes_and_seeds_vary_slowest() -> None:
    found = folders(grid={"algorithm": ["QMIX", "VDN_SGI"], "map": ["3m", "8m"], "seed": [1, 2]})
    assert found == [
        f"runs/skirmish/{map_name}/{name}/seed{seed}"
        for seed in (1, 2)
        for name in ("QMIX", "VDN_SGI")
        for map_name in ("3m", "8m")
    ]


def test_several_grids_follow_each_other() -> None:
    found = folders(grid=[{"algorithm": "CSRL"}, {"alg": "qmix", "global_info": ["none", "unified"]}], out="mine")
    assert found == [f"mine/skirmish/3m/{name}/seed1" for name in ("CSRL", "QMIX", "QMIX_UGI")]


@pytest.mark.parametrize(
    ("grid", "name"),
    [
        ({"learning_rate": [5e-4]}, "QMIX_SGI-learning_rate=0.0005"),
        ({"learning_rate": [1e-3]}, "QMIX_SGI"),  # what it is anyway
        ({"steps": [100]}, "QMIX_SGI-steps=100"),
        ({"distill": {"steps": [7]}}, "QMIX_SGI-distill.steps=7"),
        ({"distill.steps": [7], "td_lambda": [0.5]}, "QMIX_SGI-distill.steps=7,td_lambda=0.5"),
        ({"recipe": ["paper", "recurrent"]}, "QMIX_SGI"),  # students of one teacher lie beside each other
    ],
)
def test_a_folder_tells_what_is_not_usual_of_the_grid(grid: dict[str, Any], name: str) -> None:
    assert folders(grid=grid) == [f"runs/skirmish/3m/{name}/seed1"]


def test_what_all_cells_share_is_in_no_name_but_in_the_digest() -> None:
    plain, changed = cells()[0], cells(settings={"steps": 500, "evaluate": {"episodes": 9}})[0]
    assert plain.run == changed.run
    assert plain.digest != changed.digest
    assert changed.pipeline.training.steps == 500
    assert changed.pipeline.evaluating.episodes == 9


def test_a_name_that_is_too_long_gives_way_to_a_digest() -> None:
    many = {f"{key}": [0.123456] for key in ("td_lambda", "gamma", "epsilon_end", "learning_rate", "gradient_clip")}
    (name,) = [Path(one).parent.name for one in folders(grid=many)]
    assert len(name) < LONGEST_NAME
    assert folders(grid=many) == folders(grid=dict(reversed(many.items()))), "whatever the order in the file"
    assert folders(grid=many) != folders(grid=many | {"gamma": [0.5]})


def test_recipes_are_students_of_one_cell() -> None:
    (cell,) = cells(grid={"recipe": ["paper", "recurrent"]})
    assert [one.recipe for one in cell.pipeline.distilling] == ["paper", "recurrent"]
    (cell,) = cells(settings={"recipe": ["sampled-target"]})
    assert [one.recipe for one in cell.pipeline.distilling] == ["sampled-target"]


def test_a_budget_shortens_training_and_students_but_no_name() -> None:
    (whole,), (short,) = cells(), cells(budget=0.001)
    assert (short.run, short.variant) == (whole.run, "")
    assert short.pipeline.training.steps == whole.pipeline.training.steps // 1000 == 80
    assert [one.steps for one in short.pipeline.distilling] == [
        round(one.steps / 1000) for one in whole.pipeline.distilling
    ]
    assert cells(budget=1e-9)[0].pipeline.training.steps == 1


def test_a_cell_survives_being_a_line_of_text() -> None:
    for cell in cells(grid={"algorithm": ["QMIX_SGI", "CSRL", "COPA", "QPLEX", "MAPPO_UGI", "CTDS"], "gamma": [0.9]}):
        assert Cell.from_json(cell.to_json()) == cell


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"grids": []}, "no setting named 'grids'; did you mean 'grid'?"),
        ({"grid": {"algorithm": ["QMIX_ASGKD"]}}, "QMIX_ASGKD is a student; name its teacher, QMIX_SGI"),
        ({"grid": {"algorithm": ["QMX"]}}, "no algorithm named 'QMX'; did you mean 'QMIX'?"),
        ({"grid": {"algorithm": ["QMIX"], "alg": ["vdn"]}}, "algorithm and alg are both there"),
        ({"grid": {"learning_rat": [1]}}, "no setting named 'learning_rat'; did you mean 'learning_rate'?"),
        ({"grid": {"seed": []}}, r"seed = \[\] in the grid leaves no cell"),
        ({"grid": {key: list(range(200)) for key in SIX}}, "the grid has 64,000,000,000,000 cells; leave at most"),
        ({"grid": {"seed": [-1]}}, "seed = -1 .*greater than or equal to 0"),
        ({"grid": {"seed": [1, 1]}}, "two cells of the grid would share runs/skirmish/3m/QMIX_SGI/seed1"),
        ({"grid": [{"seed": [1]}, {"seed": [1, 2]}]}, "two cells of the grid would share"),
        ({"grid": {"evaluate": {"episodes": [1, 2]}, "recipe": ["best"]}}, "no recipe named 'best'"),
        ({"grid": {"gamma": {"from": 1}}}, "gamma = .* is no list of values"),
        ({"grid": 3}, "grid = 3"),
        ({"grid": []}, r"grid = \[\] .*at least 1"),
        ({"grid": {"distill": [{"steps": 1}, {"steps": 2}]}}, "distill = .* names a stage, not a setting"),
        ({"sample": {"trials": 0, "settings": {"gamma": [1]}}}, "^trials = 0 "),
        ({"sample": {"trals": 1}}, "no setting named 'trals'; did you mean 'trials'?"),
        ({"sample": {"trials": 1}}, r"\[sample\] has no settings to search"),
        ({"sample": 3}, "sample = 3"),
        (
            {"grid": {"distill": {"steps": [1]}}, "sample": {"settings": {"distill": {"steps": [2, 3]}}}},
            r"distill.steps is both in the grid and in \[sample.settings\]",
        ),
        ({"budget": 0}, "budget = 0 .*greater than 0"),
        ({"budget": 2}, "budget = 2 .*less than or equal to 1"),
        ({"settings": {"alg": "qmix", "global_info": "commander"}}, "global_info = 'commander'"),
        ({"settings": 1}, "settings = 1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PtdeError, match=sentence):
        cells(**values)


MANY = {"seed": list(range(100)), "hidden_size": list(range(1, 101))}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"grid": MANY}, "the grid has 10,000 cells; leave at most 5,000, in sweeps of their own"),
        ({"grid": [{"seed": list(range(100))}] * 51}, "the 51 grids have 5,100 cells; leave at most 5,000"),
        ({"grid": MANY | {"gamma": list(range(10**6))}}, "the grid has 10,000,000,000 cells"),
        (
            {"grid": {"seed": [1, 2]}, "sample": {"trials": 3000, "settings": {"gamma": [0.9]}}},
            "2 cells are 6,000 cells",
        ),
        (
            {"grid": {"seed": [1, 2]}, "sample": {"trials": 1, "settings": {"gamma": [0.9] * 3000}}},
            r"3,000 values in \[sample.settings\] for each of 2 cells are 6,000 cells to check; leave at most 5,000",
        ),
    ],
)
def test_too_many_cells_are_refused_before_one_is_made(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], sentence: str
) -> None:
    def made(*_: object) -> None:
        raise AssertionError("a cell was made")

    monkeypatch.setattr("ptde_core.experiments.sweeps.sweep_file.pipeline_settings", made)
    with pytest.raises(PtdeError, match=sentence):
        sweep_file(values)


def test_as_many_cells_as_may_be_are_counted_over_all_grids() -> None:
    sweep_file({"grid": [{"seed": list(range(100))}] * 50})


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, text in (("a.toml", "grid = ["), ("a.json", "{"), ("b.json", "[]"), ("c.toml", "\xff")):
        (tmp_path / name).write_text(text, encoding="latin-1")
        with pytest.raises(PtdeError, match=r"is not a (TOML file|(readable )?sweep's file)"):
            read_sweep(tmp_path / name)
    with pytest.raises(PtdeError, match="no sweep's file at"):
        read_sweep(tmp_path / "none.toml")


def test_a_file_may_be_toml_or_what_a_sweep_leaves_as_json(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('out = "b"\n[[grid]]\nalgorithm = ["QMIX"]\nseed = [1, 2]\n')
    sweep = read_sweep(tmp_path / "a.toml")
    (tmp_path / "a.json").write_text(sweep.model_dump_json())
    assert cells_of(read_sweep(tmp_path / "a.json")) == cells_of(sweep)


@pytest.mark.parametrize(
    ("name", "alg", "info"),
    [
        ("QMIX", "qmix", "none"),
        ("QMIX_UGI", "qmix", "unified"),
        ("MAPPO_SGI", "mappo", "agent-specific"),
        ("CSRL", "csrl", "commander"),
        ("COPA", "copa", "coach"),
        ("CTDS", "ctds", "none"),
    ],
)
def test_names_of_tables_are_algorithms(name: str, alg: str, info: str) -> None:
    assert teacher_named(name) == {"alg": alg, "global_info": info}
