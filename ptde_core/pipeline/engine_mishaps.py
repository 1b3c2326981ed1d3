"""Engines that break during play are reported, and an error in the user's own code is kept in a file of the run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ptde_core.base.errors import PtdeError, StorageError, UserCodeError
from ptde_core.base.events import Listener, Note
from ptde_core.envs.interface import BatchedEnv
from ptde_core.envs.two_views import StateBesideView
from ptde_core.envs.workers.pool import EnginePool
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.whole_file import write_text


@contextmanager
def keeping_errors(run: RunFolder) -> Iterator[None]:
    """Keep the whole traceback of an error in the user's own code (an environment, a callback) in the run folder.

    Raises:
        PtdeError: in place of such a `UserCodeError`; it names the file.
    """
    try:
        yield
    except UserCodeError as error:
        if not error.trace:
            raise
        with suppress(StorageError):
            write_text(run.error, f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n{error.trace}")
            raise PtdeError(error.problem, f"the whole traceback is in {run.error}; {error.fix}") from error
        raise


def tell_of_mishaps(env: BatchedEnv, listen: Listener) -> None:
    """Tell which engines broke since the last call; their episodes are played again from their seeds."""
    games = env.env if isinstance(env, StateBesideView) else env
    if isinstance(games, EnginePool):
        for told in games.take_mishaps():
            listen(Note(told))
