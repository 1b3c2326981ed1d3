"""Whether what a finished run folder holds still belongs together: the one place where a sweep asks for it."""

from ptde_core.base.errors import PtdeError
from ptde_core.storage.evaluation_file import read_evaluation
from ptde_core.storage.provenance_file import read_provenance
from ptde_core.storage.run_folder import RunFolder


def stale(run: RunFolder) -> str:
    """Why a run that was finished has to be worked on again; "" if it has not.

    Its files have to be there, and its evaluations to be of the rules that it was trained by.
    """
    for path in (run.config, run.teacher, run.evaluation):
        if not path.exists():
            return f"{path.name} is missing"
    try:
        trained_by = read_provenance(run.provenance)
        entries = read_evaluation(run.evaluation).entries
    except PtdeError as error:
        return str(error)
    for entry in entries:
        if not (run.path / entry.checkpoint).exists():
            return f"{entry.checkpoint} was evaluated and is missing"
        if (entry.backend, entry.backend_version) != (trained_by.backend, trained_by.backend_version):
            rules = f"{trained_by.backend} {trained_by.backend_version}"
            return f"it was trained on {rules} and evaluated on {entry.backend} {entry.backend_version}"
    return ""
