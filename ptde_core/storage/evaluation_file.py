"""evaluation.json: every evaluated episode of a run. Win rates are computed from it and not stored.

An evaluation is identified by its checkpoint and by the digest of what it was made from: the policy's weights, the
episodes, their seed, the settings. A checkpoint can have several; a new one replaces only the same evaluation.
Evaluations of weights that the checkpoint does not hold any more are kept in a separate list, `superseded`.

A new field has a default that means "not known", so that older files can still be read with the same schema number. The
number rises only where a field changes its meaning, or where a table would be wrong without the new field.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    computed_field,
    model_validator,
)

from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.made_from import DIGEST, MadeFrom, World
from ptde_core.base.untrusted import Count, Inside, Number, Seconds
from ptde_core.storage.run_folder import first_free, read_json, write_json
from ptde_core.storage.run_lock import adding_to

SCHEMA = 3

# The name under which parameters of networks that do not act are counted: mixer, critic and the like.
TRAINING_ONLY = "training only"

Count64 = Annotated[int, Field(ge=0, lt=2**64)]  # an episode's seed has 64 bits
NETWORKS = 32  # most networks of a policy; ours have at most 4
SETTINGS = 1000  # most settings of a distillation
Name = Annotated[str, Field(max_length=300)]
Text = Annotated[str, Field(max_length=1000)]
ZSource = Literal["none", "sampled", "mean", "exact", "student"]


class Played(BaseModel):
    """Greedy episodes, column by column; row k of every column is the same episode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: list[Count64]
    won: list[bool]
    total_reward: list[Number]
    length: list[Count]

    @model_validator(mode="after")
    def _equal_columns(self) -> "Played":
        if len({len(self.seed), len(self.won), len(self.total_reward), len(self.length)}) != 1:
            raise ValueError("columns of unequal length")
        return self

    def __repr__(self) -> str:
        """Counts in place of columns, which would fill a screen."""
        return f"Played({len(self.won)} episodes, {sum(self.won)} won)"

    __str__ = __repr__


class Distilled(BaseModel):
    """How a student was made.

    `settings` are all settings of its distillation, since a default may change, and `collected` those with which its
    episodes were collected (empty: not known). `quality` holds metrics on held-out episodes, by name
    (`base/metrics.py`). `steps` and `seconds` (None: not known) are what the fit took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[Name, Text | int | float | bool] = Field(max_length=SETTINGS)
    collected: dict[Name, Text | int | float | bool] = Field({}, max_length=SETTINGS)
    quality: dict[Name, Number] = Field(max_length=SETTINGS)
    steps: Count
    seconds: Seconds | None

    @property
    def made_with(self) -> dict[str, str | int | float | bool]:
        """All settings by full name: distill.steps, collect.episodes."""
        stages = {"collect": self.collected, "distill": self.settings}
        return {f"{stage}.{key}": value for stage, settings in stages.items() for key, value in settings.items()}


class Messages(BaseModel):
    """The messages of COPA's coach over all episodes; each player's first instruction is always sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: Number  # change from which an instruction is sent; 0: all are sent
    sent: Count
    offered: Count  # number that would be sent at threshold 0


class Inference(BaseModel):
    """The time to choose actions: the policy's networks alone, without the environment.

    `seconds` of wall time in `calls`, each for all agents of `side_by_side` episodes (of engines, which do not wait for
    each other: of up to so many), on `threads` threads of a CPU, or on another `device`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: Seconds
    calls: int = Field(ge=1, lt=2**63)
    side_by_side: Count
    threads: Count
    device: Name = "cpu"

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

    name: Name  # as tables print it: QMIX_SGI
    policy: Literal["teacher", "student"]
    z: ZSource
    alg: Text
    global_info: Name
    sight: Name = ""
    checkpoint: Inside  # path inside the run folder
    teacher_id: Name
    policy_id: Name
    parameters: dict[Name, Count] = Field(max_length=NETWORKS)  # of each network; see `policies/parameter_counts.py`
    distilled: Distilled | None  # None for a teacher, and a student trained with it
    backend: Name
    backend_version: Name
    map: Text
    map_digest: Name = ""  # as in `EnvSpec`
    train_seed: Count
    env_steps: Count
    updates: Count | None = None  # gradient steps of its training; None: evaluated before they were kept here
    evaluation_seed: Count
    machine: Text
    code: Text  # ptde's version and git commit
    episodes: Played
    messages: Messages | None = None  # None where the policy sends none
    inference: Inference | None = None  # None: evaluated before it was measured
    can_be_won: bool = True  # whether an episode can be won; files that do not say were read as if it can

    @property
    def threshold(self) -> float:
        """The change from which a coach's instruction is sent; 0 where every one is, or there is no coach."""
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
        """The digest of `made_from`: equal for the same evaluation made again."""
        return self.made_from.digest

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_digest(
        cls, value: Any, handler: ModelWrapValidatorHandler["EvaluationEntry"], info: ValidationInfo
    ) -> "EvaluationEntry":
        """Check that an entry's digest fits what it says it was made from."""
        if not isinstance(value, dict):
            return handler(value)
        entry = handler({key: one for key, one in value.items() if key != DIGEST})
        held = value.get(DIGEST, None if info.context == FROM_FILE else entry.digest)
        if held != entry.digest:
            raise ValueError("its digest is another")
        return entry


FROM_FILE = "file"  # context of validation: the entry was read from a file


class Evaluation(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_number: int = SCHEMA
    entries: list[EvaluationEntry] = []
    superseded: list[EvaluationEntry] = []  # of weights that the checkpoint does not hold any more; never counted


def read_evaluation(path: Path) -> Evaluation:
    """Read and check the file.

    Raises:
        PtdeError: missing, broken, or of another schema.
    """
    value = read_json(path, "evaluation")
    if isinstance(value, dict) and (schema := value.get("schema_number")) != SCHEMA:
        raise PtdeError(
            f"{path} has schema {quoted(schema)}, this ptde reads {SCHEMA}",
            "move it away and evaluate anew: `ptde evaluate CHECKPOINT`"
            if not isinstance(schema, int) or schema > SCHEMA
            else "evaluate anew: `ptde evaluate CHECKPOINT`",
        )
    try:
        return Evaluation.model_validate(value, context=FROM_FILE)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise PtdeError(
            f"{path} is not an evaluation of ptde (at {where})",
            "move it away and evaluate anew: `ptde evaluate CHECKPOINT`",
        ) from None


def is_current(path: Path) -> bool:
    """Whether there is an evaluation of this schema; an older one lacks what tables need."""
    if not path.exists():
        return False
    value = read_json(path, "evaluation")
    schema = value.get("schema_number") if isinstance(value, dict) else None
    return not (isinstance(schema, int) and schema < SCHEMA)


def _put_aside(path: Path, name: str) -> None:
    """Rename the file, its ending kept, to the first of name, name-2, name-3, ... that nothing has, no link either."""
    aside = first_free(path.with_name(name), lambda one: os.path.lexists(f"{one}{path.suffix}"))
    path.rename(f"{aside}{path.suffix}")


def add_entries(path: Path, entries: list[EvaluationEntry]) -> Evaluation:
    """Add entries to the file; the same evaluation made again is replaced.

    Entries of the same checkpoints with other weights become superseded. A missing file is made; one of an older schema
    is renamed, with that schema's number in its name, and replaces nothing that has this name.
    """
    with adding_to(path):  # so that entries of other processes are not lost
        if path.exists() and not is_current(path):
            older = read_json(path, "evaluation")["schema_number"]
            _put_aside(path, f"{path.stem}-schema-{older}")
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


def move_entries(path: Path, aside: Path, moves: Callable[[str], bool]) -> None:
    """Move the entries of those checkpoints that move to another file.

    The file goes there as it is if no entry stays, or if it cannot be read.

    Args:
        path: a file that there is.
        aside: where they go; what is there is replaced.
        moves: whether a checkpoint, by its path inside the run, moves.
    """
    with adding_to(path):
        old = Evaluation()
        with suppress(PtdeError):
            old = read_evaluation(path)
        going, staying = (
            Evaluation(
                entries=[entry for entry in old.entries if moves(entry.checkpoint) is away],
                superseded=[entry for entry in old.superseded if moves(entry.checkpoint) is away],
            )
            for away in (True, False)
        )
        if staying == Evaluation():
            path.rename(aside)
        elif going != Evaluation():  # else it was cut short when only the rest was left to do
            write_json(aside, going.model_dump())
            write_json(path, staying.model_dump())
