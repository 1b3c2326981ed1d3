"""A pretended GPU: what runs on a device is tested without one.

Its tensors hold a tensor of the CPU, on which every operation is done; to all others they lie on another device. As on
a real one, an operation that meets tensors of both devices is refused, and so is reading one as an array of numpy.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import backend_registration

from ptde_core.base.device import DeviceSettings

NAME = "pretended"
CPU = torch.device("cpu")
MAKE = "_setup_privateuseone_for_python_backend"  # torch's, and private
BETWEEN = {"copy_", "_to_copy"}  # these go from one device to another
INDEX = {"index", "index_put", "index_put_", "_index_put_impl_"}  # CUDA takes places from the CPU
NO_SCALARS = {"cat", "stack", "index_select", "mm", "bmm", "addmm", "baddbmm", "_fused_adam_"}  # nor numbers of the CPU

FROM_NOTHING = ("empty.memory_format", "empty_strided", "arange", "arange.start", "arange.start_step", "eye", "eye.m")


class OnDevice(Tensor):
    """A tensor on the pretended device."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "OnDevice":
        place = {"strides": held.stride(), "storage_offset": held.storage_offset(), "device": torch.device(NAME, 0)}
        made: OnDevice = Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, **place)
        made.held = held
        return made

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        """That of wrappers, by which a module's parameters stay the same objects where the module is moved."""
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(parts: Mapping[str, Tensor], *_: Any) -> "OnDevice":
        return OnDevice(parts["held"])

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise AssertionError("a tensor of a device goes into a file")

    __torch_function__ = torch._C._disabled_torch_function_impl  # what is called on one makes plain tensors of the CPU

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(function, args, kwargs or {})


def device() -> torch.device:
    """The pretended GPU."""
    _begin()
    return torch.device(NAME)


def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the device "cuda" of settings be the pretended one; without torch's function for it, the test is left out."""
    if not hasattr(backend_registration, MAKE):
        pytest.skip(f"this torch has no {MAKE}")

    def device_of(settings: DeviceSettings) -> torch.device:
        return device() if settings.device == "cuda" else CPU

    for name, module in list(sys.modules.items()):
        if name.startswith("ptde_core.") and hasattr(module, "device_of"):
            monkeypatch.setattr(module, "device_of", device_of)
    monkeypatch.setattr(torch.nn.modules.rnn._VF, "gru", _gru)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda of: (1 << 40, 1 << 40))


@cache
def _begin() -> torch.library.Library:
    """Make torch know the device; what this returns keeps the operations that make tensors from nothing."""
    getattr(backend_registration, MAKE)(NAME)
    library = torch.library.Library("aten", "IMPL")
    for name in FROM_NOTHING:
        whole, _, overload = name.partition(".")
        operation = getattr(getattr(torch.ops.aten, whole), overload or "default")

        def made(*args: Any, operation: Any = operation, **kwargs: Any) -> OnDevice:
            return OnDevice(operation(*args, **{**kwargs, "device": CPU}))

        library.impl(name, made, "PrivateUse1")
    return library


def _computed(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Do an operation on what the tensors hold; its results lie on the device, unless it is told another one."""
    name = function._schema.name.removeprefix("aten::")
    given: list[Tensor] = []
    inside = [_each(one, partial(_held, given=given)) for one in args]
    named = {key: _each(one, partial(_held, given=given)) for key, one in kwargs.items()}
    ours = {id(one.held): one for one in given if isinstance(one, OnDevice)}
    others = [one for one in given if not isinstance(one, OnDevice)]
    if name in INDEX and isinstance(args[0], OnDevice):
        others = [one for one in others if one.dtype not in {torch.int64, torch.bool}]
    if name not in BETWEEN and any(one.dim() or name in NO_SCALARS for one in others):
        raise RuntimeError(f"{name}: expected all tensors on one device, found {NAME} and cpu")
    found = OWN.get(name, function)(*inside, **named)
    if "device" in kwargs and torch.device(kwargs["device"]).type == "cpu":
        return found
    for one in ours.values():
        assert one.shape == one.held.shape, f"{name} gives a tensor another shape, which this device cannot"

    def given_back(one: Any) -> Any:
        if not isinstance(one, Tensor):
            return one
        return ours[id(one)] if id(one) in ours else OnDevice(one)  # the first: what was written to

    if any(one.alias_info for one in function._schema.returns) and not given[0].is_inference():
        with torch.inference_mode(False):  # views of other tensors are like them
            return _each(found, given_back)
    return _each(found, given_back)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same lists and tuples with everything in them changed."""
    return type(value)([_each(one, change) for one in value]) if type(value) in {list, tuple} else change(value)


def _held(value: Any, given: list[Tensor]) -> Any:
    """What an operation on the CPU takes for it; tensors are also put into `given`."""
    if isinstance(value, torch.device):
        return CPU
    if not isinstance(value, Tensor):
        return value
    given.append(value)
    return value.held if isinstance(value, OnDevice) else value


def _gru(*args: Any) -> Any:
    """Torch's, with what cuDNN, through which it goes on a GPU, asks for beyond it."""
    hidden, training = (args[2], args[7]) if isinstance(args[3], list) else (args[1], args[6])
    if isinstance(hidden, OnDevice) and not hidden.is_contiguous():
        raise RuntimeError("rnn: hx is not contiguous")
    if isinstance(hidden, OnDevice) and torch.is_grad_enabled() and not training:
        raise RuntimeError("cudnn RNN backward can only be called in training mode")
    return torch.gru(*args)


def _gru_cell(
    given: Tensor, recurrent: Tensor, before: Tensor, bias: Tensor | None = None, other: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """A step of a GRU, which torch has as one operation on devices alone; and what its gradient needs."""
    given, recurrent = (gates if add is None else gates + add for gates, add in ((given, bias), (recurrent, other)))
    r, z, n = given.chunk(3, dim=-1)
    own_r, own_z, own_n = recurrent.chunk(3, dim=-1)
    r, z = (r + own_r).sigmoid(), (z + own_z).sigmoid()
    n = (n + r * own_n).tanh()
    return n + z * (before - n), torch.cat([r, z, n, before, own_n], dim=-1)


def _gru_cell_gradient(upstream: Tensor, kept: Tensor, has_bias: bool) -> tuple[Tensor | None, ...]:
    r, z, n, before, own_n = kept.chunk(5, dim=-1)
    to_n = upstream * (1 - z) * (1 - n * n)
    to_r, to_z = to_n * own_n * r * (1 - r), upstream * (before - n) * z * (1 - z)
    given, recurrent = torch.cat([to_r, to_z, to_n], dim=-1), torch.cat([to_r, to_z, to_n * r], dim=-1)
    biases = (given.sum(dim=0), recurrent.sum(dim=0)) if has_bias else (None, None)
    return given, recurrent, upstream * z, *biases


OWN: Mapping[str, Callable[..., Any]] = {
    "_thnn_fused_gru_cell": _gru_cell,
    "_thnn_fused_gru_cell_backward": _gru_cell_gradient,
}
