"""Which trainings are meant: the settings and the run folder of one, or of one for each of several seeds.

No torch here: the command line reads this file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.setting_fields import Values, build_settings
from ptde_core.runs.stage_settings import default_folder, read_run_config, train_teacher_settings
from ptde_core.storage.run_folder import RunFolder

Training = tuple[TrainingSettings, RunFolder]


def trainings_meant(
    values: Values, seeds: Sequence[int] | None = None, out: Path | str | None = None, *, resume: bool = False
) -> list[Training]:
    """The trainings that these settings mean: one, or with `seeds` one for each, equal but for the seed and the folder.

    Args:
        values: settings by name, without the seed where there are `seeds`.
        seeds: training seeds; None: the one in `values`, or the default.
        out: the run folder, with `seeds` the folder of theirs (`seed<number>`); by default `default_folder`.
        resume: take the settings that a run in the folder was begun with, where `values` does not name them.

    Raises:
        PtdeError: a setting that cannot be, `seed` beside `seeds`, no list of seeds, no seed or one that is there
            twice, or a run to resume that is not there or whose config.json is broken.
    """
    if resume and out is not None and not Path(out).exists():
        raise PtdeError(f"no training in {out} to go on with", "leave out --resume to begin one there")
    if seeds is None:
        return [_meant(values, None if out is None else Path(out), resume)]
    if "seed" in values:
        raise PtdeError(f"seed = {values['seed']!r} and several seeds are both given", "give one of them")
    if isinstance(seeds, str | bytes | Mapping) or not hasattr(seeds, "__iter__"):
        raise PtdeError(f"seeds = {quoted(repr(seeds))} is no list of seeds", "give for example [1, 2, 3]")
    each = [build_settings(TrainingSettings, {"seed": seed}).seed for seed in seeds]
    if not each or len(set(each)) < len(each):
        raise PtdeError(f"the seeds {each} name {'a seed twice' if each else 'no seed'}", "name each once")
    folders = [None if out is None else Path(out) / f"seed{seed}" for seed in each]
    return [_meant({**values, "seed": seed}, folder, resume) for seed, folder in zip(each, folders, strict=True)]


def _meant(values: Values, out: Path | None, resume: bool) -> Training:
    run = default_folder(train_teacher_settings(values)) if out is None else RunFolder(out)
    held = read_run_config(run).settings if resume and run.config.exists() else {}
    was = held.get("alg")
    if was is not None and values.get("alg", was) != was:  # its other settings are those of its own algorithm
        raise PtdeError(
            f"{run.path} was trained with alg = {was!r}, not {values['alg']!r}",
            "leave out --alg, or choose another folder with --out",
        )
    return train_teacher_settings(held, values), run
