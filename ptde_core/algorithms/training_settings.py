"""What a training of any algorithm can be told, as settings. No torch here: the command line reads this file."""

from pydantic import Field, field_validator

from ptde_core.algorithms.learner_settings import LearningSettings, ValueDecompositionSettings
from ptde_core.base.device import DeviceSettings
from ptde_core.base.metrics import MOST_STEPS
from ptde_core.base.setting_fields import MOST_SEED
from ptde_core.nets.network_settings import AgentSettings, NetworkSettings

MOST_EPISODES = 1_000_000  # of one call; the paper's figures come of 32


class TrainingSettings(AgentSettings, DeviceSettings, LearningSettings):
    """Stage 1: train a teacher; what all algorithms share. An algorithm's record adds its own.

    Saved whole in the run folder as config.json.
    """

    alg: str = Field("qmix", description="algorithm")
    env: str = Field("skirmish", description="environment backend")
    map: str = Field("3m", description="map of that environment, or a map file of your own")
    steps: int = Field(
        2_000_000,
        ge=1,
        le=MOST_STEPS,
        description="env steps of training; the default is the map's budget (`ptde maps`)",
    )
    seed: int = Field(1, ge=0, le=MOST_SEED, description="decides networks, exploration and battles")
    n_envs: int = Field(
        8, ge=1, le=4096, description="environments side by side: episodes per round (Algorithm 1, line 4)"
    )
    test_every: int = Field(10_000, ge=1, le=MOST_STEPS, description="env steps between greedy tests")
    test_episodes: int = Field(32, ge=0, le=MOST_EPISODES, description="greedy episodes per test; 0 turns tests off")
    checkpoint_seconds: float = Field(60.0, ge=0, description="wall seconds between saves of the state to resume from")
    keep: str = Field(
        "last", description="checkpoints kept beside the last: best (in tests), every=N (env steps); joined by commas"
    )

    @field_validator("keep")
    @classmethod
    def _in_order(cls, text: str) -> str:
        best, every = parse_keep(text)
        return ",".join(["last", *(["best"] if best else []), *([f"every={every}"] if every else [])])


def parse_keep(text: str) -> tuple[bool, int]:
    """Whether the best checkpoint is kept beside the last, and after every how many env steps one is; 0: none.

    Args:
        text: words `last`, `best`, `every=N`, joined by commas.

    Raises:
        ValueError: another word, or two different N.
    """
    words = [word.strip() for word in text.split(",")]
    numbers = {word.removeprefix("every=") for word in words if word.startswith("every=")}
    others = sorted({word for word in words if not word.startswith("every=")} - {"last", "best"})
    if others or len(numbers) > 1 or not all(_is_count(number) for number in numbers):
        raise ValueError(f"write last, best, or every=N with one N from 1 to {MOST_STEPS:,}")
    return "best" in words, int(next(iter(numbers), 0))


class TrainTeacherSettings(NetworkSettings, TrainingSettings):
    """What the algorithms share that take any kind of PTDE's global information."""


class TrainValueDecompositionSettings(TrainTeacherSettings, ValueDecompositionSettings):
    """VDN, QMIX."""


def _is_count(text: str) -> bool:
    """Whether a text is a number of env steps; of a long one, Python would refuse to make a number."""
    return text.isdecimal() and len(text) <= len(str(MOST_STEPS)) and 1 <= int(text) <= MOST_STEPS
