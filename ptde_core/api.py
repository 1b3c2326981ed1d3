"""The front door from Python: the pipeline's verbs, environments and trained policies. `import ptde_core as ptde`.

The names in `__all__` are stable; everything else in the package may change. Settings are given by name, as `--set`
gives them on the command line; they win over the map's preset, which wins over the defaults (`ptde settings`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, silent
from ptde_core.base.setting_fields import build_settings
from ptde_core.envs.backends import build_environment
from ptde_core.envs.interface import BatchedEnv
from ptde_core.pipeline.collect import collect as collect_stage
from ptde_core.pipeline.distill_recipes import distill_recipes
from ptde_core.pipeline.evaluate import evaluate as evaluate_stage
from ptde_core.pipeline.export import ExportFormat
from ptde_core.pipeline.export import export as export_stage
from ptde_core.pipeline.train_teacher import train_teacher as train_teacher_stage
from ptde_core.policies.from_checkpoint import restore
from ptde_core.policies.policy import ZChoice
from ptde_core.results.formats import render
from ptde_core.results.gather import report as report_stage
from ptde_core.rollout.loaded import LoadedPolicy
from ptde_core.runs.recipes import distill_settings
from ptde_core.runs.stage_settings import CollectSettings, EvaluateSettings, default_folder, train_teacher_settings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import PAPER, RunFolder, checkpoints_of
from ptde_core.storage.zoo import in_place, unpacked

__all__ = [
    "EvaluationEntry",
    "LoadedPolicy",
    "PtdeError",
    "RunFolder",
    "collect",
    "distill",
    "evaluate",
    "export",
    "load_policy",
    "make_env",
    "report",
    "train_teacher",
]

Place = RunFolder | Path | str  # a run folder, or a file in one; "zoo:..." is one that comes with ptde (`ptde zoo`)


def train_teacher(
    map: str = "3m",  # noqa: A002  the setting's name
    alg: str = "qmix",
    *,
    out: Path | str | None = None,
    resume: bool = False,
    keep_state: bool = True,
    listen: Listener = silent,
    **settings: Any,
) -> RunFolder:
    """Train a teacher (stage 1) and return its run folder; `ptde train-teacher`.

    Args:
        map: of the environment, or a map file of your own.
        alg: qmix, vdn, qplex, mappo, csrl, copa or ctds.
        out: the run folder; by default `runs/<env>/<map>/<algorithm>/seed<seed>`.
        resume: go on with what lies there, interrupted or finished with fewer steps.
        keep_state: keep what it takes to go on with more steps.
        listen: is told of progress (`ptde_core.base.events`).
        settings: any other, such as `global_info="none"`, `steps=100_000`, `seed=2`.

    Raises:
        PtdeError: a setting that cannot be, or a folder that cannot take this training.
    """
    made = train_teacher_settings({"map": map, "alg": alg, **settings})
    run = RunFolder(Path(out)) if out is not None else default_folder(made)
    train_teacher_stage(made, run, resume=resume, keep_state=keep_state, listen=listen)
    return run


def collect(teacher: Place, *, out: Path | str | None = None, listen: Listener = silent, **settings: Any) -> Path:
    """Let a teacher play and keep its episodes with z; returns the path of the HDF5 file. `ptde collect`.

    Args:
        teacher: a run folder, or a teacher's checkpoint.
        out: the file; by default beside the teacher.
        listen: is told of progress.
        settings: such as `episodes=100`.
    """
    target = None if out is None else Path(out)
    return collect_stage(_teacher(teacher), build_settings(CollectSettings, settings), target, listen=listen)


def distill(
    teacher: Place,
    recipe: str = PAPER,
    *,
    data: Path | str | None = None,
    out: Path | str | None = None,
    listen: Listener = silent,
    **settings: Any,
) -> Path:
    """Fit a student to its teacher (stage 2); returns the path of its checkpoint. `ptde distill --no-evaluate`.

    Args:
        teacher: a run folder, or a teacher's checkpoint.
        recipe: paper, or recurrent (recommended); all: `ptde settings distill`.
        data: episodes from `collect`; by default they are collected first.
        out: the checkpoint; by default `student.pt` or `students/<recipe>.pt` beside the teacher.
        listen: is told of progress.
        settings: such as `steps=20_000`; they win over the recipe's.
    """
    path = _teacher(teacher)
    made = distill_settings(recipe, load_checkpoint(path, "teacher")["settings"]["map"], settings)
    places = [None if place is None else Path(place) for place in (data, out)]
    return distill_recipes(path, [made], *places, listen=listen)[0]


def evaluate(*policies: Place, listen: Listener = silent, **settings: Any) -> list[EvaluationEntry]:
    """Play the same greedy episodes with each policy; `ptde evaluate`. The results are kept in their run folders too.

    Args:
        policies: checkpoints, or run folders, which stand for their teacher and all its students.
        listen: is told of progress.
        settings: such as `episodes=320`.

    Returns:
        One entry for each policy and kind of z; `entry.name`, `entry.z`, `entry.episodes.won`.
    """
    paths = [path for one in policies for path in _checkpoints(one)]
    return evaluate_stage(paths, build_settings(EvaluateSettings, settings), listen=listen)


def export(
    checkpoint: Place,
    format: ExportFormat = "onnx",  # noqa: A002  the option's name
    *,
    z: ZChoice = "mean",
    out: Path | str | None = None,
    listen: Listener = silent,
) -> Path:
    """Write a policy for other runtimes; returns the path. `ptde export`.

    Args:
        checkpoint: a teacher's or a student's, or a run folder, which stands for its teacher.
        format: onnx (a graph; extra `onnx`), or npz (the weights).
        z: of a teacher that draws its z: its mean, or sampled from noise that is an input.
        out: the file; by default beside the checkpoint.
        listen: is told of the file.
    """
    return export_stage(_teacher(checkpoint), format, z, None if out is None else Path(out), listen=listen)


def report(*runs: Place, format: str = "markdown", layout: str = "full", seed: int = 0) -> str:  # noqa: A002  the option's name
    """Tables of evaluated runs as text; `ptde report`.

    Args:
        runs: folders that hold runs, at any depth; without one, what lies in the current folder.
        format: markdown, latex, html, csv, json or marl-eval.
        layout: full, paper-table2, paper-table3 or per-run.
        seed: of the bootstrap's draws.
    """
    roots: Sequence[Path] | None = [_path(run) for run in runs] or None
    return render(report_stage(None if roots is None else list(roots), seed), format, layout)


def make_env(name: str = "3m", n_envs: int = 1, env: str = "skirmish") -> BatchedEnv:
    """So many equal environments side by side; their arrays and methods: `BatchedEnv`.

    Args:
        name: a map of the environment, or a map file of your own.
        n_envs: E.
        env: skirmish, game, smac, smacv2, football or pettingzoo.
    """
    return build_environment(env, name, n_envs)


def load_policy(checkpoint: Place, z: ZChoice = "sampled") -> LoadedPolicy:
    """The policy of a checkpoint, to act in a loop of your own.

    Args:
        checkpoint: a teacher's or a student's, or a run folder, which stands for its teacher.
        z: of a teacher: sampled, the paper's way, or its mean.
    """
    path = checkpoint.path if isinstance(checkpoint, RunFolder) else in_place(checkpoint)
    trained = restore(load_checkpoint(RunFolder(path).teacher if path.is_dir() else path, "teacher", "student"))
    return LoadedPolicy(trained.policy, trained.spec, z)


def _path(place: Place) -> Path:
    return place.path if isinstance(place, RunFolder) else unpacked(place)


def _teacher(place: Place) -> Path:
    path = _path(place)
    return RunFolder(path).teacher if path.is_dir() else path


def _checkpoints(place: Place) -> list[Path]:
    return checkpoints_of(_path(place))
