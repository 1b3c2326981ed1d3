"""Winning play: what a trained policy's won episodes are like, beside those of the real game's winners."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ptde_core.algorithms.from_checkpoint import restore
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note, Progress, StageFinished, StageStarted, silent
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.skirmish.beside_the_game import Comparison, OursWithin, figures, maps_with_figures
from ptde_core.pipeline.play_episodes import environments_for, play_episodes, tell_of_preparation
from ptde_core.pipeline.recorded_replay import Candidate, candidates_of
from ptde_core.runs.stage_settings import CalibrateSettings
from ptde_core.storage.run_folder import RunFolder

STAGE = "winning play"
SIDE_BY_SIDE = 32
ROUNDED = {"length": 0.05, "return": 0.005, "dead_allies": 0.005}  # half a unit of the last digit that was logged


def compare_winning(
    checkpoints: Sequence[Path], settings: CalibrateSettings, *, listen: Listener = silent
) -> list[Comparison]:
    """Greedy episodes of each policy; the won ones' means hold where 90 % of the real game's winners have theirs.

    Raises:
        PtdeError: no checkpoint; one of another environment, of other rules, or of a map without such figures; or a
            policy that wins nothing.
    """
    candidates = [candidates_of(path)[0] for path in checkpoints]
    for candidate in candidates:
        _check(candidate)
    total = settings.policy_episodes * len(candidates)
    listen(
        StageStarted(STAGE, f"{settings.policy_episodes} greedy episodes each of {len(candidates)}", total, "episodes")
    )
    began, found = time.monotonic(), list[Comparison]()
    for number, candidate in enumerate(candidates):
        found += _compare(candidate, settings, number * settings.policy_episodes, listen)
    listen(StageFinished(STAGE, time.monotonic() - began))
    return found


def _check(candidate: Candidate) -> None:
    env = candidate.content["env"]
    if env["backend"] != "skirmish":
        raise PtdeError(f"{candidate.path} was trained on {env['backend']}, not on skirmish", "give one of skirmish")
    known = maps_with_figures("winning")
    if env["map"] not in known:
        raise PtdeError(
            f"{candidate.path} plays {env['map']}, and how the real game's policies win there is not known",
            f"give one of {', '.join(known)}",
        )


def _compare(candidate: Candidate, settings: CalibrateSettings, done: int, listen: Listener) -> list[Comparison]:
    trained = restore(candidate.content)
    tell_of_preparation(trained, listen)
    run, how = RunFolder.of(candidate.path), candidate.how(keep_noise=False)
    seeds = episode_seeds(settings.seed, "evaluate", 0, settings.policy_episodes)
    won: list[tuple[float, float, float]] = []
    with environments_for(trained, run, min(SIDE_BY_SIDE, settings.policy_episodes)) as env:
        for count, episode in enumerate(play_episodes(env, trained.policy, seeds, how, run, listen), start=1):
            if episode.won:
                dead = int(episode.available[-1, :, 0].sum())  # SMAC: the dead have "no-op" alone, the living never
                won.append((episode.length, episode.total_reward, dead))
            listen(Progress(STAGE, done + count, {"test_win_rate": len(won) / count}))
    if not won:
        raise PtdeError(
            f"{candidate.path} wins none of {settings.policy_episodes} episodes, so it shows nothing of winning play",
            "give a policy that wins",
        )
    listen(Note(f"{candidate.path} wins {len(won)} of {settings.policy_episodes}"))
    length, total_reward, dead_allies = np.mean(won, axis=0)
    return compare_won(
        trained.spec.map, {"length": length, "return": total_reward, "dead_allies": dead_allies}, len(won)
    )


def compare_won(name: str, ours: dict[str, float], won: int) -> list[Comparison]:
    """Means over won episodes beside the real game's, where these are known.

    Args:
        name: the map.
        ours: mean length, return and dead allies.
        won: episodes that these are means over.
    """
    found = []
    for figure, (low, middle, high) in figures()["winning"][name].items():
        rule = OursWithin(low, high, ROUNDED[figure])
        words = f"{figure.replace('_', ' ')}, {won} won"
        found.append(Comparison("winning", name, words, middle, float(ours[figure]), rule))
    return found
