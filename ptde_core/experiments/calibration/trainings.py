"""QMIX with PyMARL2's settings beside the real game's: its first steps (nearly random play), and how it learns."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note, silent
from ptde_core.base.setting_fields import Values
from ptde_core.envs.skirmish.beside_the_game import ByError, Comparison, figures, maps_with_figures
from ptde_core.envs.skirmish.spec import VERSION
from ptde_core.experiments.calibration.chosen_maps import maps_among
from ptde_core.experiments.calibration.processes import Training, train_side_by_side
from ptde_core.runs.stage_settings import CalibrateSettings, train_teacher_settings
from ptde_core.storage.curve_file import metrics_of
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.run_folder import RunFolder

PYMARL2: Values = {
    "alg": "qmix",
    "global_info": "none",
    "hidden_size": 64,
    "n_envs": 8,
    "batch_episodes": 128,
    "replay_episodes": 5000,
    "updates_per_round": 1,
    "target_every_episodes": 200,
    "learning_rate": 1e-3,
    "gamma": 0.99,
    "td_lambda": 0.6,
    "gradient_clip": 10.0,
    "td_loss_factor": 0.5,
    "bootstrap_at_limit": False,
    "average_weights": 0.0,
    "mixer_embed": 32,
    "mixer_hyper": 64,
    "epsilon_start": 1.0,
    "epsilon_end": 0.05,
    "epsilon_steps": 100_000,
    "test_every": 10_000,
    "test_episodes": 32,
}
"""What the real game's trainings were made with (github.com/hijkzzz/pymarl2), whatever a map's preset says."""

NEAR_RANDOM_STEPS = 10_000
MARKS = (500_000, 1_000_000, 2_000_000)  # env steps at which learning is compared
WINDOW = 60_000  # env steps before a mark whose tests are averaged
TESTED = ("test_win_rate", "test_length", "test_return")


def pymarl2_settings(map_name: str, seed: int, steps: int) -> TrainingSettings:
    """The settings of one such training."""
    return train_teacher_settings(PYMARL2, {"map": map_name, "seed": seed, "steps": steps})


def compare_near_random(
    maps: Sequence[str], settings: CalibrateSettings, *, listen: Listener = silent
) -> list[Comparison]:
    """Mean return and length of trainings' first steps, beside the log's.

    Raises:
        PtdeError: a single seed: the spread between trainings cannot be seen then.
        KeyboardInterrupt: interrupted; nothing is kept.
    """
    if settings.seeds < 2:
        raise PtdeError(
            f"seeds = {settings.seeds}, and near-random play goes by the spread between seeds", "give 2 or more"
        )
    with tempfile.TemporaryDirectory() as folder:
        trainings: dict[str, list[Training]] = {
            name: [
                (
                    train_teacher_settings(
                        PYMARL2, {"map": name, "seed": seed, "steps": NEAR_RANDOM_STEPS, "test_episodes": 0}
                    ),
                    RunFolder(Path(folder) / name / f"seed{seed}"),
                )
                for seed in range(1, settings.seeds + 1)
            ]
            for name in maps
        }
        title = f"the first {NEAR_RANDOM_STEPS:,} env steps of QMIX on {', '.join(maps)}, {settings.seeds} seeds"
        train_side_by_side([one for each in trainings.values() for one in each], "near-random", title, listen=listen)
        return [
            one
            for name, each in trainings.items()
            for one in compare_first_steps(name, [_explored(run) for _, run in each])
        ]


def _explored(run: RunFolder) -> tuple[float, float]:
    """Mean return and length of all episodes that a training has played to learn from."""
    rows = read_metrics(run.metrics)
    episodes = np.diff([0.0, *(row["episodes"] for row in rows)])  # of each line
    returns, lengths = (np.array([row[f"train_{what}"] for row in rows]) for what in ("return", "length"))
    return float(returns @ episodes / episodes.sum()), float(lengths @ episodes / episodes.sum())


def compare_first_steps(name: str, trainings: Sequence[tuple[float, float]]) -> tuple[Comparison, Comparison]:
    """Mean return and length of several trainings' first steps on a map, beside the log's.

    z = (ours - real) / (s sqrt(1 / R + 1 / K)). s is the spread between our K trainings (K - 1 degrees of freedom); the
    log is taken for R = episodes x length / 10,000 trainings that scatter likewise.

    Args:
        name: the map.
        trainings: (return, length) of each, at least two.
    """
    real = figures()["near_random"][name]
    logged = max(1.0, real["episodes"] * real["length"] / NEAR_RANDOM_STEPS)
    values = np.array(trainings)  # (K, 2)
    errors = values.std(axis=0, ddof=1) * (1.0 / logged + 1.0 / len(values)) ** 0.5
    means = values.mean(axis=0)
    of_return, of_length = (
        Comparison(
            "near-random",
            name,
            f"mean {figure}",
            real[figure],
            float(ours),
            ByError(float(error)),
            int(real["episodes"]),
        )
        for figure, ours, error in zip(("return", "length"), means, errors, strict=True)
    )
    return of_return, of_length


@dataclass(frozen=True)
class Progressed:
    """What one training's tests gave.

    Args:
        map: where.
        seed: of the training.
        env_steps: how far its tests go.
        at: (mark, metric of `TESTED`) -> mean of the tests in the last `WINDOW` env steps; no marks that lie ahead.
    """

    map: str
    seed: int
    env_steps: int
    at: dict[tuple[int, str], float]


def learning_folder(runs: Path, map_name: str, seed: int) -> RunFolder:
    """Where such a training lies: other rules, other folder."""
    return RunFolder(runs / f"skirmish-{VERSION}" / map_name / f"seed{seed}")


def learn(
    maps: Sequence[str], settings: CalibrateSettings, runs: Path, *, train: bool = True, listen: Listener = silent
) -> list[Progressed]:
    """Train on all maps with all seeds, and read off how well they did.

    Args:
        maps: only these of those with figures of learning; empty: all.
        settings: seeds and env steps.
        runs: the folder of all these trainings; finished ones are kept, begun ones go on.
        train: false reads off what there is.
        listen: told how far it is.

    Raises:
        PtdeError: as `train_side_by_side`; no such map, or no such figures for it.
        KeyboardInterrupt: interrupted; the same call goes on.
    """
    chosen = maps_among(maps_with_figures("learning"), maps)
    trainings = [
        (pymarl2_settings(name, seed, settings.steps), learning_folder(runs, name, seed))
        for seed in range(1, settings.seeds + 1)  # a first seed of every map, then a second
        for name in chosen
    ]
    if train:
        listen(Note(f"trainings are kept in {runs}; what there is by now: add --no-training"))
        title = f"QMIX as in PyMARL2 on {', '.join(chosen)}, {settings.seeds} seeds"
        train_side_by_side(trainings, "calibrate", title, listen=listen)
    found = [progressed(one.map, one.seed, _rows(run)) for one, run in trainings]
    return sorted(found, key=lambda one: chosen.index(one.map))


def _rows(run: RunFolder) -> list[dict[str, float]]:
    return metrics_of(run)


def progressed(map_name: str, seed: int, rows: Sequence[dict[str, float]]) -> Progressed:
    """What a training's lines of metrics say at each mark that it has reached."""
    steps = int(rows[-1]["env_steps"]) if rows else 0
    at: dict[tuple[int, str], float] = {}
    for mark in MARKS:
        tests = [row for row in rows if mark - WINDOW < row["env_steps"] <= mark and "test_win_rate" in row]
        if steps >= mark and tests:
            at |= {(mark, metric): float(np.mean([row[metric] for row in tests])) for metric in TESTED}
    return Progressed(map_name, seed, steps, at)
