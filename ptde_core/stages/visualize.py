"""Pictures of a run: its learning curves (PNG, SVG, PDF), and one episode of play (GIF, or a game's own)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptde_core.algorithms.naming import teacher_name
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, Note, silent
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.catalogue import ENVIRONMENTS
from ptde_core.envs.skirmish.environment import UNIT_TYPES, Skirmish
from ptde_core.envs.skirmish.units import unit_facts
from ptde_core.envs.two_views import StateBesideView
from ptde_core.envs.workers.pool import EnginePool
from ptde_core.policies.play import Exploration, play
from ptde_core.policies.restore import restore
from ptde_core.stages.curves import UNDATED, draw_learning_curves, save_figure
from ptde_core.stages.drawing import Scene, UnitLook, draw_battle_gif
from ptde_core.stages.evaluate import name_of
from ptde_core.stages.football_drawing import draw_football_gif
from ptde_core.stages.reports.wording import backend_name
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.run_folder import RunFolder, read_json

# Environments whose episodes can be drawn, and what is said of one that came to an end without being won.
DRAWN = {"skirmish": "lost", "football": "not won"}


def visualize(target: Path, out: Path | None = None, *, listen: Listener = silent) -> list[Path]:
    """Draw what there is to draw.

    Args:
        target: a run folder (curves, and one episode of its teacher and of its student), or a checkpoint (one episode).
        out: folder for the pictures; default: figures/ in the run folder.
        listen: told about each picture.

    Returns:
        The pictures' paths.

    Raises:
        PtdeError: `target` is neither, there is nothing to draw yet, or the checkpoint's battles cannot be drawn.
    """
    if target.is_file():
        return [draw_play(target, out or RunFolder.of(target).figures, listen=listen)]
    run = RunFolder(target)
    if not run.config.exists():
        raise PtdeError(f"no run at {target}", "give a run folder, or a teacher.pt or student.pt")
    folder = out or run.figures
    pictures = draw_run_curves(run, folder, listen=listen) if run.metrics.exists() else []
    if not pictures:
        listen(Note("no learning curves yet: the training has not logged a test"))
    for checkpoint in (run.teacher, run.student):
        if checkpoint.exists() and can_be_shown(read_json(run.config, "settings file")["env"]):
            pictures.append(draw_play(checkpoint, folder, listen=listen))
    if not pictures:
        raise PtdeError(f"nothing to draw in {target} yet", f"go on with `ptde train-teacher --resume --out {target}`")
    return pictures


def draw_run_curves(run: RunFolder, folder: Path, *, listen: Listener = silent) -> list[Path]:
    """learning_curves.png, .svg and .pdf of a run; none where no metrics have been logged."""
    rows = read_metrics(run.metrics)
    if not rows:
        return []
    settings = read_json(run.config, "settings file")
    name = teacher_name(settings["alg"], settings["global_info"])
    title = f"{name} on {settings['map']}, seed {settings['seed']}: {backend_name(settings['env'])}"
    figure = draw_learning_curves(rows, title, int(settings["test_episodes"]))
    pictures = [save_figure(figure, folder / f"learning_curves{suffix}") for suffix in UNDATED]
    for picture in pictures:
        listen(FileSaved(picture, "learning curves"))
    return pictures


def can_be_shown(backend: str) -> bool:
    """Whether an episode of that environment can be drawn, or its game keeps what was played."""
    return backend in DRAWN or bool(ENVIRONMENTS[backend].replay)


def draw_play(checkpoint: Path, folder: Path, *, listen: Listener = silent) -> Path:
    """<checkpoint>_play.gif: the first episode of the evaluation's list (evaluation seed 0), played greedily.

    A teacher plays with z sampled, the paper's way. StarCraft II writes a .SC2Replay instead, to be watched in it.

    Raises:
        PtdeError: not a teacher's or student's checkpoint, or its environment's episodes cannot be shown.
    """
    content = load_checkpoint(checkpoint, "teacher", "student")
    trained = restore(content)
    backend = trained.spec.backend
    if not can_be_shown(backend):
        able = " or ".join(name for name in ENVIRONMENTS if can_be_shown(name))
        raise PtdeError(f"{checkpoint} plays {backend}, whose episodes cannot be shown", f"use {able}")
    env = trained.environment(1)
    seeds = episode_seeds(0, "evaluate", 0, 1)
    (episode,) = play(env, trained.policy, seeds, Exploration())
    name = name_of(content, trained)
    if trained.policy.noise_size:
        name += " (z sampled)"
    outcome = "won" if episode.won else DRAWN.get(backend, "lost") if episode.terminated else "time is up"
    picture = folder / f"{checkpoint.stem}_play{ENVIRONMENTS[backend].replay or '.gif'}"
    title = f"{name} on {trained.spec.map}: {backend_name(backend)}"
    games = env.env if isinstance(env, StateBesideView) else env
    if ENVIRONMENTS[backend].replay and isinstance(games, EnginePool):
        folder.mkdir(parents=True, exist_ok=True)
        games.save_recording(0, picture.absolute())
    elif isinstance(env, Skirmish):
        frames = _played_again(env, seeds, episode.actions)
        draw_battle_gif(frames, _scene(env, frames[0], title), picture, outcome)
    else:
        draw_football_gif(episode, trained.spec, title, picture, outcome)
    env.close()
    listen(FileSaved(picture, f"one episode of {name}, {outcome}"))
    return picture


def _played_again(env: Skirmish, seeds: NDArray[np.uint64], actions: NDArray[np.int16]) -> list[NDArray[np.void]]:
    """The battle again from its seed and actions (T, N): raw units (U,) of the first view and after each step."""
    env.reset(seeds)
    frames = [env.raw_units()[0]]
    for step in actions:
        env.step(step[None])
        frames.append(env.raw_units()[0])
    return frames


def _scene(env: Skirmish, units: NDArray[np.void], title: str) -> Scene:
    looks = []
    for unit in units:
        facts = unit_facts(UNIT_TYPES[unit["type"]], int(unit["owner"]))
        looks.append(UnitLook(facts.name, facts.radius, facts.health, facts.shield))
    return Scene(title, tuple(looks), env.facts.terrain.floor)
