"""Whether the files that lie beside a run's config.json are of the training that it tells of.

The training's digest is in status.json and provenance.json, and that of the log, as the training ended, in status.json.
Files of an older ptde lack them, and are taken for the training's own.
"""

from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import MadeFrom, digest_of
from ptde_core.runs.stage_settings import read_run_config
from ptde_core.storage.curve_file import metrics_of
from ptde_core.storage.provenance_file import read_provenance
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_status

OTHER = "of another training than config.json"
MEND = "bring back its own, or train it anew"


def log_digest(run: RunFolder) -> str:
    """Of the metrics of a run's training, in whichever file they are.

    Raises:
        PtdeError: the file is broken.
    """
    return digest_of(metrics_of(run))


def why_not_one(run: RunFolder, made_from: MadeFrom) -> str:
    """Which file of a run is of another training than `made_from`, that of its config.json; "" if none is.

    Raises:
        PtdeError: a file is broken.
    """
    if run.status.exists() and read_status(run).get("training", made_from.digest) != made_from.digest:
        return f"{run.status} is {OTHER}"
    if run.provenance.exists():
        held = read_provenance(run.provenance)
        world = made_from.world
        same_world = (held.backend, held.backend_version) == (world.environment, world.version)
        if not same_world or held.training not in ("", made_from.digest):
            return f"{run.provenance} is {OTHER}"
    return ""


def log_of(run: RunFolder) -> list[dict[str, float]]:
    """The metrics of a run's training, for whoever shows them; none where config.json does not say whose they are.

    Raises:
        PtdeError: they are another training's, or not whole though that has ended; or a file is broken.
    """
    if not run.config.exists():
        return []
    if why := why_not_one(run, read_run_config(run).made_from):
        raise PtdeError(why, MEND)
    rows, status = metrics_of(run), read_status(run) if run.status.exists() else {}
    if status.get("state") == "finished" and digest_of(rows) != status.get("log", digest_of(rows)):
        where = run.metrics if run.metrics.exists() else run.curve
        raise PtdeError(f"{where} is not the log with which the training ended", MEND)
    return rows
