"""Sizes of the agents' networks, as settings. No torch here: the command line reads this file for its help."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ptde_core.base.names import GlobalInfo
from ptde_core.base.setting_fields import Settings

StudentKind = Literal["two-layer", "recurrent"]
MOST_WIDTH = 4096  # of a layer; the paper's are 64


@dataclass(frozen=True)
class InformationKind:
    """What a kind of global information entails.

    Args:
        centralized: playing needs the global state.
        sampled: z is drawn from a Gaussian, so that its mean is another way to play.
        distillable: a student can learn z from local input and play without the state.
    """

    centralized: bool
    sampled: bool
    distillable: bool


# In the order of the paper's tables.
INFORMATION: Mapping[str, InformationKind] = {
    "unified": InformationKind(centralized=True, sampled=True, distillable=True),
    "agent-specific": InformationKind(centralized=True, sampled=True, distillable=True),
    "commander": InformationKind(centralized=True, sampled=False, distillable=False),
    "coach": InformationKind(centralized=True, sampled=True, distillable=False),
    "none": InformationKind(centralized=False, sampled=False, distillable=False),
}


class AgentSettings(Settings):
    """What decides the networks that play, whatever the agents are told."""

    global_info: GlobalInfo = Field("none", description="global information the agents act on")
    hidden_size: int = Field(
        64, ge=1, le=MOST_WIDTH, description="width of the recurrent trunk and of every hidden layer"
    )


class InformedSettings(AgentSettings):
    """Of agents that are given a z."""

    info_size: int = Field(64, ge=1, le=MOST_WIDTH, description="size of the global information z of one agent")


class NetworkSettings(InformedSettings):
    """PTDE's teachers, in their authors' published sizes. Learners add the settings that only train."""

    global_info: Literal["agent-specific", "unified", "none"] = Field(
        "agent-specific", description="global information the teacher's agents act on"
    )
    info_rank: int = Field(
        0,
        ge=0,
        le=MOST_WIDTH,
        description="agent-specific: rank of the generated weights, in a lighter module; 0 is the paper's, full",
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


class CommanderSettings(InformedSettings):
    """CSRL: the commander's orders."""

    global_info: Literal["commander"] = Field("commander", description="CSRL's agents act on their commander's orders")
    info_every: int = Field(1, ge=1, le=10**6, description="env steps from one broadcast of the commander to the next")


class CoachSettings(InformedSettings):
    """COPA: the coach's instructions."""

    global_info: Literal["coach"] = Field("coach", description="COPA's players act on their coach's instructions")
    info_every: int = Field(4, ge=1, le=10**6, description="env steps from one look of the coach to the next")
    coach_size: int = Field(128, ge=1, le=MOST_WIDTH, description="width of the coach's encoders and attention")
    coach_heads: int = Field(4, ge=1, le=64, description="attention heads of the coach; they divide coach_size")


class StudentSettings(Settings):
    """What decides the student's own network."""

    student: StudentKind = Field("two-layer", description="two layers on the current input (the paper), or a GRU")
    hidden_size: int = Field(64, ge=1, le=MOST_WIDTH, description="width of the student's hidden layer")


Cells = Annotated[float, Field(gt=0)]


class TwoViewSettings(AgentSettings):
    """CTDS: a teacher that sees farther than its student. What it sees takes the place of a z."""

    global_info: Literal["none"] = Field("none", description="CTDS has no z: what its teacher has more is sight")
    teacher_sight: Cells | Literal["all"] = Field("all", description="how far the teacher sees, in cells, or all")
    student_sight: Cells | Literal["own"] = Field(
        "own", description="how far the student sees, in cells, or the environment's own (skirmish: 9, as SMAC)"
    )
