"""The catalogue of metrics: group, unit and meaning of every number that a stage logs. An unknown name is an error."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan

from ptde_core.base.errors import unknown


@dataclass(frozen=True)
class Metric:
    """What a logged number is. `unit` is "" for a pure number; `group` is its section in TensorBoard."""

    group: str
    unit: str
    meaning: str


METRICS: Mapping[str, Metric] = {
    "test_win_rate": Metric("play", "fraction", "greedy episodes won / greedy episodes played during training"),
    "test_return": Metric("play", "reward", "mean return of those greedy episodes"),
    "test_length": Metric("play", "env steps", "mean length of those greedy episodes"),
    "student_test_win_rate": Metric(
        "play", "fraction", "the same for a student that is trained with its teacher (CTDS)"
    ),
    "student_test_return": Metric("play", "reward", "mean return of the student's greedy episodes"),
    "student_test_length": Metric("play", "env steps", "mean length of the student's greedy episodes"),
    "train_win_rate": Metric("play", "fraction", "won / played episodes of exploring play since the last log"),
    "train_return": Metric("play", "reward", "mean return of exploring play since the last log"),
    "train_length": Metric("play", "env steps", "mean length of exploring play since the last log"),
    "epsilon": Metric(
        "play", "probability", "chance of a random action per agent and step, where exploring is epsilon-greedy"
    ),
    "td_loss": Metric("learning", "reward squared", "mean squared TD(lambda) error over real steps"),
    "td_error_abs": Metric("learning", "reward", "mean absolute TD(lambda) error over real steps"),
    "q_taken_mean": Metric("learning", "reward", "mean joint value of the actions taken"),
    "target_mean": Metric("learning", "reward", "mean TD(lambda) target"),
    "gradient_norm": Metric(
        "learning", "", "norm of all gradients before clipping; of an actor and a critic, the actor's"
    ),
    "critic_gradient_norm": Metric("learning", "", "norm of the critic's gradients before clipping"),
    "policy_loss": Metric("learning", "", "clipped surrogate loss of the last epoch, over agents that have a choice"),
    "value_loss": Metric("learning", "", "clipped Huber loss of the normalised values in the last epoch"),
    "policy_entropy": Metric("learning", "nat", "mean entropy of the policies of agents that have a choice"),
    "policy_kl": Metric("learning", "nat", "estimated KL divergence from the policy that played, in the last epoch"),
    "clip_share": Metric("learning", "fraction", "probability ratios outside the clipping range in the last epoch"),
    "value_explained": Metric(
        "learning", "fraction", "1 - variance of (return - value) / variance of the return, before learning"
    ),
    "return_mean": Metric("learning", "reward", "mean lambda-return of the played steps, what the critic learns"),
    "return_std": Metric(
        "learning", "reward", "running standard deviation of the lambda-returns that normalises the values"
    ),
    "student_value_loss": Metric(
        "student", "reward squared", "mean squared error to the teacher's values of available actions"
    ),
    "student_gradient_norm": Metric("student", "", "norm of all the student's gradients before clipping"),
    "z_sigma_mean": Metric("information", "", "mean standard deviation of the global information z"),
    "z_log_q": Metric("information", "nats", "COPA: mean over steps of log q(z) of the whole segment that holds z"),
    "z_entropy": Metric("information", "nats", "COPA: mean entropy of the coach's Gaussian"),
    "episodes": Metric("cost", "episodes", "whole episodes played for training"),
    "updates": Metric("cost", "gradient steps", "gradient steps taken"),
    "env_steps_per_s": Metric("cost", "env steps/s", "training steps of the environment per second of this sitting"),
    "play_share": Metric(
        "cost", "fraction", "share of this sitting spent playing, or waiting for play (the rest learns or tests)"
    ),
    "student_loss": Metric("student", "", "mean squared error to the teacher's z on training rows"),
    "student_validation_loss": Metric("student", "", "the same on episodes held out from training"),
    "student_same_action": Metric(
        "student", "fraction", "held-out agent-steps where z' and z lead to the same best action"
    ),
    "student_explained": Metric(
        "student", "fraction", "1 - validation error / variance of the teacher's z: 1 = all recovered"
    ),
}


SHARES = frozenset(name for name in METRICS if name.endswith("win_rate"))  # parts of a whole: in 0..1
MOST_STEPS = 10**12  # env steps that settings allow; the paper's longest training has 10 million
BEYOND = 2 * MOST_STEPS  # a log's: the last round of episodes goes beyond the settings' steps
MOST = 1e39  # just above what 32 bits hold, as all that is logged was once


def check_metrics(values: Mapping[str, float]) -> None:
    """Raise on a name that is not in the catalogue: metrics are never spelled twice."""
    for name in values:
        if name not in METRICS:
            raise unknown("metric", name, METRICS, "log it under a name of the catalogue: docs/reference/metrics.md")


def check_logged(env_steps: float, metrics: Mapping[str, float], after: float) -> None:
    """Check a line of metrics that was read from a file; a metric that was undefined is NaN.

    Args:
        env_steps: of the line.
        metrics: of the line.
        after: env steps of the line before.

    Raises:
        ValueError, PtdeError: it is not a line that a training logs.
    """
    if not after <= env_steps <= BEYOND:
        raise ValueError(f"env_steps that are missing, fewer than before, or more than {BEYOND:,}")
    check_metrics(metrics)
    for name, value in metrics.items():
        least, most = (0.0, 1.0) if name in SHARES else (-MOST, MOST)
        if not (isnan(value) or least <= value <= most):
            raise ValueError(f"{name} = {value:g}")
