"""`ptde export`: a policy in another runtime computes what it computes here, and what cannot be exported is refused."""

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import ptde_core as ptde
from ptde_core.algorithms.from_checkpoint import restore
from ptde_core.pipeline import export as stage
from ptde_core.pipeline.portable import PortablePolicy
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings, mappo_game_settings
from tests.unit.numpy_policy import NumpyPolicy

SMALL: dict[str, Any] = {"steps": 60, "batch_episodes": 8, "test_episodes": 0, "epsilon_steps": 200}
TEACHERS = {
    "none": game_settings(global_info="none", **SMALL),
    "unified": game_settings(global_info="unified", **SMALL),
    "agent-specific": game_settings(**SMALL),
    "rank 2": game_settings(info_rank=2, **SMALL),
    "mappo": mappo_game_settings(steps=60, test_episodes=0, rollout_steps=50),
    "mappo none": mappo_game_settings(steps=60, test_episodes=0, rollout_steps=50, global_info="none"),
    "copa": game_settings(alg="copa", info_every=2, **SMALL),
    "csrl": game_settings(alg="csrl", info_every=2, **SMALL),
    "ctds": game_settings(alg="ctds", **SMALL),
}
STUDENTS = {"paper": "agent-specific", "recurrent": "agent-specific", "paper of mappo": "mappo", "ctds": "ctds"}
POLICIES = [
    *((f"teacher {name}", "mean") for name in TEACHERS),
    *((f"teacher {name}", "sampled") for name in ("unified", "agent-specific", "mappo", "copa")),
    *((f"student {name}", "mean") for name in STUDENTS),
]
EVERY_DAY = (("student recurrent", "mean"),)  # a graph takes torch some seconds to record


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A checkpoint of each kind, barely trained."""
    folder = tmp_path_factory.mktemp("export")
    found: dict[str, Path] = {}
    for name, settings in TEACHERS.items():
        run = RunFolder(folder / name)
        train_teacher(settings, run)
        found[f"teacher {name}"] = run.teacher
    for name, of in STUDENTS.items():
        teacher = found[f"teacher {of}"]
        if of == "ctds":
            found[f"student {name}"] = teacher.with_name("student.pt")
            continue
        recipe = name.partition(" ")[0]
        found[f"student {name}"] = ptde.distill(RunFolder.of(teacher), recipe, steps=10, dagger_rounds=0)
    return found


def steps(path: Path, z: str, e: int = 2) -> Iterator[tuple[dict[str, NDArray[Any]], NDArray[np.float32]]]:
    """Inputs of some steps, without the memory, and the values that our own policy, with its kernels, gives to them."""
    trained = restore(load_checkpoint(path, "teacher", "student"))
    policy, spec, chance = trained.policy, trained.spec, np.random.default_rng(3)
    seen = getattr(policy, "columns", slice(None))
    memory, last = None, np.zeros((e, spec.n_agents, spec.n_actions), np.float32)
    for _ in range(5):
        obs = chance.standard_normal((e, spec.n_agents, spec.obs_size), np.float32)
        ids = np.tile(np.eye(spec.n_agents, dtype=np.float32), (e, 1, 1))
        arrays = {"observation": obs[..., seen], "last_action": last, "identity": ids}
        state = noise = None
        if policy.reads_state:
            state = arrays["state"] = chance.standard_normal((e, spec.state_size), np.float32)
        if z == "sampled":
            noise = arrays["noise"] = chance.standard_normal((e, spec.n_agents, policy.noise_size), np.float32)
        with torch.inference_mode():
            values, memory, _ = policy.step(
                torch.from_numpy(np.concatenate([obs, last, ids], axis=-1)),
                memory,
                None if state is None else torch.from_numpy(state),
                None if noise is None else torch.from_numpy(noise),
            )
        yield arrays, values.numpy()
        last = np.eye(spec.n_actions, dtype=np.float32)[values.numpy().argmax(axis=-1)]


@pytest.mark.parametrize(
    ("name", "z"), [one if one in EVERY_DAY else pytest.param(*one, marks=pytest.mark.slow) for one in POLICIES]
)
def test_onnxruntime_computes_the_same(name: str, z: str, checkpoints: Mapping[str, Path], tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"needs the extra onnx: {package} is not installed")
    import onnxruntime

    path = ptde.export(checkpoints[name], "onnx", z=z, out=tmp_path / "policy.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["ptde"])
    outputs = [one.name for one in session.get_outputs()]
    assert outputs == [one["name"] for one in about["outputs"]]
    given = {one.name for one in session.get_inputs()}
    memory = {
        one["name"]: np.zeros([{"batch": 2, "agents": 2}.get(n, n) for n in one["shape"]], one["dtype"])
        for one in about["inputs"]
        if one["name"].startswith("memory")
    }
    for arrays, expected in steps(checkpoints[name], z):
        fed = {key: array for key, array in (arrays | memory).items() if key in given}
        found = dict(zip(outputs, session.run(None, fed), strict=True))
        np.testing.assert_allclose(found[outputs[0]], expected, rtol=1e-5, atol=1e-5)
        memory = {key: found[f"next_{key}"] for key in memory}
    assert outputs[0] == ("logits" if "mappo" in name else "values")


@pytest.mark.parametrize(("name", "z"), POLICIES)
def test_the_weights_alone_suffice_to_compute_the_same(
    name: str, z: str, checkpoints: Mapping[str, Path], tmp_path: Path
) -> None:
    path = ptde.export(checkpoints[name], "npz", z=z, out=tmp_path / "policy.npz")
    policy = NumpyPolicy(path)
    memory = None
    for arrays, expected in steps(checkpoints[name], z):
        values, memory = policy.step(arrays, memory)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["teacher agent-specific", "teacher unified", "student recurrent", "teacher copa"])
def test_what_torch_records_holds_no_kernel(name: str, checkpoints: Mapping[str, Path]) -> None:
    """A kernel writes into memory behind torch's back: in the record there would be only what it wrote this once."""
    policy = PortablePolicy(restore(load_checkpoint(checkpoints[name], "teacher", "student")))
    zeros = tuple(one.example({"batch": 2, "agents": 3}) for one in policy.inputs)
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recorded = torch.jit.trace(policy, zeros, check_trace=False)
        for _ in range(2):
            others = [
                torch.randn(one.shape, generator=chance) if one.is_floating_point() else torch.ones_like(one)
                for one in zeros
            ]
            for found, expected in zip(recorded(*others), policy(*others), strict=True):
                torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_run_folder_stands_for_its_teacher_and_nothing_is_overwritten(
    checkpoints: Mapping[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "policy.npz"
    assert ptde.export(RunFolder.of(checkpoints["teacher none"]), "npz", out=out) == out
    before = out.read_bytes()
    with pytest.raises(ptde.PtdeError, match=r"policy\.npz already exists; delete it, or give another file with --out"):
        ptde.export(checkpoints["teacher none"], "npz", out=out)
    assert out.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["policy.npz"]


def test_a_student_of_two_views_is_given_its_own_alone(checkpoints: Mapping[str, Path], tmp_path: Path) -> None:
    with np.load(ptde.export(checkpoints["student ctds"], "npz", out=tmp_path / "policy.npz")) as file:
        about = json.loads(str(file["ptde"]))
    assert about["kind"] == "student"
    assert all(name.startswith("own view") for name in about["obs_names"])
    assert about["inputs"][0]["shape"] == ["batch", "agents", len(about["obs_names"])]
    assert about["state_names"] == []


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("teacher none", {"z": "sampled"}, "this policy draws no z, so that none can be sampled"),
        ("student paper", {"z": "sampled"}, "this policy draws no z"),
        ("teacher csrl", {"z": "sampled"}, "this policy draws no z"),
        ("teacher none", {"out": "policy.onnx"}, "policy.onnx is not the name of an npz file; let it end in .npz"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    name: str,
    options: dict[str, str],
    says: str,
    checkpoints: Mapping[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ptde.PtdeError, match=re.escape(says)):
        ptde.export(checkpoints[name], "npz", **{"out": "policy.npz"} | options)
    assert not list(tmp_path.iterdir())


def test_without_the_packages_a_graph_is_refused(
    checkpoints: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "NEEDED", ("onnx_that_is_nowhere",))
    with pytest.raises(ptde.PtdeError, match=r"needs onnx_that_is_nowhere, not installed here; .*ptde\[onnx\]"):
        ptde.export(checkpoints["teacher none"], out=tmp_path / "policy.onnx")


def test_a_graph_that_computes_something_else_gets_no_name(
    checkpoints: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(policy: PortablePolicy, about: object, path: Path) -> None:
        path.write_text("a graph")

    def wrong(path: Path) -> stage.Run:
        policy = PortablePolicy(restore(load_checkpoint(checkpoints["teacher none"], "teacher")))
        return lambda arrays: [
            one.numpy() + 2e-5 * max(1, float(one.abs().max()))
            for one in policy(*(torch.from_numpy(array) for array in arrays.values()))
        ]

    monkeypatch.setattr(stage, "NEEDED", ())
    monkeypatch.setattr(stage, "_write_onnx", written)
    monkeypatch.setattr(stage, "_onnxruntime", wrong)
    with pytest.raises(ptde.PtdeError, match=r"differs from the policy by .*; take --format npz"):
        ptde.export(checkpoints["teacher none"], out=tmp_path / "policy.onnx")
    assert not list(tmp_path.iterdir())


def test_the_pages_example_plays_a_student(checkpoints: Mapping[str, Path], tmp_path: Path) -> None:
    """The NumPy lines of docs/how-to/export.md, as they stand there, against our own policy."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "export.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python[^\n]*\n(import json.*?)```", page, re.DOTALL)
    path = ptde.export(checkpoints["student recurrent"], "npz", out=tmp_path / "student.npz")
    names: dict[str, Any] = {}
    exec(block.replace("student.npz", str(path)), names)
    hidden = memory = None
    for arrays, expected in steps(checkpoints["student recurrent"], "mean"):
        local = np.concatenate(list(arrays.values()), axis=-1)
        values, hidden, memory = names["step"](local, hidden, memory)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)
