"""Sizes of the agents' networks, as settings. No torch here: the command line reads this file for its help."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from ptde_core.base.settings import Settings

GlobalInfo = Literal["agent-specific", "unified", "none"]
StudentKind = Literal["two-layer", "recurrent"]


class NetworkSettings(Settings):
    """What decides the networks that play (METHODS of the paper's authors). Learners add those that only train."""

    global_info: GlobalInfo = Field("agent-specific", description="global information the teacher's agents act on")
    hidden_size: int = Field(64, ge=1, description="width of the recurrent trunk and of every hidden layer")
    info_size: int = Field(64, ge=1, description="size of the global information z of one agent")
    info_rank: int = Field(
        0, ge=0, description="agent-specific: rank of the generated weights, fewer parameters and less time; 0 is full"
    )
    variance_floor: float = Field(0.01, gt=0, description="smallest variance of z (keeps the teacher exploring)")
    match_parameters: bool = Field(
        False, description="none: widen the trunk until there are as many parameters as with agent-specific"
    )

    @field_validator("info_rank", "match_parameters")
    @classmethod
    def _has_its_global_info(cls, value: int, info: ValidationInfo) -> int:
        """Refuse a setting where it would do nothing."""
        needed = {"info_rank": "agent-specific", "match_parameters": "none"}[str(info.field_name)]
        chosen = info.data.get("global_info", needed)  # missing only where it was refused itself, which is told first
        if value and chosen != needed:
            raise ValueError(f"needs global_info = {needed!r}, not {chosen!r}")
        return value


class StudentSettings(Settings):
    """What decides the student's own network."""

    student: StudentKind = Field("two-layer", description="two layers on the current input (the paper), or a GRU")
    hidden_size: int = Field(64, ge=1, description="width of the student's hidden layer")
