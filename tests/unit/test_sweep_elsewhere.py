"""Sweeps on Ray and through submitit, on this machine; what is said where one of them, or optuna, is not installed."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, SweepSeen
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.on_ray import on_ray
from ptde_core.experiments.sweeps.on_slurm import JOBS, on_slurm
from ptde_core.experiments.sweeps.search import Search
from ptde_core.experiments.sweeps.sweep import here, sweep
from ptde_core.experiments.sweeps.sweep_file import SweepFile, cells_of, sweep_file


def needs(module: str, extra: str) -> pytest.MarkDecorator:
    absent = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(absent, reason=f"{module} is not installed (extra `{extra}`)")


TINY: dict[str, Any] = {
    "env": "game",
    "map": "two-step",
    "steps": 400,
    "batch_episodes": 8,
    "test_every": 200,
    "test_episodes": 4,
    "evaluate": {"episodes": 8},
}


def tiny(folder: Path, seeds: int = 2, **values: Any) -> SweepFile:
    grid = {"algorithm": ["QMIX"], "seed": list(range(1, seeds + 1))}
    return sweep_file({"out": folder, "settings": TINY, "grid": grid, **values})


def outcomes(cells: list[Cell]) -> list[Any]:
    """Every policy's weights and every episode."""
    held = [json.loads(cell.run.evaluation.read_text())["entries"] for cell in cells]
    return [[(one["policy_id"], one["z"], one["episodes"]) for one in entries] for entries in held]


@pytest.mark.parametrize(
    ("module", "act", "sentence"),
    [
        ("ray", lambda folder: on_ray("auto"), r"--ray needs Ray, .*; type: pip install 'ptde\[ray\]'"),
        ("submitit", lambda folder: on_slurm(folder, {}), r"--slurm needs submitit, .*pip install 'ptde\[slurm\]'"),
        (
            "optuna",
            lambda folder: Search(tiny(folder, sample={"settings": {"gamma": [0.9]}}), "s"),
            r"\[sample\] needs optuna, .*pip install 'ptde\[tune\]'",
        ),
    ],
)
def test_what_is_not_installed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, act: Callable[[Path], object], sentence: str
) -> None:
    for where in ("on_ray", "on_slurm", "search"):
        monkeypatch.setattr(f"ptde_core.experiments.sweeps.{where}.find_spec", lambda _: None)
    with pytest.raises(PtdeError, match=sentence):
        act(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_slurms_files_are_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / JOBS).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PtdeError, match=f"{JOBS}: it is a link"):
        on_slurm(tmp_path, {}, cluster="local")


@needs("submitit", "slurm")
def test_without_slurm_or_with_a_wrong_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PtdeError, match="--slurm needs Slurm, and there is no sbatch here"):
        on_slurm(tmp_path, {})
    with pytest.raises(PtdeError, match="submitit refuses the options"):
        on_slurm(tmp_path, {"no_such_option": 1}, cluster="local")


@needs("submitit", "slurm")
def test_slurms_files_lie_where_nobody_can_have_put_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import submitit

    folders = list[Path]()

    class Noted(submitit.AutoExecutor):
        def __init__(self, folder: Path, **options: Any) -> None:
            folders.append(folder)
            super().__init__(folder, **options)

    monkeypatch.setattr(submitit, "AutoExecutor", Noted)
    for _ in range(2):
        on_slurm(tmp_path, {}, cluster="local")
    assert [folder.parent for folder in folders] == [tmp_path / JOBS] * 2
    assert folders[0] != folders[1]


@needs("submitit", "slurm")
@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("default")  # submitit's own
def test_jobs_do_the_same_as_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # a job finds ptde where it is installed
    ours, theirs = cells_of(tiny(Path("here"))), cells_of(tiny(Path("jobs")))
    sweep(ours, here(2))
    ended = sweep(theirs, on_slurm(Path("jobs"), {}, cluster="local"))
    assert [(state.state, state.reason) for _, state in ended] == [("done", "")] * 2
    assert outcomes(theirs) == outcomes(ours)


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Ray cluster of two nodes on this machine, to which this process is connected as to any other."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")  # tests share the cores; Ray's own 15 would wait for all others

    cluster = Cluster()
    cluster.add_node(num_cpus=1)
    yield cluster
    import ray

    ray.shutdown()
    cluster.shutdown()


@needs("ray", "ray")
@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("default")  # Ray's own
def test_a_lost_node_loses_no_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_nodes: Any) -> None:
    monkeypatch.chdir(tmp_path)
    ours, theirs = cells_of(tiny(Path("here"), 4)), cells_of(tiny(Path("ray"), 4))
    sweep(ours, here(2))
    lost = two_nodes.add_node(num_cpus=1)
    two_nodes.wait_for_nodes()
    told: list[str] = []

    def lose_a_node(event: Event) -> None:
        if isinstance(event, SweepSeen) and not told and sum(one.state == "running" for one in event.cells) == 2:
            told.append("lost")
            two_nodes.remove_node(lost, allow_graceful=False)

    ended = sweep(theirs, on_ray(two_nodes.address), listen=lose_a_node)
    assert told == ["lost"]
    assert [(state.state, state.reason) for _, state in ended] == [("done", "")] * 4
    assert outcomes(theirs) == outcomes(ours)
