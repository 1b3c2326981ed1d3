"""teacher.pt, student.pt and the state to resume from: tensors and plain values. Reading them runs no code."""

import hashlib
import io
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.provenance import code, packages
from ptde_core.storage.checkpoint_content import Kind, check_content
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.tensor_file import read_tensor_file
from ptde_core.storage.whole_file import replacing

SCHEMAS: Mapping[Kind, int] = {"teacher": 2, "student": 2, "training": 3, "distillation": 1}


def save_checkpoint(path: Path, kind: Kind, content: Mapping[str, Any], *, new: bool = False) -> None:
    """Write a checkpoint, whole or not at all; `new`: refuse to replace one that is there.

    `content` may hold tensors, numbers, strings, None, and lists and dicts of those. Tensors are saved as on the CPU.

    Raises:
        StorageError: it cannot be written.
    """
    image = io.BytesIO()  # not a file: torch's writer aborts where a disk is full
    about = {"schema": SCHEMAS[kind], "kind": kind, "code": code(), "packages": packages()}
    torch.save({**about, **_on_cpu(content)}, image)
    with replacing(path, new=new) as file:
        file.write(image.getbuffer())


def _on_cpu(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, Mapping):
        return {key: _on_cpu(one) for key, one in value.items()}
    return [_on_cpu(one) for one in value] if isinstance(value, list) else value


def load_checkpoint(path: Path, *kinds: Kind) -> dict[str, Any]:
    """Read a checkpoint of one of the given kinds.

    Raises:
        PtdeError: missing, broken, not a checkpoint of ptde, of another schema, or of another kind.
    """
    wanted = " or ".join(kinds)
    run = RunFolder.of(path)
    trained = "teacher" in kinds and run.config.is_file()
    again = f"`ptde train-teacher --resume --out {shlex.quote(str(run.path))}` writes its teacher again"
    missing = again if trained else "check the path; `ptde train-teacher` writes teacher.pt"
    content = read_tensor_file(path, wanted, missing, _way_out(path, wanted, again))
    if not isinstance(content, dict) or "schema" not in content or "kind" not in content:
        raise PtdeError(f"{path} is not a checkpoint of ptde", f"give a {wanted} written by ptde")
    kind, schema = content["kind"], content["schema"]
    if type(schema) is not int or not isinstance(kind, str):
        raise PtdeError(f"{path} is not a checkpoint of ptde", f"give a {wanted} written by ptde")
    if kind not in kinds:
        raise PtdeError(f"{path} holds a {quoted(kind)}, not a {wanted}", f"give a {wanted}")
    if schema != SCHEMAS[kind]:
        raise PtdeError(f"{path} has schema {quoted(schema)}, this ptde reads {SCHEMAS[kind]}", "train it anew")
    try:
        check_content(kind, content)
    except ValueError as error:
        raise PtdeError(f"{path} is not a whole {kind} ({quoted(error)})", f"give a {kind} written by ptde") from None
    return content


def why_untrained(teacher: Path) -> str:
    """One sentence of a teacher that has learned nothing, as after fewer episodes than a batch has; "" of any other.

    Raises:
        PtdeError: as `load_checkpoint`.
    """
    counters = load_checkpoint(teacher, "teacher")["counters"]
    if counters["updates"]:
        return ""
    episodes = counters["episodes"]
    return f"{teacher} has learned nothing in {episodes} episodes: no gradient step was due; give more --steps"


def _way_out(path: Path, wanted: str, again: str) -> str:
    """What to do about a broken checkpoint; `again` is what makes a run's teacher anew."""
    run = RunFolder.of(path)
    if path.parent.name == run.resume.name:
        return f"move {path.parent} away: the training begins anew, or stays as it ended"
    if not run.config.is_file():
        return f"give a {wanted} written by ptde"
    if path == run.teacher:
        return f"move it away: {again}"
    return "move it away: the command that made it makes it anew"


def identity(networks: Mapping[str, Tensor]) -> str:
    """Short hash of all weights: equal for equal networks, and only for them."""
    digest = hashlib.sha256()
    for name in sorted(networks):
        tensor = networks[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]
