"""On a pretended GPU (`tests/pretend_gpu.py`): what it refuses, and each stage beside what it does on the CPU."""

import signal
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ptde_core.algorithms.building import build_learner
from ptde_core.algorithms.stacked_learner import StackedLearner
from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.device import DeviceSettings, device_of
from ptde_core.base.events import Event, Listener, Progress
from ptde_core.pipeline import student_fit
from ptde_core.pipeline.collect import collect
from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.evaluate import evaluate, evaluate_what_is_due
from ptde_core.pipeline.train_teacher import train_teacher, train_teachers
from ptde_core.runs.recipes import distill_settings, recipes
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, EvaluateSettings, train_teacher_settings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings
from tests.pretend_gpu import device, pretend
from tests.unit.test_stacked import CPU, SPEC, rounds

pytestmark = pytest.mark.gpu
WHERE = ("cpu", "cuda")
SHORT: dict[str, Any] = {"n_envs": 4, "batch_episodes": 4, "replay_episodes": 20}


@pytest.fixture(autouse=True)
def _pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)


def near(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.allclose(tensor, other[name].cpu(), atol=1e-4), name


def interrupted_after(steps: int) -> Listener:
    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.done >= steps:
            signal.raise_signal(signal.SIGINT)

    return listen


def test_it_refuses_what_a_gpu_refuses() -> None:
    here, there = torch.arange(6.0).view(2, 3), torch.ones(2, 3, device=device())
    assert torch.equal((there + here.to(device()) * torch.tensor(2.0)).cpu(), 1 + 2 * here)
    assert there[torch.tensor([1])].shape == (1, 3)
    for refused in (
        lambda: here + there,
        lambda: here @ there.t(),
        lambda: torch.cat([here, there]),
        lambda: torch.stack([there.sum(), torch.tensor(1.0)]),
        lambda: there.index_select(0, torch.tensor([1])),
        lambda: here[torch.tensor([1], device=device())],
        lambda: there.addcmul_(here, there),
        there.numpy,
    ):
        with pytest.raises((RuntimeError, TypeError)):
            refused()


def test_its_gru_is_torchs() -> None:
    here, there = nn.GRU(3, 4), nn.GRU(3, 4)
    there.load_state_dict(here.state_dict())
    there.to(device())
    steps, count = torch.randn(6, 3), torch.tensor([3, 2, 1])
    for memory, x in ((here, steps), (there, steps.to(device()))):
        memory(PackedSequence(x, count))[0].data.square().sum().backward()
    gradients: Any = [{name: one.grad for name, one in memory.named_parameters()} for memory in (here, there)]
    near(*gradients)
    with pytest.raises(RuntimeError, match="hx is not contiguous"), torch.no_grad():
        there(steps[None].to(device()), torch.zeros(1, 6, 8, device=device())[..., :4])


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "vdn", "global_info": "none", "average_weights": 0.9},
        {"alg": "qmix", "global_info": "unified"},
        {"alg": "qmix", "info_rank": 2},
        {"alg": "qplex", "global_info": "agent-specific"},
    ],
    ids=str,
)
def test_seeds_learn_as_on_the_cpu(changes: dict[str, Any]) -> None:
    settings = game_settings(**SHORT | {"target_every_episodes": 8} | changes)
    found = []
    for where in (CPU, device()):
        learners = [build_learner(settings, SPEC, seed) for seed in (1, 2)]
        stack = StackedLearner([one for one in learners if isinstance(one, ValueDecompositionLearner)], where)
        for k in range(3):
            which = [0, 1] if k < 2 else [1]  # the first has finished
            stack = stack.only(which) if k == 2 else stack
            logs = stack.learn([rounds(1 + seed, 3, 4)[k] for seed in which])
        stack.write_back()
        found.append((learners, logs))
    (here, own), (there, other) = found
    for one, two in zip(here, there, strict=True):
        assert isinstance(one, ValueDecompositionLearner)
        assert isinstance(two, ValueDecompositionLearner)
        assert one.counters == two.counters
        near(dict(one.online.state_dict()), dict(two.online.state_dict()))
        near(dict(one.target.state_dict()), dict(two.target.state_dict()))
        near(one.average.state(), two.average.state())
        for index, moments in one.optimiser.state_dict()["state"].items():
            near(moments, two.optimiser.state_dict()["state"][index])
    for log, again in zip(own, other, strict=True):
        near(log, again)


def test_two_seeds_train_are_interrupted_and_go_on(tmp_path: Path) -> None:
    kept: dict[str, list[RunFolder]] = {}
    for name, where in (("cpu", "cpu"), ("gpu", "cuda"), ("cut", "cuda")):
        settings = [
            game_settings(**SHORT, steps=30, test_every=20, test_episodes=2, seed=k, device=where) for k in (1, 2)
        ]
        trainings = [(one, RunFolder(tmp_path / name / str(one.seed))) for one in settings]
        if name == "cut":
            with pytest.raises(KeyboardInterrupt):
                train_teachers(trainings, listen=interrupted_after(40))  # of 60
        train_teachers(trainings, resume=name == "cut")
        kept[name] = [run for _, run in trainings]
    for runs in zip(*kept.values(), strict=True):
        cpu, gpu, cut = (load_checkpoint(run.teacher, "teacher") for run in runs)
        assert cpu["counters"] == gpu["counters"] == cut["counters"]
        near(cpu["networks"], gpu["networks"])
        assert gpu["teacher_id"] == cut["teacher_id"]


def test_a_battle_is_trained_distilled_and_evaluated(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    train_teacher(
        train_teacher_settings({"map": "3m", "device": "cuda", "steps": 60, "test_episodes": 0, **SHORT}), run
    )
    assert load_checkpoint(run.teacher, "teacher")["counters"]["updates"] > 0
    collect(run.teacher, CollectSettings(episodes=2, device="cuda"))
    student = distill(run.teacher, DistillSettings(steps=2, batch_rows=64, device="cuda"))
    entries = evaluate([student], EvaluateSettings(episodes=2, keep_replays=1, device="cuda"))
    assert [entry.z for entry in entries] == ["sampled", "mean", "student"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """A teacher of each kind, trained for a round."""
    found = {}
    for alg in ("qmix", "qplex", "mappo", "csrl", "copa", "ctds"):
        found[alg] = RunFolder(tmp_path_factory.mktemp("runs") / alg)
        of_game = {"env": "game", "map": "personal-signal", "alg": alg, "steps": 8, "n_envs": 4, "test_episodes": 0}
        train_teacher(train_teacher_settings(of_game, {} if alg == "mappo" else {"batch_episodes": 4}), found[alg])
    return found


@pytest.mark.parametrize(
    ("alg", "threshold"), [("qplex", 0.0), ("csrl", 0.0), ("copa", 0.0), ("copa", 0.1), ("ctds", 0.0)]
)
def test_every_policy_plays_as_on_the_cpu(alg: str, threshold: float, runs: dict[str, RunFolder]) -> None:
    path = runs[alg].student if alg == "ctds" else runs[alg].teacher
    settings = (EvaluateSettings(episodes=3, message_threshold=threshold, device=where) for where in WHERE)
    here, there = (evaluate([path], one) for one in settings)
    assert [(one.episodes, one.messages) for one in here] == [(one.episodes, one.messages) for one in there]


def test_z_is_labelled_as_on_the_cpu(runs: dict[str, RunFolder], tmp_path: Path) -> None:
    files = [tmp_path / f"{where}.h5" for where in WHERE]
    for where, file in zip(WHERE, files, strict=True):
        collect(runs["qmix"].teacher, CollectSettings(episodes=3, device=where), file)
    with h5py.File(files[0]) as one, h5py.File(files[1]) as other:
        near(*({name: torch.from_numpy(rows[name][:]) for name in rows} for rows in (one["rows"], other["rows"])))


def test_a_gpus_grus_multiply_in_whole_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert device_of(DeviceSettings(device="cpu")) == CPU
    assert torch.backends.cudnn.allow_tf32
    assert device_of(DeviceSettings(device="cuda")) == torch.device("cuda")
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(("recipe", "alg"), [*((name, "qmix") for name in recipes()), ("recurrent-values", "mappo")])
def test_every_recipe_distils_as_on_the_cpu(
    recipe: str, alg: str, runs: dict[str, RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, out = runs[alg].teacher, runs[alg].path
    data = out / "episodes.h5"
    if not data.exists():
        collect(teacher, CollectSettings(episodes=6), data)
    monkeypatch.setattr(student_fit, "SAVE_SECONDS", -1.0)  # after every step
    quick: dict[str, Any] = {"steps": 6, "batch_rows": 8, "dagger_episodes": 2, "early_stopping": 3, "check_every": 1}
    quick["dagger_rounds"] = min(1, distill_settings(recipe, "personal-signal").dagger_rounds)
    found = []
    for where in WHERE:
        settings, student = (
            distill_settings(recipe, "personal-signal", quick, {"device": where}),
            out / f"{recipe} {where}.pt",
        )
        if where == "cuda":
            monkeypatch.setattr(student_fit, "SHOW_EVERY", 4)
            with pytest.raises(KeyboardInterrupt):
                distill(teacher, settings, data, student, listen=interrupted_after(4))
        content = load_checkpoint(distill(teacher, settings, data, student), "student")
        found.append((content, evaluate_what_is_due([student], EvaluateSettings(episodes=3, device=where))))
    (here, played), (there, again) = found
    near(here["networks"], there["networks"])
    assert here["quality"] == pytest.approx(there["quality"], abs=1e-4)
    assert [one.episodes for one in played] == [one.episodes for one in again]
