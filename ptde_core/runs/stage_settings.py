"""Settings of every stage, and the presets that fill them per map. No torch here: the command line reads this file."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ptde_core.algorithms.catalogue import algorithm_named, is_own
from ptde_core.algorithms.table_names import teacher_name
from ptde_core.algorithms.training_settings import MOST_EPISODES, TrainingSettings
from ptde_core.base.device import DeviceSettings
from ptde_core.base.errors import PtdeError
from ptde_core.base.setting_fields import MOST_SEED, Settings, Values, build_settings
from ptde_core.nets.network_settings import StudentSettings
from ptde_core.storage.config_file import Config, read_config
from ptde_core.storage.run_folder import PAPER, RunFolder

RUNS = Path("runs")
CALIBRATION_RUNS = Path("calibration-runs")  # not in RUNS: reports and curves would mix them with the user's own
PRESETS = Path(__file__).with_name("presets.toml")


class CollectSettings(DeviceSettings):
    """Let a teacher play, and save what it saw and the information z it gave (Algorithm 2, line 3)."""

    episodes: int = Field(100, ge=2, le=MOST_EPISODES, description="whole episodes to collect")
    epsilon: float = Field(0.0, ge=0, le=1, description="chance of a random action while collecting")
    seed: int = Field(1, ge=0, le=MOST_SEED, description="decides the battles and the teacher's samples of z")
    with_state: bool = Field(True, description="also keep the global state (for analysis; the student never reads it)")


class DistillSettings(StudentSettings, DeviceSettings):
    """Stage 2: fit the student to the teacher's z (equation 3). The defaults are the paper's, as is its recipe."""

    recipe: str = Field(PAPER, description="named way to distill, which fills the others (`ptde settings distill`)")
    target: Literal["mean", "sampled"] = Field(
        "mean", description="the z to fit: its mean, or a sample of it, drawn anew each epoch"
    )
    loss: Literal["z", "values"] = Field(
        "z", description="error of z itself, or of the action values (or policy) that the teacher's head makes of it"
    )
    steps: int = Field(500_000, ge=1, le=10**12, description="gradient steps (the paper calls them epochs)")
    learning_rate: float = Field(1e-4, gt=0, description="Adam step size")
    learning_rate_decay: Literal["none", "linear"] = Field(
        "none", description="whether the step size stays as it is or falls to 0, by the same amount each step"
    )
    batch_rows: int = Field(2048, ge=1, le=10**7, description="rows (one agent at one step) per gradient step")
    validation_share: float = Field(
        0.1, gt=0, lt=1, description="share of whole episodes held out to measure the student"
    )
    early_stopping: int = Field(
        0,
        ge=0,
        le=10**6,
        description="checks on held-out episodes without a better one that end the fit; 0 takes all steps",
    )
    check_every: int = Field(500, ge=1, le=10**9, description="gradient steps between those checks")
    dagger_rounds: int = Field(
        0, ge=0, le=1000, description="times that the student plays and the teacher labels (DAgger)"
    )
    dagger_episodes: int = Field(25, ge=1, le=MOST_EPISODES, description="episodes that the student plays each time")
    seed: int = Field(
        1, ge=0, le=MOST_SEED, description="decides the student's initial weights, the split and the batches"
    )


class EvaluateSettings(DeviceSettings):
    """Greedy play over a fixed list of episodes."""

    episodes: int = Field(
        320, ge=1, le=MOST_EPISODES, description="greedy episodes per policy, the same for teacher and student"
    )
    seed: int = Field(0, ge=0, le=MOST_SEED, description="decides the list of episodes")
    message_threshold: float = Field(
        0.0, ge=0, description="COPA: a player is sent a new z only if it moved further than this; 0 sends every one"
    )
    keep_replays: int = Field(
        0,
        ge=0,
        le=10_000,
        description="the first episodes of each policy that are kept to be looked at (`ptde visualize`)",
    )


class InspectSettings(Settings):
    """What information matters: episodes of a teacher and of its student, looked into."""

    episodes: int = Field(
        8, ge=1, le=MOST_EPISODES, description="greedy episodes of each, the first ones of the evaluation's list"
    )
    seed: int = Field(
        0, ge=0, le=MOST_SEED, description="decides the list of episodes, and the directions of the gradients"
    )
    directions: int = Field(
        8,
        ge=1,
        le=4096,
        description="directions of z per agent and step whose gradient is taken; the size of z takes all",
    )


class CalibrateSettings(Settings):
    """Skirmish beside the real game's logged figures."""

    episodes: int = Field(
        4096, ge=1, le=MOST_EPISODES, description="battles per map of random play and of the heuristic"
    )
    seed: int = Field(
        0, ge=0, le=MOST_SEED, description="decides those battles and the random actions, and a policy's episodes"
    )
    policy_episodes: int = Field(
        320, ge=1, le=MOST_EPISODES, description="greedy episodes of a policy, of which the won ones count"
    )
    seeds: int = Field(
        3, ge=1, le=1000, description="trainings per map for learning and nearly random play: seeds 1, 2, ..."
    )
    steps: int = Field(2_000_000, ge=1, le=10**12, description="env steps of a training for learning")


Play = Literal["random", "heuristic", "near-random", "duels"]
PLAYED_UNASKED: tuple[Play, ...] = ("random", "heuristic", "duels")  # by `ptde calibrate` alone


@cache
def presets() -> dict[str, Any]:
    """presets.toml: map -> {source, train_teacher = {...}, distill = {...}, ...}, plus what the paper trains for."""
    return tomllib.loads(PRESETS.read_text(encoding="utf-8"))


def preset_of(map_name: str) -> dict[str, Any]:
    """All that presets.toml says of a map; one with options (`scenario:option`) has that of the map without them."""
    maps = presets()["maps"]
    found: dict[str, Any] = maps.get(map_name) or maps.get(map_name.partition(":")[0], {})
    return found


def preset(map_name: str, *tables: str) -> dict[str, Any]:
    """The preset values of a map in these of its tables ("train_teacher", "distill"); empty where there is none."""
    of_map = preset_of(map_name)
    return {key: value for table in tables for key, value in of_map.get(table, {}).items()}


def default_folder(settings: TrainingSettings) -> RunFolder:
    """Where a run goes if nothing else is said: runs/<env>/<map>/<table name>/seed<seed>, so `ptde report` finds it.

    A map file of one's own gives its name and the first digits of its content's digest: an edited map is another map.

    Raises:
        PtdeError: a map file that is missing or broken.
    """
    map_name = settings.map
    if settings.map.endswith(".toml"):
        from ptde_core.envs.backends import world_now  # numpy loads here

        map_name = found.map if (found := world_now(settings.env, settings.map)) else Path(settings.map).stem
    name = teacher_name(settings.alg, settings.global_info)
    return RunFolder(RUNS / settings.env / _as_folder(map_name) / name / f"seed{settings.seed}")


def _as_folder(map_name: str) -> str:
    """A map's name with a hyphen for what a folder's name should not hold (`:` is refused by Windows and in URLs)."""
    return re.sub(r"[^\w.@-]+", "-", map_name).strip("-.") or "map"


def train_teacher_preset(alg: str, map_name: str) -> dict[str, Any]:
    """What the map's preset changes for this algorithm: those of its values that the algorithm has settings for.

    Raises:
        PtdeError: there is no algorithm of that name; the nearest one is offered.
    """
    algorithm = algorithm_named(alg)
    values = preset(map_name, "train_teacher", *([algorithm.preset] if algorithm.preset else []))
    return {key: value for key, value in values.items() if key in algorithm.settings.model_fields}


def read_run_config(run: RunFolder) -> Config:
    """What a run's config.json holds: all settings of its training, checked, and what it was made from.

    Those of an algorithm of one's own are only compared with what the run was made from: tables and curves run no code
    that a file names.

    Raises:
        PtdeError: there is no such file, or it does not hold settings of a training.
    """
    config = read_config(run.config)
    alg = config.settings.get("alg")
    if not isinstance(alg, str):
        raise PtdeError(f"{run.config} does not hold the settings of a run", "it was cut or edited; train it anew")
    if is_own(alg):
        return config
    try:
        settings = build_settings(algorithm_named(alg).settings, config.settings).model_dump()
    except PtdeError as error:
        raise PtdeError(
            f"{run.config}: {error.problem}", "it was edited, or is of another ptde; train it anew"
        ) from None
    return Config(settings, config.made_from)


def train_teacher_settings(*layers: Values) -> TrainingSettings:
    """Settings from the map's preset and then the given layers (file, `--set`, options), later ones winning."""
    chosen = {key: value for layer in layers for key, value in layer.items()}
    fields = TrainingSettings.model_fields
    alg, map_name = (str(chosen.get(key, fields[key].default)) for key in ("alg", "map"))
    model: type[TrainingSettings] = algorithm_named(alg).settings
    return build_settings(model, train_teacher_preset(alg, map_name), *layers)
