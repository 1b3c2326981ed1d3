"""What each stage's result is made from (`base/made_from.py`), and whether a result is stale: whether that has changed.

`why_not_this_training` says whether a run folder holds the training that is meant.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ptde_core.algorithms.catalogue import is_own
from ptde_core.algorithms.table_names import student_name, teacher_name
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import KEY, MadeFrom, World, different, read_made_from
from ptde_core.base.seeding import episode_seeds
from ptde_core.base.setting_fields import Settings
from ptde_core.envs.backends import world_now
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, read_run_config
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import LAST, RunFolder, read_json

# Settings of a training that decide nothing in a teacher: when its state is saved, and what is kept beside it.
NOT_DECIDING = frozenset({"checkpoint_seconds", "keep"})
MAY_GROW = frozenset({"steps"})  # a training goes on with more of them


def training_made_from(settings: TrainingSettings, world: World) -> MadeFrom:
    """Of a teacher, of the state to resume from, and of a run's config.json."""
    return MadeFrom(stage="train-teacher", world=world, settings=settings.model_dump(exclude=set(NOT_DECIDING)))


def collecting_made_from(settings: CollectSettings, world: World, teacher_id: str) -> MadeFrom:
    """Of a file of a teacher's episodes."""
    return MadeFrom(stage="collect", world=world, settings=settings.model_dump(), parents={"teacher": teacher_id})


def distilling_made_from(settings: DistillSettings, world: World, teacher_id: str, episodes_digest: str) -> MadeFrom:
    """Of a student."""
    parents = {"teacher": teacher_id, "episodes": episodes_digest}
    return MadeFrom(stage="distill", world=world, settings=settings.model_dump(), parents=parents)


def same_training(held: MadeFrom, settings: TrainingSettings, world: World, ignoring: Collection[str] = ()) -> str:
    """How a training that is held was another than these settings would make; "" if it is the same one.

    A setting that did not exist when `held` was made is taken at its default; one that no longer exists is ignored.
    """
    return _completed(held, settings).changed(training_made_from(settings, world), ignoring=ignoring)


def same_collecting(held: MadeFrom, settings: CollectSettings, world: World, teacher_id: str) -> str:
    """The same of a teacher's episodes."""
    return _completed(held, settings).changed(collecting_made_from(settings, world, teacher_id))


def _completed(held: MadeFrom, settings: Settings) -> MadeFrom:
    fields = type(settings).model_fields
    known = {key: held.settings.get(key, field.default) for key, field in fields.items() if key not in NOT_DECIDING}
    return held.model_copy(update={"settings": known})


def made_from_of(content: Mapping[str, Any], path: Path) -> MadeFrom:
    """What a loaded checkpoint was made from.

    Raises:
        PtdeError: it does not say, or not readably.
    """
    return read_made_from(content.get(KEY), path)


def why_other_world(world: World, map_as_typed: str) -> str:
    """How the world has changed since a result was made in it; "" if it has not, or if that cannot be known here.

    It cannot be known of a game whose engine alone knows its version, nor of a map file that lies elsewhere.

    Args:
        world: as it was.
        map_as_typed: the map as the settings have it: a name, or the path of a file.
    """
    if map_as_typed.endswith(".toml") and not Path(map_as_typed).exists():
        return ""
    try:
        now = world_now(world.environment, map_as_typed)
    except PtdeError as error:
        return f"made on {world.map}, and now there is {error.problem}"
    return "" if now is None else world.changed(now)


def why_not_this_training(run: RunFolder, settings: TrainingSettings) -> str:
    """How the training in a folder differs from the one that these settings ask for, in words that follow "it was ...".

    "" if it is the same one, whether it has finished or not, or if the folder holds none.

    Raises:
        PtdeError: its config.json is broken.
    """
    if not run.config.exists():
        return ""
    held = read_run_config(run)
    if why := why_other_world(held.made_from.world, settings.map):
        return why
    return same_training(held.made_from, settings, held.made_from.world)


def check_world_of(content: Mapping[str, Any], path: Path) -> None:
    """Refuse a teacher or student whose world has changed since it was trained, before any work is done with it.

    Raises:
        PtdeError: with what has changed.
    """
    if why := why_other_world(made_from_of(content, path).world, str(content["settings"]["map"])):
        raise PtdeError(f"{path} is stale: it was {why}", "put that back, or train anew")


def why_stale(run: RunFolder, entries: Iterable[EvaluationEntry], made_from: MadeFrom | None) -> list[str]:
    """Of each evaluation of a run, why it is not one of the checkpoint that the run holds; "" if it is.

    Args:
        run: that the evaluations lie in.
        entries: of its evaluation.json.
        made_from: what the run's training was made from; None for checkpoints without their training.

    Raises:
        PtdeError: a checkpoint cannot be read, or does not say what it was made from.
    """
    from ptde_core.storage.checkpoint import identity, load_checkpoint  # torch: not for all who ask for a digest

    @cache  # each file is read once, and its weights are not kept
    def read(checkpoint: str) -> Mapping[str, Any]:
        content = load_checkpoint(run.path / checkpoint, "teacher", "student")
        return {**content, "networks": identity(content["networks"])}

    return [_why_stale(run, entry, made_from, read) for entry in entries]


def _why_stale(
    run: RunFolder,
    entry: EvaluationEntry,
    made_from: MadeFrom | None,
    read: Callable[[str], Mapping[str, Any]],
) -> str:
    """Of one evaluation; `read` gives a checkpoint's content, with a hash of its weights for its weights."""
    path = run.path / entry.checkpoint
    if not path.is_file():
        return _why_gone(run, entry, made_from)
    content = read(entry.checkpoint)
    if why := _why_another(entry, content):
        return why
    if why := why_other_world(entry.made_from.world, str(content["settings"]["map"])):
        return f"the evaluation of {entry.checkpoint} was {why}"
    made = made_from_of(content, path)
    if made.stage == "train-teacher":
        ignored = () if content["kept"] == LAST else MAY_GROW  # the best may be of the training's first part
        why = made.changed(made_from, ignoring=ignored) if made_from else ""
        return f"{entry.checkpoint} is not of this run's training: it was {why}" if why else ""
    teacher = str(content["teacher_file"])
    held = read(teacher) if (run.path / teacher).is_file() else None
    if held and (held["kind"], held["teacher_id"]) != ("teacher", entry.teacher_id):
        return f"{entry.checkpoint} was distilled from another teacher than {teacher}"
    why = _why_of_another_training(content["settings"], made_from) if made_from else ""
    return f"{entry.checkpoint} is not of this run's training: its teacher was {why}" if why else ""


def _why_of_another_training(settings: Mapping[str, Any], made_from: MadeFrom) -> str:
    """How a student's teacher, of these settings, was trained otherwise than its run; "" if it was not.

    A longer training is the same one, and a setting that the student does not know has its default.
    """
    known = {key: settings.get(key, value) for key, value in made_from.settings.items()}
    return made_from.model_copy(update={"settings": known}).changed(made_from, ignoring=MAY_GROW)


def _why_another(entry: EvaluationEntry, content: Mapping[str, Any]) -> str:
    """Why a checkpoint is not the one that an evaluation is of, or not what that says of it; "" if it is."""
    if content["networks"] != entry.policy_id or content["teacher_id"] != entry.teacher_id:
        return f"{entry.checkpoint} is another than the one that was evaluated"
    told = {"policy": entry.policy, "alg": entry.alg, "global_info": entry.global_info, "seed": entry.train_seed}
    known = {"policy": content["kind"], **{key: content["settings"][key] for key in ("alg", "global_info", "seed")}}
    told["env_steps"], known["env_steps"] = entry.env_steps, content["counters"]["env_steps"]
    if entry.updates is not None:
        told["updates"], known["updates"] = entry.updates, content["counters"]["updates"]
    if not is_own(content["settings"]["alg"]):
        name_of = teacher_name if content["kind"] == "teacher" else student_name
        told["name"] = entry.name.partition(" (")[0]  # without its marks
        known["name"] = name_of(*(content["settings"][key] for key in ("alg", "global_info")))
    told["distilled"], known["distilled"] = entry.distilled is not None, "distill" in content
    held = {"distill": content.get("distill") or {}, "collect": content.get("collected", {})}
    for name, value in (entry.distilled.made_with if entry.distilled else {}).items():
        stage, _, key = name.partition(".")
        told[name], known[name] = value, held[stage].get(key, value)  # one that is younger is at its default
    if key := different(told, known):
        return f"the evaluation of {entry.checkpoint} says {key} = {told[key]!r}, and that has {known[key]!r}"
    episodes = entry.episodes.seed
    if tuple(episodes) != _evaluation_seeds(entry.evaluation_seed, len(episodes)):
        return f"the evaluation of {entry.checkpoint} is not of the episodes of its seed {entry.evaluation_seed}"
    return ""


@lru_cache(maxsize=8)  # most evaluations are of one list
def _evaluation_seeds(seed: int, count: int) -> tuple[int, ...]:
    return tuple(episode_seeds(seed, "evaluate", 0, count).tolist())


def _why_gone(run: RunFolder, entry: EvaluationEntry, made_from: MadeFrom | None) -> str:
    """The same of a checkpoint that is not there: all is well with one that a copy was too small for.

    Nothing but its world can be compared then.
    """
    left_out = read_json(run.left_out, "list of what was left out") if run.left_out.is_file() else {}
    if not isinstance(left_out, dict) or entry.checkpoint not in left_out:
        return f"{entry.checkpoint} was evaluated, and is not there any more"
    why = why_other_world(entry.made_from.world, str(made_from.settings["map"]) if made_from else entry.map)
    return f"the evaluation of {entry.checkpoint} was {why}" if why else ""
