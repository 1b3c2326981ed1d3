"""What each kind of checkpoint must hold. It may hold more, which is ignored."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from ptde_core.base.names import BackendName, GlobalInfo
from ptde_core.base.untrusted import Count, Inside, Number, Seconds, first_fault

Kind = Literal["teacher", "student", "training", "distillation"]


def _finite(networks: dict[str, Tensor]) -> dict[str, Tensor]:
    for name, tensor in networks.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"{name} holds weights that are not finite")
    return networks


Name = Annotated[str, Field(max_length=1000)]
Setting = bool | int | float | str
Weights = Annotated[dict[Name, Tensor], AfterValidator(_finite)]


class _Held(BaseModel):
    """Strict types: nothing is converted."""

    model_config = ConfigDict(strict=True, extra="allow", arbitrary_types_allowed=True)


class _Environment(_Held):
    """An `EnvSpec` as plain values. There is a name for each feature, so sizes are bounded by the file's length."""

    backend: BackendName
    version: Name
    map: Name
    n_agents: int = Field(ge=1, le=10_000)
    n_actions: int = Field(ge=1, le=30_000)  # a replay's actions have 16 bits
    obs_size: Count
    state_size: Count
    episode_limit: int = Field(ge=1, le=10**6)
    obs_names: list[Name]
    state_names: list[Name]
    action_names: list[Name]
    can_be_won: bool = True

    def model_post_init(self, _: Any) -> None:
        """Refuse sizes that differ from the numbers of names."""
        sizes = self.obs_size, self.state_size, self.n_actions
        if sizes != (len(self.obs_names), len(self.state_names), len(self.action_names)):
            raise ValueError("names and sizes that do not agree")


class _Counters(_Held):
    env_steps: Count
    episodes: Count
    updates: Count


class _TrainedWith(_Held):
    alg: Annotated[str, Field(max_length=1000, pattern=r"^[a-z]\w*$|^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    env: BackendName
    map: Name
    global_info: GlobalInfo
    seed: Count
    steps: Count


class _Policy(_Held):
    settings: dict[Name, Setting]
    env: _Environment
    networks: Weights
    training_networks: dict[Name, Tensor] = {}
    teacher_id: Name
    counters: _Counters
    kept: str = Field("last", pattern=r"^(last|best|\d{1,13})$")


class _Teacher(_Policy):
    pass


class _Fitted(_Held):
    steps: Count
    seconds: Seconds | None


class _Student(_Policy):
    teacher_file: Inside
    distill: dict[Name, Setting] | None = None
    collected: dict[Name, Setting] = {}
    quality: dict[Name, Number] = {}
    fitted: _Fitted | None = None
    episodes_digest: Name = ""


class _Best(_Held):
    score: list[Number] = Field(min_length=2, max_length=2)
    env_steps: Count
    contents: dict[Literal["teacher", "student"], dict[str, Any]]


class _Training(_Held):
    counters: dict[Name, Any]
    learner: dict[Name, Any]
    log: dict[Name, float]
    segments: list[tuple[Annotated[str, Field(pattern=r"^episodes-\d{6}\.npz$")], Count]]
    best: dict[str, Any] = {}


class _Distillation(_Held):
    key: str
    step: Count
    phase_began: Count
    epochs: Count
    players: list[Name]
    network: Weights
    optimiser: dict[str, Any]
    best: dict[str, Any] | None
    seconds: Seconds


CONTENTS: Mapping[Kind, type[_Held]] = {
    "teacher": _Teacher,
    "student": _Student,
    "training": _Training,
    "distillation": _Distillation,
}


def check_content(kind: Kind, content: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that lacks something its readers need, or has it of another type or size.

    Raises:
        ValueError: where, and why.
    """
    try:
        CONTENTS[kind].model_validate(content)
        if isinstance(content.get("settings"), dict):
            _TrainedWith.model_validate(content["settings"])
        if kind == "training" and content.get("best"):
            _Best.model_validate(content["best"])
            for inner, held in content["best"]["contents"].items():
                check_content(inner, held)
                if held.get("kept") != "best":
                    raise ValueError("a best checkpoint of another name")
    except ValidationError as error:
        raise ValueError(first_fault(error)) from None
