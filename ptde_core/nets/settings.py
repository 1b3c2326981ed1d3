"""Sizes of the networks, as settings. No torch here: the command line reads this file for its help."""

from typing import Literal

from pydantic import Field

from ptde_core.base.settings import Settings

GlobalInfo = Literal["agent-specific", "unified", "none"]


class NetworkSettings(Settings):
    """Sizes of the agents' and the mixer's networks (METHODS of the paper's authors)."""

    global_info: GlobalInfo = Field("agent-specific", description="global information the teacher's agents act on")
    hidden_size: int = Field(64, ge=1, description="width of the recurrent trunk and of every hidden layer")
    info_size: int = Field(64, ge=1, description="size of the global information z of one agent")
    variance_floor: float = Field(0.01, gt=0, description="smallest variance of z (keeps the teacher exploring)")
    mixer_embed: int = Field(32, ge=1, description="QMIX: width of the mixing network")
    mixer_hyper: int = Field(64, ge=1, description="QMIX: width of the hypernetworks that make the mixer's weights")
