"""What a table or figure of the paper is made of, where all parts are made of one folder of runs."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ptde_core.base.errors import PtdeError, StorageError
from ptde_core.base.events import Event, Note
from ptde_core.experiments.reproduction import reproduce, reproduced
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.paper import ALL, Scope, of_part, parts_of, sweep_of
from ptde_core.experiments.sweeps.sweep_file import cells_of
from ptde_core.experiments.two_strategies import two_strategies
from ptde_core.scores.seed_curves import SeedCurve, over_seeds
from ptde_core.storage.run_folder import RunFolder
from ptde_core.viewing.learning_speed import TESTS, reached_at
from tests.kept_runs import cells_below, kept_runs
from tests.made_runs import RUNS, add_run, entry
from tests.made_runs import _in_an_empty_folder as an_empty_folder

__all__ = ["an_empty_folder", "kept_runs"]  # the fixture


def all_cells(out: Path) -> list[Cell]:
    scope = Scope(env="skirmish", out=out)
    return cells_of(sweep_of(parts_of(ALL, scope), scope))


def test_a_part_is_made_of_its_own_cells_alone(tmp_path: Path) -> None:
    cells = all_cells(tmp_path)
    assert {cell.algorithm for cell in of_part("figure7", cells)} == {
        *("VDN", "VDN_UGI", "VDN_SGI", "MAPPO", "MAPPO_UGI", "MAPPO_SGI")
    }
    assert {cell.pipeline.training.map for cell in of_part("figure7", cells)} == {"3s_vs_5z", "3s5z_vs_3s6z"}
    assert len(of_part("figure8", cells)) == 6 * 6 * 3
    assert {cell.pipeline.training.alg for cell in of_part("figure8", cells)} == {"csrl", "copa", "qmix", "qplex"}
    assert {cell.name for cell in of_part("figure6", cells)} == {
        f"3s5z_vs_3s7z {algorithm} seed {seed}" for algorithm in ("QMIX", "QMIX_SGI") for seed in (1, 2, 3)
    }


def add(map_name: str, algorithm: str, seed: int, **students: int) -> RunFolder:
    """A run that was evaluated: its teacher won episodes 0 and 1, and these students that many."""
    facts = {"map": map_name, "train_seed": seed, "teacher_id": f"{map_name} {algorithm} {seed}"}
    z, info = ("none", "none") if algorithm == "QMIX" else ("sampled", "agent-specific")
    entries = [entry(z, 2, global_info=info, **facts)]  # type: ignore[arg-type]  # a ZSource
    for name, wins in students.items():
        entries.append(entry("student", wins, checkpoint=f"{name}.pt", **facts))
    return add_run(f"skirmish/{map_name}/{algorithm}/seed{seed}", entries)


def test_two_strategies_are_of_one_map_and_one_seed_and_of_the_student_that_won_most(an_empty_folder: Path) -> None:
    cells = all_cells(RUNS)
    add("3s_vs_5z", "QMIX", 1)
    run = add("5m_vs_6m", "QMIX_SGI", 1, student=1, other=3)
    add("5m_vs_6m", "QMIX", 2)
    assert two_strategies(cells) is None
    add("5m_vs_6m", "QMIX", 1)
    shown = two_strategies(cells)
    assert shown is not None
    assert [str(file.relative_to(RUNS)) for file in shown.files] == [
        "skirmish/5m_vs_6m/QMIX/seed1/teacher.pt",
        "skirmish/5m_vs_6m/QMIX_SGI/seed1/other.pt",
    ]
    assert shown.number == 0
    assert shown.caption.endswith(
        "number 0 of the evaluation, the first that the student won; QMIX won it. Of all 320 QMIX won 2, the student 3."
    )
    shutil.copy(run.student, run.path / "other.pt")
    shown = two_strategies(cells)
    assert shown is not None
    assert shown.student.checkpoint == "student.pt", "the other is not what was evaluated any more"
    run.student.unlink()
    assert two_strategies(cells) is None


def test_other_maps_algorithms_and_seeds_are_left_out_of_all_of_it(kept_runs: Path, tmp_path: Path) -> None:
    """What --maps, --algorithms and --seeds leave out is in no table and no answer."""
    cells = cells_below(kept_runs)
    alone = [cell for cell in cells if cell.algorithm == "QMIX"]
    _, found = reproduced(["table2"], alone, kept_runs)
    assert [score.name for section in found.sections for score in section.scores] == ["QMIX"]
    assert len(reproduced(["table2"], cells, kept_runs)[1].sections[0].scores) > 1
    with pytest.raises(PtdeError, match=r"no run of these experiments below .* ask for other maps"):
        reproduced(["table2"], [], kept_runs)


def test_a_picture_that_cannot_be_drawn_is_told_and_the_page_is_written(
    kept_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = cells_below(kept_runs)
    teacher = next(cell.run.teacher for cell in cells if cell.algorithm == "QMIX")

    def refuse(*_: object) -> None:
        raise PtdeError(f"{teacher} is not a readable checkpoint", "train it anew")

    monkeypatch.setattr("ptde_core.experiments.two_strategies.shown_of", refuse)
    heard: list[Event] = []
    reproduce(["figure6"], cells, kept_runs, tmp_path / "r.md", listen=heard.append)
    assert "Missing: " in (tmp_path / "r.md").read_text()
    assert any(f"{teacher} is not a readable checkpoint" in one.text for one in heard if isinstance(one, Note))
    assert "![" not in (tmp_path / "r.md").read_text()

    def full(*_: object) -> None:
        raise StorageError("cannot use it: no space left on device", "make room there")

    monkeypatch.setattr("ptde_core.experiments.two_strategies.shown_of", full)
    with pytest.raises(StorageError):
        reproduce(["figure6"], cells, kept_runs, tmp_path / "s.md")
    assert not (tmp_path / "s.md").exists()


@pytest.mark.parametrize(
    ("values", "level", "at"),
    [
        ([0.0] * 4 + [1.0] * 6, 0.5, 700),  # three of the five tests up to 700 are won
        ([0.0] * 4 + [1.0] * 6, 0.9, 900),
        ([0.0, 1.0] + [0.0] * 8, 0.5, None),  # one test may be luck
        ([1.0] * 10, 0.9, 100 * TESTS),
        ([1.0] * (TESTS - 1), 0.9, None),  # too few to tell
    ],
)
def test_env_steps_until_a_share_is_won(values: list[float], level: float, at: int | None) -> None:
    steps = 100.0 * np.arange(1, len(values) + 1)
    assert reached_at(over_seeds([SeedCurve(steps, np.array(values))], 100), level) == at
