"""Whether what a finished run folder holds still belongs together: the one place where a sweep asks for it."""

from ptde_core.base.errors import PtdeError
from ptde_core.runs.stage_settings import read_run_config
from ptde_core.storage.evaluation_file import read_evaluation
from ptde_core.storage.run_folder import RunFolder


def stale(run: RunFolder) -> str:
    """Why a run that was finished has to be worked on again; "" if it has not.

    Its files have to be there, made from the current world, and its evaluations have to be of its checkpoints.
    """
    from ptde_core.runs.identity import why_other_world, why_stale  # numpy loads here

    for path in (run.config, run.teacher, run.evaluation):
        if not path.exists():
            return f"{path.name} is missing"
    try:
        made_from = read_run_config(run).made_from
        if why := why_other_world(made_from.world, str(made_from.settings["map"])):
            return f"it was {why}"
        told = why_stale(run, read_evaluation(run.evaluation).entries, made_from)
        return next(filter(None, told), "")
    except PtdeError as error:
        return str(error)
