"""Which training is meant where one is to go on: its own settings, and those that are typed."""

from pathlib import Path

import pytest

from ptde_core.algorithms.learner_settings import MappoSettings
from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import World
from ptde_core.runs.identity import training_made_from
from ptde_core.runs.stage_settings import train_teacher_settings
from ptde_core.runs.trainings_meant import trainings_meant
from ptde_core.storage.config_file import write_config
from ptde_core.storage.run_folder import RunFolder


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The folder of a training by MAPPO that has begun."""
    run = RunFolder(tmp_path / "run")
    settings = train_teacher_settings({"alg": "mappo", "env": "game", "map": "two-step", "rollout_steps": 20})
    world = World(environment="game", version="1", map="two-step")
    write_config(run.config, settings.model_dump(), training_made_from(settings, world))
    return run.path


def test_a_setting_of_its_algorithm_is_known_without_naming_that(begun: Path) -> None:
    ((settings, _),) = trainings_meant({"rollout_steps": 20, "steps": 10}, out=begun, resume=True)
    assert isinstance(settings, MappoSettings)
    assert (settings.alg, settings.map, settings.rollout_steps, settings.steps) == ("mappo", "two-step", 20, 10)
    with pytest.raises(PtdeError, match="no setting named 'rollout_steps'"):
        trainings_meant({"rollout_steps": 20}, out=begun)


def test_another_algorithm_is_told_by_its_name(begun: Path) -> None:
    with pytest.raises(PtdeError, match="was trained with alg = 'mappo', not 'qmix'"):
        trainings_meant({"alg": "qmix"}, out=begun, resume=True)
    assert trainings_meant({"alg": "mappo"}, out=begun, resume=True)[0][0].alg == "mappo"
