"""Sizes of the agents' networks, as settings. No torch here: the command line reads this file for its help."""

from typing import Literal

from pydantic import Field

from ptde_core.base.settings import Settings

GlobalInfo = Literal["agent-specific", "unified", "none"]


class NetworkSettings(Settings):
    """What decides the networks that play (METHODS of the paper's authors). Learners add those that only train."""

    global_info: GlobalInfo = Field("agent-specific", description="global information the teacher's agents act on")
    hidden_size: int = Field(64, ge=1, description="width of the recurrent trunk and of every hidden layer")
    info_size: int = Field(64, ge=1, description="size of the global information z of one agent")
    variance_floor: float = Field(0.01, gt=0, description="smallest variance of z (keeps the teacher exploring)")
