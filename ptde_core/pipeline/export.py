"""A trained policy as a file for other runtimes: an ONNX graph, or its weights as plain arrays (npz)."""

import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from ptde_core.algorithms.from_checkpoint import restore
from ptde_core.base.errors import PtdeError, unknown
from ptde_core.base.events import FileSaved, Listener, Note, StageFinished, StageStarted, silent
from ptde_core.base.seeding import generator
from ptde_core.pipeline.portable import AGENTS, BATCH, NEXT, PortablePolicy
from ptde_core.policies.policy import ZChoice
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.whole_file import replacing

STAGE = "export"
ExportFormat = Literal["onnx", "npz"]
FORMATS: tuple[ExportFormat, ...] = ("onnx", "npz")
NEEDED = ("onnx", "onnxscript", "onnxruntime")  # all in the extra `onnx`
ABOUT = "ptde"  # the name under which a file says what it holds, as JSON
TOLERANCE = 1e-5  # of an output, relative where it is larger than 1
CHECKED_STEPS = 8
EXAMPLE = {BATCH: 2, AGENTS: 3}  # lengths of the free axes while the graph is made; it fits any


def export(
    checkpoint: Path,
    form: ExportFormat = "onnx",
    z: ZChoice = "mean",
    out: Path | None = None,
    *,
    listen: Listener = silent,
) -> Path:
    """Write the policy of a checkpoint for other runtimes; returns the path.

    A graph is played beside the policy for some steps with onnxruntime before it gets its name.

    Args:
        checkpoint: a teacher's or a student's.
        form: onnx, or npz: the weights as the checkpoint names them.
        z: of a teacher that draws its z: its mean, or sampled with noise that is an input.
        out: the file; by default beside the checkpoint, with its name.
        listen: is told of the file.

    Raises:
        PtdeError: no such format or checkpoint, `out` exists or has another ending, packages are missing, nothing to
            sample, or a graph that does not compute what the policy computes.
    """
    if form not in FORMATS:
        raise unknown("export format", form, FORMATS)
    if z not in get_args(ZChoice):
        raise unknown("kind of z", z, get_args(ZChoice))
    out = out or checkpoint.with_suffix(f".{form}")
    if out.suffix != f".{form}":
        raise PtdeError(f"{out} is not the name of an {form} file", f"let it end in .{form}, or change --format")
    if out.exists():
        raise PtdeError(f"{out} already exists", "delete it, or give another file with --out")
    if form == "onnx":
        _require_packages()
    content = load_checkpoint(checkpoint, "teacher", "student")
    policy = PortablePolicy(restore(content), z).eval()
    about = {"kind": content["kind"], **policy.about()}
    began = time.monotonic()
    listen(StageStarted(STAGE, f"{content['kind']} {checkpoint} as {form}", 1, "files"))
    with replacing(out, new=True) as file:
        if form == "npz":
            weights = {name: tensor.numpy() for name, tensor in policy.policy.state_dict().items()}
            about["settings"] = dict(content["settings"]) | (
                {"distill": content["distill"]} if "distill" in content else {}
            )
            np.savez(file, **{ABOUT: np.array(json.dumps(about)), **weights})
            meaning = f"{len(weights)} arrays of weights"
        else:
            unfinished = Path(str(file.name))
            _write_onnx(policy, about, unfinished)
            difference = _difference(policy, _onnxruntime(unfinished))
            told = f"played beside the policy for {CHECKED_STEPS} steps: outputs differ by {difference:.1e} at most"
            listen(Note(told))
            inputs = ", ".join(one.name for one in policy.inputs)
            meaning = f"ONNX graph: {inputs} -> {policy.outputs[0].name}, memory"
    listen(FileSaved(out, meaning))
    listen(StageFinished(STAGE, time.monotonic() - began))
    return out


def _require_packages() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise PtdeError(
            f"an ONNX graph needs {' and '.join(missing)}, not installed here",
            "python -m pip install 'ptde[onnx]', or take --format npz",
        )


def _write_onnx(policy: PortablePolicy, about: Mapping[str, Any], path: Path) -> None:
    import onnx

    torch.compiler.reset()  # sizes of earlier exports would count as free ones
    axes = {name: torch.export.Dim(name, min=1) for name in EXAMPLE}
    free = tuple(
        {place: axes[axis] for place, axis in enumerate(one.shape) if isinstance(axis, str)} for one in policy.inputs
    )
    with torch.no_grad(), _quiet_exporter():
        program = torch.onnx.export(
            policy,
            tuple(one.example(EXAMPLE) for one in policy.inputs),
            input_names=[one.name for one in policy.inputs],
            output_names=[one.name for one in policy.outputs],
            dynamic_shapes=(free,),  # of the one argument, *arrays
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {ABOUT: json.dumps(about)})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Without torch's warnings on its own parts, and its log lines on packages that no policy needs (torchvision)."""
    logger = logging.getLogger("torch.onnx._internal.exporter")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


Run = Callable[[Mapping[str, NDArray[Any]]], list[NDArray[Any]]]


def _onnxruntime(path: Path) -> Run:
    """What runs a graph: outputs in order from inputs by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # Its bytes: onnxruntime takes no path that is not UTF-8.
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    given = {one.name for one in session.get_inputs()}  # an input of no numbers, or that nothing reads, may be gone
    return lambda arrays: session.run(None, {name: array for name, array in arrays.items() if name in given})


@torch.inference_mode()
def _difference(policy: PortablePolicy, run: Run) -> float:
    """How far the outputs differ at most over some steps of a made-up episode, relative where they are larger than 1.

    Raises:
        PtdeError: further than TOLERANCE.
    """
    chance = generator(0, "export")
    widest = 0.0
    for sizes in (EXAMPLE, {BATCH: 1, AGENTS: 1}):
        kept = {one.name: one.example(sizes).numpy() for one in policy.inputs if one.name.startswith("memory")}
        for _ in range(CHECKED_STEPS):
            arrays = {
                one.name: kept[one.name] if one.name in kept else _made_up(one.example(sizes).numpy(), one.name, chance)
                for one in policy.inputs
            }
            expected = [one.numpy() for one in policy(*(torch.from_numpy(array) for array in arrays.values()))]
            for wanted, got in zip(expected, run(arrays), strict=True):
                apart = np.abs(wanted - got) / np.maximum(1.0, np.abs(wanted))
                widest = max(widest, float(apart.max(initial=0.0)))
            kept = {
                one.name.removeprefix(NEXT): array for one, array in zip(policy.outputs[1:], expected[1:], strict=True)
            }
    if not widest <= TOLERANCE:
        raise PtdeError(
            f"the graph that torch {torch.__version__} made differs from the policy by {widest:.1e}",
            "take --format npz, and please report it",
        )
    return widest


def _made_up(zeros: NDArray[Any], name: str, chance: np.random.Generator) -> NDArray[Any]:
    """Numbers for an input: one-hots where it is made of them."""
    if name in ("last_action", "identity"):
        chosen = chance.integers(zeros.shape[-1], size=zeros.shape[:-1])
        return np.eye(zeros.shape[-1], dtype=zeros.dtype)[chosen]
    return chance.standard_normal(zeros.shape).astype(zeros.dtype)
