"""Where networks compute, as a setting. No torch at the top: the command line reads this file."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ptde_core.base.errors import PtdeError
from ptde_core.base.setting_fields import Settings

if TYPE_CHECKING:
    import torch


class DeviceSettings(Settings):
    """Of stages whose networks can compute on a GPU."""

    device: Literal["cpu", "cuda"] = Field("cpu", description="where networks compute; checkpoints play on any device")


def device_of(settings: DeviceSettings) -> "torch.device":
    """The device that is asked for. A GPU's GRUs then compute in whole float32, as its other layers do by default.

    Raises:
        PtdeError: torch cannot use it here.
    """
    import torch

    if settings.device == "cuda" and not torch.cuda.is_available():
        raise PtdeError("device = 'cuda', and torch finds no CUDA device here", "leave it out, or see `ptde doctor`")
    if settings.device == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # torch's default keeps 10 bits of what cuDNN multiplies
    return torch.device(settings.device)
