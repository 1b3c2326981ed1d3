"""evaluation.json: every evaluated episode of a run. Win rates are derived from it, never stored instead of it.

An evaluation is told by its checkpoint and by the digest of what it was made from: the policy's weights, the episodes,
their seed, the settings. Evaluations of a checkpoint stand beside each other; none takes another's place but the same
one made again. Those of other weights than a checkpoint was last evaluated with are kept apart, as superseded.

A field that older files lack is given a default that says "not known", and the schema stays: old files can be read. The
schema rises only where a field changes its meaning, or where a table would be wrong without the new one.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    computed_field,
    model_validator,
)

from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import DIGEST, MadeFrom, World
from ptde_core.base.untrusted import Count, Inside
from ptde_core.storage.run_folder import read_json, write_json
from ptde_core.storage.run_lock import adding_to

SCHEMA = 3

# The one number of parameters that is not of a network that acts: mixer, critic and the like, which stay behind.
TRAINING_ONLY = "training only"

Count64 = Annotated[int, Field(ge=0, lt=2**64)]  # an episode's seed has 64 bits
ZSource = Literal["none", "sampled", "mean", "exact", "student"]


class Played(BaseModel):
    """Greedy episodes, column by column; row k of every column is the same episode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: list[Count64]
    won: list[bool]
    total_reward: list[FiniteFloat]
    length: list[Count]

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
    steps: Count
    seconds: FiniteFloat | None


class Messages(BaseModel):
    """What COPA's coach sent its players over all episodes; each player's first instruction is always sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float  # how far an instruction must have moved to be sent; 0: all were
    sent: Count
    offered: Count  # what would have been sent at threshold 0


class Inference(BaseModel):
    """What it cost to choose actions: the policy's networks alone, without the environment.

    `seconds` of wall time in `calls`, each for all agents of `side_by_side` episodes (of engines, which do not wait for
    each other: of up to so many), on `threads` threads of a CPU, or on another `device`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: FiniteFloat = Field(ge=0)
    calls: int = Field(ge=1, lt=2**63)
    side_by_side: Count
    threads: Count
    device: str = "cpu"

    @property
    def ms_per_call(self) -> float:
        """Milliseconds for one step of all episodes side by side."""
        return 1000 * self.seconds / self.calls


def evaluation_made_from(world: World, parents: dict[str, str], **settings: Any) -> MadeFrom:
    """What an evaluation is made from: settings are episodes, seed, z, message_threshold and device."""
    return MadeFrom(stage="evaluate", world=world, settings=settings, parents=parents)


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
    checkpoint: Inside  # path inside the run folder
    teacher_id: str
    policy_id: str
    parameters: dict[str, Count]  # of each network, by name; see `policies/parameter_counts.py`
    distilled: Distilled | None  # None for a teacher, and a student trained with it
    backend: str
    backend_version: str
    map: str
    map_digest: str = ""  # as in `EnvSpec`
    train_seed: Count
    env_steps: Count
    evaluation_seed: Count
    machine: str
    code: str  # ptde's version and git commit
    episodes: Played
    messages: Messages | None = None  # None where the policy sends none
    inference: Inference | None = None  # None: evaluated before it was measured
    can_be_won: bool = True  # whether an episode can be won; files that do not say were read as if it can

    @property
    def threshold(self) -> float:
        """How far a coach's instruction must have moved to be sent; 0 where every one is, or there is no coach."""
        return self.messages.threshold if self.messages else 0.0

    @property
    def made_from(self) -> MadeFrom:
        """What this evaluation was made from."""
        return evaluation_made_from(
            World(environment=self.backend, version=self.backend_version, map=self.map, map_digest=self.map_digest),
            {"policy": self.policy_id, "teacher": self.teacher_id},
            episodes=len(self.episodes.seed),
            seed=self.evaluation_seed,
            z=self.z,
            message_threshold=self.threshold,
            device=self.inference.device if self.inference else "cpu",
        )

    @computed_field  # type: ignore[prop-decorator]
    @property
    def digest(self) -> str:
        """Of `made_from`: equal for the same evaluation made again."""
        return self.made_from.digest

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_digest(
        cls, value: Any, handler: ModelWrapValidatorHandler["EvaluationEntry"], info: ValidationInfo
    ) -> "EvaluationEntry":
        """An entry of a file has the digest of what it says it was made from."""
        if not isinstance(value, dict):
            return handler(value)
        entry = handler({key: one for key, one in value.items() if key != DIGEST})
        told = value.get(DIGEST, None if info.context == FROM_FILE else entry.digest)
        if told != entry.digest:
            raise ValueError("its digest is another")
        return entry


FROM_FILE = "file"  # context of the validation of what was read


class Evaluation(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_number: int = SCHEMA
    entries: list[EvaluationEntry] = []
    superseded: list[EvaluationEntry] = []  # of weights that their checkpoint does not hold any more; never counted


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
        return Evaluation.model_validate(value, context=FROM_FILE)
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
    """Add entries to the file, beside those that are there; the same evaluation made again takes its own place.

    Entries of the same checkpoints with other weights are superseded from now on. The file is made if it is missing;
    one of an older schema is put aside, under a name with that schema's number.
    """
    with adding_to(path):  # others may add theirs meanwhile, and none is lost
        if path.exists() and not is_current(path):
            older = read_json(path, "evaluation")["schema_number"]
            path.rename(path.with_name(f"{path.stem}-schema-{older}{path.suffix}"))
        old = read_evaluation(path) if is_current(path) else Evaluation()
        again = {(entry.checkpoint, entry.digest) for entry in entries}
        weights = {entry.checkpoint: entry.policy_id for entry in entries}
        current, superseded = list[EvaluationEntry](), list[EvaluationEntry]()
        for held, counted in [*((one, True) for one in old.entries), *((one, False) for one in old.superseded)]:
            if (held.checkpoint, held.digest) in again:
                continue
            holds = weights.get(held.checkpoint)
            if counted if holds is None else holds == held.policy_id:
                current.append(held)
            else:
                superseded.append(held)
        evaluation = Evaluation(entries=[*current, *entries], superseded=superseded)
        write_json(path, evaluation.model_dump())
        return evaluation
