"""The verbs that make something: teachers, episodes, students, evaluations, exported policies."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, overload

from ptde_core.algorithms.catalogue import OPTION
from ptde_core.api.places import Place, checkpoint_of, file_at, paths_of
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note, check_listener, silent
from ptde_core.base.setting_fields import build_settings, list_of_texts, word_of
from ptde_core.base.trusted_code import trust_code
from ptde_core.pipeline.callbacks import NONE, Callbacks, Played, Tested, Updated
from ptde_core.runs.pipeline_settings import by_stage, later_stages
from ptde_core.runs.recipes import check_recipes, distill_settings
from ptde_core.runs.stage_settings import CollectSettings, EvaluateSettings
from ptde_core.runs.trainings_meant import Training, trainings_meant
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import PAPER, RunFolder, checkpoints_of


def train_teacher(
    map: Path | str | None = None,  # noqa: A002  the setting's name
    alg: str | None = None,
    *,
    out: RunFolder | Path | str | None = None,
    resume: bool = False,
    keep_state: bool = True,
    wandb: bool = False,
    listen: Listener = silent,
    on_round: Callable[[Played], object] | None = None,
    on_update: Callable[[Updated], object] | None = None,
    on_test: Callable[[Tested], object] | None = None,
    **settings: Any,
) -> RunFolder:
    """Train a teacher (stage 1) and return its run folder; `ptde train-teacher`.

    Args:
        map: of the environment, or a map file of your own; by default the settings' own, as for `alg`.
        alg: qmix, vdn, qplex, mappo, csrl, copa, ctds, or `module:NAME` of your own (docs/how-to/add-an-algorithm.md).
        out: the run folder; by default `runs/<env>/<map>/<algorithm>/seed<seed>`.
        resume: go on with what lies there, interrupted or finished with fewer steps; what is not given here is as it
            was begun.
        keep_state: keep what it takes to go on with more steps.
        wandb: log to Weights & Biases too (extra `wandb`).
        listen: is told of progress (`ptde_core.base.events`).
        on_round: a function of yours that is called with a `Played` after each round of episodes.
        on_update: one that is called with an `Updated` after the gradient steps that followed a round.
        on_test: one that is called with a `Tested` after each test.
        settings: any other, such as `global_info="none"`, `steps=100_000`, `seed=2`.

    Raises:
        PtdeError: a setting that cannot be, a folder that cannot take this training, an error in a function of yours.
            All verbs raise it for such mistakes.
    """
    meant = trainings_meant(_named(map, alg, settings), None, file_at(out), resume=resume)
    callbacks = Callbacks(on_round, on_update, on_test)
    return _train(meant, callbacks, resume=resume, keep_state=keep_state, wandb=wandb, listen=listen)[0]


def train_teachers(
    seeds: Sequence[int],
    map: Path | str | None = None,  # noqa: A002  the setting's name
    alg: str | None = None,
    *,
    out: RunFolder | Path | str | None = None,
    resume: bool = False,
    keep_state: bool = True,
    listen: Listener = silent,
    **settings: Any,
) -> list[RunFolder]:
    """Train a teacher for each seed, all at once, and return their run folders; `ptde train-teacher --seeds`.

    Made for a GPU: on a CPU it is slower than one after the other.

    Args:
        seeds: training seeds.
        map: as for `train_teacher`.
        alg: as for `train_teacher`.
        out: folder of the run folders, which are named `seed<number>`; by default as for each by itself.
        resume: as for `train_teacher`.
        keep_state: as for `train_teacher`.
        listen: is told of progress.
        settings: as for `train_teacher`, without `seed`.
    """
    meant = trainings_meant(_named(map, alg, settings), seeds, file_at(out), resume=resume)
    return _train(meant, NONE, resume=resume, keep_state=keep_state, wandb=False, listen=listen)


def collect(teacher: Place, *, out: Path | str | None = None, listen: Listener = silent, **settings: Any) -> Path:
    """Let a teacher play and keep its episodes with z; returns the path of the HDF5 file. `ptde collect`.

    Args:
        teacher: a run folder, or a teacher's checkpoint.
        out: the file; by default beside the teacher.
        listen: is told of progress.
        settings: such as `episodes=100`.
    """
    check_listener(listen)
    made = build_settings(CollectSettings, settings)
    from ptde_core.pipeline.collect import collect as stage

    return stage(checkpoint_of(teacher), made, file_at(out), listen=listen)


@overload
def distill(
    teacher: Place,
    recipe: str = ...,
    *,
    data: Path | str | None = ...,
    out: Path | str | None = ...,
    listen: Listener = ...,
    **settings: Any,
) -> Path: ...
@overload
def distill(
    teacher: Place,
    recipe: list[str] | tuple[str, ...],
    *,
    data: Path | str | None = ...,
    out: Path | str | None = ...,
    listen: Listener = ...,
    **settings: Any,
) -> list[Path]: ...
def distill(
    teacher: Place,
    recipe: str | list[str] | tuple[str, ...] = PAPER,
    *,
    data: Path | str | None = None,
    out: Path | str | None = None,
    listen: Listener = silent,
    **settings: Any,
) -> Path | list[Path]:
    """Fit a student to its teacher (stage 2); returns the path of its checkpoint. `ptde distill --no-evaluate`.

    Args:
        teacher: a run folder, or a teacher's checkpoint.
        recipe: paper, or recurrent (recommended); all: `ptde settings distill`. Of a list of recipes each gives a
            student, and a list of paths is returned; students that are there already are left as they are.
        data: episodes from `collect`; by default they are collected first.
        out: the checkpoint; by default `student.pt` or `students/<recipe>.pt` beside the teacher.
        listen: is told of progress.
        settings: such as `steps=20_000`; they win over the recipe's.
    """
    check_listener(listen)
    names = list(recipe) if isinstance(recipe, list | tuple) else [recipe]
    check_recipes(names, out, settings)
    from ptde_core.pipeline.distill_recipes import distill_recipes
    from ptde_core.storage.checkpoint import load_checkpoint, why_untrained

    path = checkpoint_of(teacher)
    map_name = load_checkpoint(path, "teacher")["settings"]["map"]
    if why := why_untrained(path):
        listen(Note(why))
    made = [distill_settings(name, map_name, settings) for name in names]
    students = distill_recipes(path, made, file_at(data), file_at(out), listen=listen)
    return students[0] if isinstance(recipe, str) else students


def evaluate(
    *policies: Place, only_missing: bool = False, listen: Listener = silent, **settings: Any
) -> list[EvaluationEntry]:
    """Play the same greedy episodes with each policy; `ptde evaluate`. The results are kept in their run folders too.

    Args:
        policies: checkpoints, or run folders, which stand for their teacher and all its students. A student brings its
            teacher along.
        only_missing: just these policies, and of them play only those whose result is not kept yet.
        listen: is told of progress.
        settings: such as `episodes=320`.

    Returns:
        One entry for each policy and kind of z; `entry.name`, `entry.z`, `entry.episodes.won`.
    """
    check_listener(listen)
    made = build_settings(EvaluateSettings, settings)
    places = paths_of(policies, "policy")
    from ptde_core.pipeline import evaluate as stage

    paths = [path for one in places for path in checkpoints_of(one)]
    play = stage.evaluate_what_is_due if only_missing else stage.evaluate
    return play(paths, made, listen=listen)


def run(
    map: Path | str | None = None,  # noqa: A002  the setting's name
    alg: str | None = None,
    *,
    recipes: str | Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    out: RunFolder | Path | str | None = None,
    keep_state: bool = True,
    wandb: bool = False,
    listen: Listener = silent,
    **settings: Any,
) -> list[EvaluationEntry]:
    """Train a teacher, distill its students and evaluate all; called again it goes on. `ptde run`.

    Args:
        map: as for `train_teacher`.
        alg: as for `train_teacher`.
        recipes: one or several, a student each; by default the paper's and the recommended one.
        seeds: several training seeds, as for `train_teachers`; without `seed` and `wandb`.
        out: the run folder, or with `seeds` the folder of theirs; by default as for `train_teacher`.
        keep_state: keep what it takes to go on with more steps.
        wandb: log the training to Weights & Biases too (extra `wandb`).
        listen: is told of progress.
        settings: of the training by name, and of a later stage under its name: `distill={"steps": 20_000}`.

    Returns:
        As `evaluate`; `ptde.tables` and `ptde.render` lay them out.
    """
    names = list_of_texts("recipes", recipes)
    of_training, later = by_stage(_named(map, alg, settings))
    meant = trainings_meant(of_training, seeds, file_at(out))
    pipelines = [(later_stages(own, [later], names), folder) for own, folder in meant]
    from ptde_core.pipeline.run import run_all

    with _logged(meant, wandb, listen) as heard:
        return run_all(pipelines, keep_state=keep_state, listen=heard)


def export(
    checkpoint: Place,
    format: Literal["onnx", "npz"] = "onnx",  # noqa: A002  the option's name
    *,
    z: Literal["mean", "sampled"] = "mean",
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
    check_listener(listen)
    from ptde_core.pipeline.export import export as stage

    return stage(checkpoint_of(checkpoint), word_of(format), word_of(z), file_at(out), listen=listen)


def _train(
    meant: Sequence[Training], callbacks: Callbacks, *, resume: bool, keep_state: bool, wandb: bool, listen: Listener
) -> list[RunFolder]:
    from ptde_core.pipeline.train_teacher import train_teachers as stage

    with _logged(meant, wandb, listen) as heard:
        stage(meant, resume=resume, keep_state=keep_state, listen=heard, callbacks=callbacks)
    return [folder for _, folder in meant]


@contextmanager
def _logged(meant: Sequence[Training], wandb: bool, listen: Listener) -> Iterator[Listener]:
    """A listener that is told all, and with `wandb` logs to Weights & Biases too."""
    check_listener(listen)
    if not wandb:
        yield listen
        return
    if len(meant) > 1:
        raise PtdeError("wandb logs one run, and seeds makes several", "leave out one of them")
    from ptde_core.pipeline.weights_and_biases import weights_and_biases

    with weights_and_biases(*meant[0], listen) as both:
        yield both


def _named(map_name: Path | str | None, alg: str | None, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with these two among them, where they are given. A typed algorithm is trusted."""
    if alg is not None:
        trust_code(OPTION, alg)
    given = {"map": os.fspath(map_name) if isinstance(map_name, os.PathLike) else map_name, "alg": alg}
    return {**{key: value for key, value in given.items() if value is not None}, **settings}
