"""evaluation.json: every evaluated episode of a run. Win rates are derived from it, never stored instead of it.

A field that older files lack is given a default that says "not known", and the schema stays: old files can be read. The
schema rises only where a field changes its meaning, or where a table would be wrong without the new one.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ptde_core.base.errors import PtdeError
from ptde_core.storage.run_folder import read_json, write_json
from ptde_core.storage.run_lock import adding_to

SCHEMA = 2

# The one number of parameters that is not of a network that acts: mixer, critic and the like, which stay behind.
TRAINING_ONLY = "training only"

ZSource = Literal["none", "sampled", "mean", "exact", "student"]


class Played(BaseModel):
    """Greedy episodes, column by column; row k of every column is the same episode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: list[int]
    won: list[bool]
    total_reward: list[float]
    length: list[int]

    @model_validator(mode="after")
    def _equal_columns(self) -> "Played":
        if len({len(self.seed), len(self.won), len(self.total_reward), len(self.length)}) != 1:
            raise ValueError("columns of unequal length")
        return self


class Distilled(BaseModel):
    """How a student was made.

    `settings` are all of its distillation, not only those that are not the default: a default may change. `quality` is
    by catalogue name (`base/metrics.py`), on episodes held out. `steps` and `seconds` (None: not
    known) are what it cost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, str | int | float | bool]
    quality: dict[str, float]
    steps: int
    seconds: float | None


class Messages(BaseModel):
    """What COPA's coach sent its players over all episodes; each player's first instruction is always sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float  # how far an instruction must have moved to be sent; 0: all were
    sent: int
    offered: int  # what would have been sent at threshold 0


class Inference(BaseModel):
    """What it cost to choose actions: the policy's networks alone, without the environment.

    `seconds` of wall time in `calls`, each for all agents of `side_by_side` episodes (of engines, which do not wait for
    each other: of up to so many), on `threads` threads of a CPU, or on another `device`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float
    calls: int
    side_by_side: int
    threads: int
    device: str = "cpu"

    @property
    def ms_per_call(self) -> float:
        """Milliseconds for one step of all episodes side by side."""
        return 1000 * self.seconds / self.calls


class EvaluationEntry(BaseModel):
    """One policy's evaluation.

    `z` says where the global information came from: "sampled" from the teacher's Gaussian (the paper's way), its
    "mean", "exact" (CSRL's commander: there is no Gaussian), the "student"'s prediction, or "none" (an algorithm
    without it). `teacher_id` is equal for a teacher and the students distilled from it: it pairs them for the PRR.
    `policy_id` is that of the evaluated weights. `sight` says how far the policy sees, in cells or "all", where teacher
    and student differ in that (CTDS); "" elsewhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str  # as tables print it: QMIX_SGI
    policy: Literal["teacher", "student"]
    z: ZSource
    alg: str
    global_info: str
    sight: str = ""
    checkpoint: str  # path inside the run folder
    teacher_id: str
    policy_id: str
    parameters: dict[str, int]  # of each network, by name; see `policies/sizes.py`
    distilled: Distilled | None  # None for a teacher, and a student trained with it
    backend: str
    backend_version: str
    map: str
    train_seed: int
    env_steps: int
    evaluation_seed: int
    machine: str
    code: str  # ptde's version and git commit
    episodes: Played
    messages: Messages | None = None  # None where the policy sends none
    inference: Inference | None = None  # None: evaluated before it was measured
    can_be_won: bool = True  # whether an episode can be won; files that do not say were read as if it can


class Evaluation(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_number: int = SCHEMA
    entries: list[EvaluationEntry] = []


def read_evaluation(path: Path) -> Evaluation:
    """Read and check the file.

    Raises:
        PtdeError: missing, broken, or of another schema.
    """
    value = read_json(path, "evaluation")
    if isinstance(value, dict) and (schema := value.get("schema_number")) != SCHEMA:
        raise PtdeError(
            f"{path} has schema {schema}, this ptde reads {SCHEMA}", "evaluate anew: `ptde evaluate CHECKPOINT`"
        )
    try:
        return Evaluation.model_validate(value)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise PtdeError(
            f"{path} is not an evaluation of ptde (at {where})", "make it anew with `ptde evaluate`"
        ) from None


def is_current(path: Path) -> bool:
    """Whether there is an evaluation, and not one of an older schema, which lacks what tables ask for by now."""
    if not path.exists():
        return False
    value = read_json(path, "evaluation")
    schema = value.get("schema_number") if isinstance(value, dict) else None
    return not (isinstance(schema, int) and schema < SCHEMA)


def add_entries(path: Path, entries: list[EvaluationEntry]) -> Evaluation:
    """Add entries to the file; an entry for the same checkpoint and z replaces the old one.

    The file is made if it is missing, and begun anew if it is of an older schema.
    """
    with adding_to(path):  # others may add theirs meanwhile, and none is lost
        old = read_evaluation(path).entries if is_current(path) else []
        new = {(entry.checkpoint, entry.z) for entry in entries}
        kept = [entry for entry in old if (entry.checkpoint, entry.z) not in new]
        evaluation = Evaluation(entries=[*kept, *entries])
        write_json(path, evaluation.model_dump())
        return evaluation
