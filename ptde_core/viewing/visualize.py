"""Pictures of a run: its learning curves, and episodes of play to watch or to look into."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from ptde_core.algorithms.table_names import teacher_name
from ptde_core.base.errors import PtdeError, unknown
from ptde_core.base.events import FileSaved, Listener, Note, silent
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.pipeline.recorded_replay import candidates_of, record_in_game
from ptde_core.results.wording import backend_name
from ptde_core.runs.identity import why_other_world
from ptde_core.runs.one_training import log_of
from ptde_core.runs.stage_settings import read_run_config
from ptde_core.storage.replay_file import is_replay, read_header
from ptde_core.storage.run_folder import REPLAYS, RunFolder
from ptde_core.storage.whole_file import check_output, refuse_linked
from ptde_core.viewing.picture_formats import CURVES, FORMATS, GAME, OF_EPISODES
from ptde_core.viewing.replays.chosen_episodes import Shown, files_of, shown_of, why_stale
from ptde_core.viewing.replays.movie import next_to_each_other, pictures_of, save_gif, save_moments, save_mp4
from ptde_core.viewing.replays.page import write_page
from ptde_core.viewing.run_curves import UNDATED, draw_learning_curves, panels_of, save_figure


def _gif(shown: list[Shown], path: Path, moments: Sequence[int]) -> None:  # noqa: ARG001  one signature
    save_gif(next_to_each_other([pictures_of(one) for one in shown]), path)


def _mp4(shown: list[Shown], path: Path, moments: Sequence[int]) -> None:  # noqa: ARG001
    save_mp4(next_to_each_other([pictures_of(one) for one in shown]), path)


def _png(shown: list[Shown], path: Path, moments: Sequence[int]) -> None:
    save_moments([pictures_of(one) for one in shown], path, moments)


def _html(shown: list[Shown], path: Path, moments: Sequence[int]) -> None:  # noqa: ARG001
    write_page(shown, path)


DRAW: Mapping[str, Callable[[list[Shown], Path, Sequence[int]], None]] = dict(
    zip(OF_EPISODES, (_gif, _mp4, _png, _html), strict=True)
)


def visualize(
    targets: Sequence[Path],
    formats: Collection[str] = (),
    out: Path | None = None,
    *,
    number: int = 0,
    evaluation_seed: int = 0,
    moments: Sequence[int] = (),
    listen: Listener = silent,
) -> list[Path]:
    """Draw learning curves and episodes, as far as the targets have them.

    Args:
        targets: a run folder (its curves, and an episode of its teacher and of its student next to each other), or one
            or two checkpoints or replays (an episode each, from the same start).
        formats: of `FORMATS`; by default curves, GIF, HTML and the game's own, as far as the targets have them.
        out: folder for the pictures; default: figures/ in the run folder.
        number: which episode, from 0: of the evaluation's list, or of those that a replay holds.
        evaluation_seed: of that list.
        moments: the steps that a PNG shows; by default some that are evenly spread.
        listen: told about each picture.

    Returns:
        The pictures' paths.

    Raises:
        PtdeError: no such format, a target is none of these, there is nothing to draw yet, or a format does not suit
            the targets.
        StorageError: the pictures cannot be written, or figures/ is a link.
    """
    _check(targets, formats)
    folder = out or _run_of(targets[0]).figures
    if out is None:
        refuse_linked(folder)
    check_output(folder / "learning_curves.png")
    pictures = []
    if CURVES in formats or not formats:
        pictures += _curves(targets, folder, asked=CURVES in formats, listen=listen)
    wanted = [name for name in OF_EPISODES if name in formats or (not formats and name in ("gif", "html"))]
    if wanted and (formats or _can_play(targets)):
        for target in targets:
            if target.is_dir() and (others := RunFolder(target).all_students[1:]):
                told = ", ".join(str(path) for path in others)
                listen(Note(f"not shown: {told}; give two checkpoints to see them: ptde visualize TEACHER STUDENT"))
        for replay in filter(is_replay, files_of(targets)):
            if why := why_stale(replay, read_header(replay)):
                listen(Note(f"{replay} is stale: {why}"))
        shown = shown_of(targets, number, evaluation_seed, listen=listen)
        stem = f"{targets[0].stem}_play" if len(targets) == 1 and targets[0].is_file() else "play"
        for name in wanted:
            if not formats and name == "gif" and shown[0].episode.units is None:
                continue
            picture = folder / f"{stem}.{name}"
            DRAW[name](shown, picture, moments)
            listen(FileSaved(picture, "; ".join(f"one episode of {one.title}, {one.ending}" for one in shown)))
            pictures.append(picture)
    if GAME in formats or (not formats and _can_play(targets)):
        pictures += _games(targets, folder, number, evaluation_seed, asked=GAME in formats, listen=listen)
    if not pictures:
        again = f"go on with `ptde train-teacher --resume --out {targets[0]}`"
        raise PtdeError(f"nothing to draw in {targets[0]} yet", again)
    return pictures


def _check(targets: Sequence[Path], formats: Collection[str]) -> None:
    for name in formats:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    for target in targets:
        if not target.exists() or (target.is_dir() and not RunFolder(target).config.exists()):
            raise PtdeError(f"no run at {target}", "give a run folder, a teacher.pt or student.pt, or a replay")


def _run_of(target: Path) -> RunFolder:
    if target.is_dir():
        return RunFolder(target)
    return RunFolder(target.parent.parent) if target.parent.name == REPLAYS else RunFolder.of(target)


def _can_play(targets: Sequence[Path]) -> bool:
    return all(target.is_file() or RunFolder(target).teacher.exists() for target in targets)


def _games(
    targets: Sequence[Path], folder: Path, number: int, evaluation_seed: int, *, asked: bool, listen: Listener
) -> list[Path]:
    """For each checkpoint of a game that writes replay files: one of an episode."""
    pictures = []
    for path in files_of(targets):
        if is_replay(path):
            continue
        candidate = candidates_of(path)[0]
        suffix = ENVIRONMENTS[candidate.content["env"]["backend"]].replay
        if suffix or asked:
            picture = folder / f"{path.stem}_play{suffix}"
            record_in_game(candidate, evaluation_seed, number, picture, listen=listen)
            listen(FileSaved(picture, "one episode, to be watched in the game"))
            pictures.append(picture)
    return pictures


def _curves(targets: Sequence[Path], folder: Path, *, asked: bool, listen: Listener) -> list[Path]:
    runs = [RunFolder(target) for target in targets if target.is_dir()]
    if asked and not runs:
        raise PtdeError(f"{targets[0]} has no learning curves", "give its run folder")
    pictures = [picture for run in runs for picture in draw_run_curves(run, folder, listen=listen)]
    if runs and not pictures:
        listen(Note("no learning curves yet: the training has not logged a test"))
    return pictures


def draw_run_curves(run: RunFolder, folder: Path, *, listen: Listener = silent) -> list[Path]:
    """learning_curves.png, .svg and .pdf of a run; none where no metrics have been logged that one could draw."""
    rows = log_of(run)
    if not panels_of(rows):
        return []
    config = read_run_config(run)
    settings, world = config.settings, config.made_from.world
    if why := why_other_world(world, str(settings["map"])):
        listen(Note(f"{run.path} is stale: it was {why}"))
    name = teacher_name(settings["alg"], settings["global_info"])
    place = f"{backend_name(settings['env'])}, version {world.version}"
    title = f"{name} on {world.map}, seed {settings['seed']}: {place}"
    figure = draw_learning_curves(rows, title, int(settings["test_episodes"]))
    pictures = [save_figure(figure, folder / f"learning_curves{suffix}") for suffix in UNDATED]
    for picture in pictures:
        listen(FileSaved(picture, "learning curves"))
    return pictures
