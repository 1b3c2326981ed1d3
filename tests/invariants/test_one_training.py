"""The files of a run folder are of one training: one that another run's has taken the place of is told, not shown."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.results.compare_runs import compare_runs
from ptde_core.results.formats import render
from ptde_core.results.gather import report
from ptde_core.results.marl_eval import marl_eval_curves
from ptde_core.storage.curve_file import metrics_of, write_curve
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_status
from ptde_core.viewing.algorithm_curves import win_rates
from ptde_core.viewing.visualize import draw_run_curves
from tests.conftest import game_settings
from tests.pipelines import EVALUATE


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, RunFolder]:
    """Two seeds of one training, the first tested and kept half way too. Tests must not write into them."""
    folder = Path(tmp_path_factory.mktemp("seeds"))
    both = RunFolder(folder / "seed1"), RunFolder(folder / "seed2")
    for seed, run in enumerate(both, start=1):
        train_teacher(game_settings(seed=seed, steps=400, test_every=200, test_episodes=4, keep="every=200"), run)
        evaluate([run.teacher, run.checkpoint("teacher", "200")], EVALUATE)
    return both


@pytest.fixture
def mixed(runs: tuple[RunFolder, RunFolder], tmp_path: Path) -> RunFolder:
    """A copy of the first run, to put files of the other into."""
    return RunFolder(shutil.copytree(runs[0].path, tmp_path / "seed1"))


SHOWN: dict[str, Callable[[RunFolder, RunFolder], object]] = {
    "compare": compare_runs,
    "visualize": lambda run, _: draw_run_curves(run, run.path / "figures"),
    "curves": lambda run, _: win_rates([run.path]),
}


@pytest.mark.parametrize("name", ["status.json", "provenance.json", "metrics.jsonl"])
@pytest.mark.parametrize("shows", SHOWN)
def test_a_file_of_another_run_is_told(
    name: str, shows: str, mixed: RunFolder, runs: tuple[RunFolder, RunFolder]
) -> None:
    SHOWN[shows](mixed, runs[1])  # nothing is wrong with it so far
    shutil.copy(runs[1].path / name, mixed.path / name)
    with pytest.raises(PtdeError, match=f"{name} is"):
        SHOWN[shows](mixed, runs[1])


@pytest.mark.parametrize("name", ["status.json", "provenance.json"])
def test_a_report_leaves_such_a_run_out(name: str, mixed: RunFolder, runs: tuple[RunFolder, RunFolder]) -> None:
    shutil.copy(runs[1].path / name, mixed.path / name)
    found = report([mixed.path])
    (left_out,) = found.left_out
    assert not found.sections
    assert (left_out.state, f"{name} is of another training" in left_out.why) == ("stale", True)


def test_curves_for_marl_eval_are_of_the_runs_own_log(mixed: RunFolder, runs: tuple[RunFolder, RunFolder]) -> None:
    assert "step_0" in marl_eval_curves(report([mixed.path]))
    shutil.copy(runs[1].metrics, mixed.metrics)
    with pytest.raises(PtdeError, match="not the log with which the training ended"):
        marl_eval_curves(report([mixed.path]))


def test_a_log_that_was_cut_at_a_line_end_is_told_in_whichever_file_it_is(mixed: RunFolder) -> None:
    rows = metrics_of(mixed)
    mixed.metrics.write_text("".join(mixed.metrics.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(PtdeError, match="not the log with which the training ended"):
        win_rates([mixed.path])
    mixed.metrics.unlink()
    write_curve(mixed.curve, rows)
    assert win_rates([mixed.path]).maps
    write_curve(mixed.curve, rows[:-1])
    with pytest.raises(PtdeError, match="not the log with which the training ended"):
        win_rates([mixed.path])


def test_a_checkpoint_of_half_a_training_has_not_its_whole_time(runs: tuple[RunFolder, RunFolder]) -> None:
    (section,) = report([runs[0].path]).sections
    times = {score.seeds[0].checkpoint: score.seeds[0].train_seconds for score in section.scores}
    assert times["teacher.pt"] == read_status(runs[0])["seconds"]
    assert times["checkpoints/teacher-0000200.pt"] is None


def test_a_teacher_without_a_gradient_step_is_told_below_the_win_rates(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_teacher(game_settings(steps=30, test_episodes=0), run)
    evaluate([run.teacher], EVALUATE)
    told = render(report([run.path]), "markdown")
    assert "Learned nothing, for no gradient step was due in so few episodes: QMIX_SGI on personal-signal (seed" in told
