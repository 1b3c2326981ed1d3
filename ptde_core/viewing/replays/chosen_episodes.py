"""The episodes to show: one, or two with the same start; read from replays, or played now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, silent
from ptde_core.base.printable import printable
from ptde_core.pipeline.recorded_replay import candidates_of, play_again
from ptde_core.results.wording import backend_name
from ptde_core.runs.identity import made_from_of, why_other_world
from ptde_core.storage.checkpoint import identity, load_checkpoint
from ptde_core.storage.replay_file import Replay, ReplayEpisode, ReplayHeader, is_replay, read_replay
from ptde_core.storage.run_folder import REPLAYS, RunFolder
from ptde_core.viewing.replays.divergence import check_same_start

LOST = {"skirmish": "lost"}  # the word for an episode that terminated without being won


@dataclass(frozen=True)
class Shown:
    """One episode of a replay."""

    replay: Replay
    episode: ReplayEpisode

    @property
    def title(self) -> str:
        """Who plays: "QMIX_SGI (z sampled)"."""
        header = self.replay.header
        return printable(header.name) + (" (z sampled)" if header.z == "sampled" else "")

    @property
    def place(self) -> str:
        """What is played: "3m: skirmish, not StarCraft II"."""
        header = self.replay.header
        return f"{printable(header.map)}: {backend_name(header.backend)}"

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.episode.won:
            return "won"
        if not self.replay.header.can_be_won and self.episode.terminated:
            return "over"
        return LOST.get(self.replay.header.backend, "not won") if self.episode.terminated else "time is up"


def shown_of(targets: Sequence[Path], number: int, evaluation_seed: int, *, listen: Listener = silent) -> list[Shown]:
    """The episodes to show for these targets.

    Args:
        targets: one run folder (its teacher and one student, see `files_of`) or one or two checkpoints or replays.
        number: index of the episode, from 0: in the evaluation's list, or in the replay.
        evaluation_seed: seed of that list, for episodes that are played now.
        listen: is told of engines that broke.

    Raises:
        PtdeError: nothing to play, no such episode, or two with different starts.
    """
    files = files_of(targets)
    if len(files) > 2:
        raise PtdeError(f"{len(files)} episodes are too many to be shown next to each other", "give at most two")
    checkpoints = [None if is_replay(file) else file for file in files]
    besides = [*reversed(checkpoints)] if len(files) == 2 else [None]
    shown = [_shown(file, number, evaluation_seed, beside, listen) for file, beside in zip(files, besides, strict=True)]
    for other in shown[1:]:
        check_same_start(shown[0].replay, shown[0].episode, other.replay, other.episode)
    return shown


def files_of(targets: Sequence[Path]) -> list[Path]:
    """The checkpoints and replays of the targets; for a run folder its teacher and one student, preferably the paper's.

    Raises:
        PtdeError: a folder with neither.
    """
    return [file for target in targets for file in _files(target)]


def _files(target: Path) -> list[Path]:
    if target.is_file():
        return [target]
    run = RunFolder(target)
    found = [*([run.teacher] if run.teacher.exists() else []), *run.all_students[:1]]
    if not found:
        raise PtdeError(
            f"no teacher.pt or student.pt in {target} to play", "give a run folder, a checkpoint or a replay"
        )
    return found


def _shown(path: Path, number: int, evaluation_seed: int, beside: Path | None, listen: Listener) -> Shown:
    if not is_replay(path):
        replay = play_again(candidates_of(path)[0], evaluation_seed, number, beside, listen=listen)
        return Shown(replay, replay.episodes[0])
    replay = read_replay(path)
    if number >= len(replay.episodes):
        raise PtdeError(f"no episode {number} in {path}: it holds {len(replay.episodes)}", "they count from 0")
    return Shown(replay, replay.episodes[number])


def why_stale(path: Path, header: ReplayHeader) -> str:
    """Why a replay is not what its checkpoint would play if asked again; "" if it is.

    Raises:
        PtdeError: the checkpoint cannot be read, or does not say what it was made from.
    """
    checkpoint = (path.parent.parent if path.parent.name == REPLAYS else path.parent) / header.checkpoint
    if not checkpoint.is_file():
        return f"{header.checkpoint}, which played it, is not there any more"
    content = load_checkpoint(checkpoint, "teacher", "student")
    if identity(content["networks"]) != header.policy_id:
        return f"{header.checkpoint} is another than the one that played it"
    return why_other_world(made_from_of(content, checkpoint).world, str(content["settings"]["map"]))
