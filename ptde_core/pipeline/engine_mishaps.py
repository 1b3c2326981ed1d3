"""What befalls engines while a stage plays them, told when it happens; errors of users' own code, kept in a file."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from ptde_core.algorithms.from_checkpoint import Trained
from ptde_core.base.batch import Episode
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


def environment_for(run: RunFolder, trained: Trained, n_envs: int) -> BatchedEnv:
    """A batch of environments for a policy of that run; see `keeping_errors`.

    Raises:
        PtdeError: as there, or what it needs is not here.
    """
    with keeping_errors(run):
        return trained.environment(n_envs)


def telling_of_mishaps(
    episodes: Iterable[Episode], env: BatchedEnv, run: RunFolder, listen: Listener
) -> Iterator[Episode]:
    """The same episodes, while engines that break are told of; see `keeping_errors` for `run`.

    Raises:
        PtdeError: as there.
    """
    with keeping_errors(run):
        for episode in episodes:
            tell_of_mishaps(env, listen)
            yield episode


def tell_of_mishaps(env: BatchedEnv, listen: Listener) -> None:
    """Tell what befell engines since they were asked last; broken episodes are played again from their seeds."""
    games = env.env if isinstance(env, StateBesideView) else env
    if isinstance(games, EnginePool):
        for told in games.take_mishaps():
            listen(Note(told))
