"""The stage between training and distilling (paper, Algorithm 2, lines 2 and 3): the teacher's episodes, with its z."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptde_core.algorithms.catalogue import algorithm_named
from ptde_core.algorithms.from_checkpoint import Trained, restore
from ptde_core.algorithms.table_names import teacher_name
from ptde_core.base.batch import Episode
from ptde_core.base.device import device_of
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, Progress, StageFinished, StageStarted, silent
from ptde_core.base.machine_memory import check_room
from ptde_core.base.provenance import code
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.interface import EnvSpec
from ptde_core.kernels.compile_time import telling_of_compiling
from ptde_core.learning.finite import TRY, all_finite
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.pipeline.engine_mishaps import keeping_errors
from ptde_core.pipeline.play_episodes import environments_for, play_episodes, tell_of_preparation
from ptde_core.policies.network_inputs import local_inputs_of
from ptde_core.policies.policy import DevicePolicy, Exploration
from ptde_core.policies.teacher import Teacher
from ptde_core.runs.identity import check_world_of, collecting_made_from
from ptde_core.runs.stage_settings import CollectSettings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.episode_file import write_episodes
from ptde_core.storage.replay_buffer import largest_replay
from ptde_core.storage.run_folder import RunFolder, episodes_of, student_of
from ptde_core.storage.run_lock import locked_output
from ptde_core.storage.whole_file import check_output

STAGE = "collect"
SIDE_BY_SIDE = 16
ENDINGS = (".h5", ".hdf5")


def collect(teacher: Path, settings: CollectSettings, out: Path | None = None, *, listen: Listener = silent) -> Path:
    """Let the teacher play whole episodes (z sampled, as the paper's teacher plays) and write them.

    Args:
        teacher: a teacher's checkpoint.
        settings: how many episodes, and how.
        out: HDF5 file to write; by default `episodes.h5` beside the teacher (`run_folder.episodes_of`).
        listen: is told of progress and of files.

    Raises:
        StorageError: `out` cannot be written; as far as it can be known, before anything is played.
        PtdeError: not a teacher, a teacher that is not distilled, or `out` exists.
    """
    listen = telling_of_compiling(listen)
    out = out or episodes_of(teacher)
    if out.suffix not in ENDINGS or out.is_dir():
        raise PtdeError(f"{out} is no name of an HDF5 file", "give one that ends in .h5 with --out")
    if out.exists():
        raise PtdeError(f"{out} already exists", "use it with `ptde distill --data`, or give another file with --out")
    check_output(out, new=True)
    with locked_output(out, STAGE), keeping_errors(RunFolder.of(teacher)):
        return _collect(teacher, settings, out, listen)


def _collect(teacher: Path, settings: CollectSettings, out: Path, listen: Listener) -> Path:
    device = device_of(settings)
    _, trained, policy = informed_teacher(teacher, device)
    began = time.monotonic()
    listened = f"{settings.episodes} episodes of the teacher on {trained.spec.map}"
    listen(StageStarted(STAGE, listened, settings.episodes, "episodes"))
    tell_of_preparation(trained, listen)
    check_episodes_fit(settings.episodes, trained.spec)
    run, how = RunFolder.of(teacher), Exploration(settings.epsilon)
    seeds = episode_seeds(settings.seed, "collect", 0, settings.episodes)
    episodes: list[Episode] = []
    labels: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    playing = policy if device.type == "cpu" else DevicePolicy(policy, device)
    with environments_for(trained, run, min(SIDE_BY_SIDE, settings.episodes)) as env:
        for episode in play_episodes(env, playing, seeds, how, run, listen):
            episodes.append(episode)
            labels.append(label(policy, episode))
            listen(Progress(STAGE, len(episodes), how_it_goes("train", episodes, env.spec)))
    about = origin(trained) | {f"collect_{key}": value for key, value in settings.model_dump().items()}
    means, sigmas = zip(*labels, strict=True)
    made_from = collecting_made_from(settings, trained.spec.world, trained.teacher_id)
    names, kept = trained.spec.names, settings.with_state
    write_episodes(out, episodes, means, sigmas, about, names, made_from, with_state=kept, new=True)
    listen(FileSaved(out, "the teacher's episodes and z"))
    listen(StageFinished(STAGE, time.monotonic() - began))
    return out


def check_episodes_fit(episodes: int, spec: EnvSpec) -> None:
    """Refuse to collect more episodes than memory holds, if they last as long as they may: all are written at the end.

    Raises:
        PtdeError: with what they can take.
    """
    sizes = (spec.episode_limit, spec.n_agents, spec.n_actions, spec.obs_size, spec.state_size)
    needed = 2 * largest_replay(episodes, *sizes)  # as played, and as written
    check_room(needed, f"{episodes:,} episodes of up to {spec.episode_limit} steps", "collect fewer: --episodes")


def how_it_goes(kind: str, episodes: Sequence[Episode], spec: EnvSpec) -> dict[str, float]:
    """The metric shown beside a progress bar: episodes won so far, or where nothing can be won the mean return.

    Args:
        kind: of play: "test" (greedy) or "train".
        episodes: so far.
        spec: of the environment.
    """
    if spec.can_be_won:
        return {f"{kind}_win_rate": float(np.mean([e.won for e in episodes]))}
    return {f"{kind}_return": float(np.mean([e.total_reward for e in episodes]))}


def informed_teacher(path: Path, device: torch.device | None = None) -> tuple[dict[str, Any], Trained, Teacher]:
    """The content of a teacher's checkpoint and the teacher in it, on a device, which has a z to give.

    Raises:
        PtdeError: not a teacher, one without global information, a baseline of centralized execution, one whose
            student was trained with it, or one whose world has changed since.
    """
    content = load_checkpoint(path, "teacher")
    alg, info = (str(content["settings"][key]) for key in ("alg", "global_info"))
    if algorithm_named(alg).online_student is not None:
        raise PtdeError(
            f"{path} has no z to distill: {alg.upper()} trains its student together with the teacher",
            f"evaluate both: `ptde evaluate {student_of(path)}`",
        )
    if info == "none":
        raise PtdeError(
            f"{path} has no global information, so no z to collect or to distill",
            "train with --global-info agent-specific",
        )
    if not INFORMATION[info].distillable:
        raise PtdeError(
            f"{path} is a {teacher_name(alg, info)} teacher, a baseline of centralized execution that is not distilled",
            f"evaluate it: `ptde evaluate {path}`",
        )
    check_world_of(content, path)
    trained = restore(content, device)
    policy = trained.policy
    assert isinstance(policy, Teacher)
    return content, trained, policy


def origin(trained: Trained) -> dict[str, str | int]:
    """What a file of episodes says of the teacher whose z it holds, and of the world that was played."""
    return {
        "alg": trained.settings.alg,
        "global_info": trained.settings.global_info,
        "teacher_id": trained.teacher_id,
        "fingerprint": trained.spec.fingerprint(),
        "backend": trained.spec.backend,
        "map": trained.spec.map,
        "n_agents": trained.spec.n_agents,
        "n_actions": trained.spec.n_actions,
        "code": code(),
    }


@torch.no_grad()
def label(policy: Teacher, episode: Episode) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation (T, N, Z) of the teacher's z at every real step (equation 1).

    Raises:
        PtdeError: they are not finite.
    """
    device = next(policy.parameters()).device
    informed = policy.inform(local_inputs_of(episode).to(device), torch.from_numpy(episode.state[:-1]).to(device))
    assert informed is not None, "a teacher without global information has no z"
    assert informed.sigma is not None, "this teacher's z has no deviation"
    if not bool(all_finite((informed.mean, informed.sigma))):
        raise PtdeError(f"the teacher's z is not finite in the episode of seed {episode.seed}", TRY)
    return informed.mean.cpu().numpy(), informed.sigma.cpu().numpy()
