"""What a training logs: TensorBoard reads it, resuming doubles no point, every number has a name and a unit."""

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, Logged, silent
from ptde_core.base.metrics import METRICS, check_metrics
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.pipeline.weights_and_biases import weights_and_biases
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.provenance_file import read_provenance
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.tensorboard_file import tag_of
from ptde_core.storage.training_log import TrainingLog
from tests.conftest import game_settings

WIN_RATE = "play/test_win_rate (fraction)"


def points(run: RunFolder, tag: str) -> list[tuple[int, float]]:
    """As TensorBoard's own reader sees them."""
    reader = EventAccumulator(str(run.tensorboard.parent))
    reader.Reload()
    return [(event.step, event.value) for event in reader.Scalars(tag)]


def test_tensorboard_reads_names_units_and_meanings(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    log = TrainingLog(run, {})
    log.add(10_016, {"test_win_rate": 0.25, "updates": 8.0})
    log.add(20_004, {"test_win_rate": 0.5, "updates": 16.0})
    reader = EventAccumulator(str(run.tensorboard.parent))
    reader.Reload()
    assert set(reader.Tags()["scalars"]) == {WIN_RATE, "cost/updates (gradient steps)"}
    assert points(run, WIN_RATE) == [(10_016, 0.25), (20_004, 0.5)]
    assert reader.SummaryMetadata(WIN_RATE).summary_description == METRICS["test_win_rate"].meaning


def test_a_number_without_a_name_of_the_catalogue_is_refused() -> None:
    check_metrics({"td_loss": 1.0, "policy_loss": 1.0})
    for name, told in (("td_los", "did you mean 'td_loss'"), ("qqqqqqqqqqqq", "log it under a name of the catalogue")):
        with pytest.raises(PtdeError, match=f"no metric named {name!r}; {told}"):
            check_metrics({"td_loss": 1.0, name: 1.0})


def test_no_two_metrics_share_a_tag_and_a_pure_number_shows_no_unit() -> None:
    assert len({tag_of(name) for name in METRICS}) == len(METRICS)
    assert tag_of("gradient_norm") == "learning/gradient_norm"


def test_a_resumed_training_doubles_no_point(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    killed = TrainingLog(run, {})
    killed.add(10, {"test_win_rate": 0.125})
    saved = killed.lengths
    killed.add(20, {"test_win_rate": 0.25})
    with run.tensorboard.open("ab") as file:
        file.write(b"half a rec")
    resumed = TrainingLog(run, saved)
    for steps in (20, 30):
        resumed.add(steps, {"test_win_rate": 0.5})
    expected = [(10, 0.125), (20, 0.5), (30, 0.5)]
    assert points(run, WIN_RATE) == expected
    assert [(row["env_steps"], row["test_win_rate"]) for row in read_metrics(run.metrics)] == expected


@pytest.mark.parametrize("cut", [0, 1, 40, 70])
def test_a_log_that_has_lost_lines_keeps_the_whole_ones_and_says_so(cut: int, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    killed = TrainingLog(run, {})
    for steps in (10, 20):
        killed.add(steps, {"test_win_rate": 0.125})
    saved, text = killed.lengths, run.metrics.read_bytes()
    run.metrics.write_bytes(text[:cut])
    kept = text[:cut].count(b"\n")
    resumed = TrainingLog(run, saved)
    assert resumed.missing == f"{run.metrics} has lost lines of tests: {kept} are left of what was logged so far"
    resumed.add(30, {"test_win_rate": 0.5})
    expected = [*[(10, 0.125)][:kept], (30, 0.5)]
    assert [(row["env_steps"], row["test_win_rate"]) for row in read_metrics(run.metrics)] == expected
    assert points(run, WIN_RATE) == expected


def test_a_tensorboard_file_that_was_cut_is_written_anew(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    killed = TrainingLog(run, {})
    killed.add(10, {"test_win_rate": 0.125})
    saved = killed.lengths
    run.tensorboard.write_bytes(run.tensorboard.read_bytes()[:-5])
    resumed = TrainingLog(run, saved)
    assert not resumed.missing, "nothing is lost"
    resumed.add(20, {"test_win_rate": 0.5})
    assert points(run, WIN_RATE) == [(10, 0.125), (20, 0.5)]


def test_a_training_from_the_start_leaves_nothing_of_one_before(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    TrainingLog(run, {}).add(10, {"test_win_rate": 0.125})
    again = TrainingLog(run, {})
    again.add(12, {"test_win_rate": 0.25})
    assert points(run, WIN_RATE) == [(12, 0.25)]


def test_a_name_that_is_not_in_the_catalogue_reaches_no_file(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(PtdeError, match="no metric named 'wins'"):
        TrainingLog(run, {}).add(10, {"wins": 1.0})
    assert not run.metrics.exists()
    assert not run.tensorboard.exists()


def test_without_wandb_one_sentence_tells_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    with (
        pytest.raises(PtdeError, match=r"Weights & Biases is not installed; python -m pip install 'ptde\[wandb\]'"),
        weights_and_biases(game_settings(), RunFolder(tmp_path), silent),
    ):
        raise AssertionError("no training begins")


@pytest.mark.slow
def test_wandb_offline_keeps_both_sittings_as_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="Weights & Biases is not installed (extra wandb)")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run, settings = RunFolder(tmp_path / "run"), game_settings(steps=200, test_every=50, checkpoint_seconds=0.0)

    def stop(event: Event) -> None:
        if isinstance(event, Logged) and event.env_steps > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), weights_and_biases(settings, run, stop) as listen:
        train_teacher(settings, run, listen=listen)
    with weights_and_biases(settings, run, silent) as listen:
        train_teacher(settings, run, resume=True, listen=listen)
    sittings = sorted((run.path / "wandb").glob("offline-run-*"))
    assert len({folder.name.rpartition("-")[2] for folder in sittings}) == 1
    assert all(list(folder.glob("*.wandb")) for folder in sittings)
    assert len(read_provenance(run.provenance).sittings) == 2
