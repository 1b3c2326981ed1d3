import json
from pathlib import Path

import pytest

from ptde_cli.options import layers
from ptde_core.algorithms.training_settings import TrainValueDecompositionSettings
from ptde_core.base.events import Listener
from ptde_core.base.made_from import World
from ptde_core.envs.skirmish.map_files import load_map
from ptde_core.pipeline.callbacks import NONE, Callbacks
from ptde_core.runs import pipeline_settings as stages
from ptde_core.runs.identity import training_made_from
from ptde_core.runs.pipeline_settings import by_stage
from ptde_core.runs.recipes import distill_settings
from ptde_core.runs.stage_settings import (
    CollectSettings,
    DistillSettings,
    EvaluateSettings,
    preset,
    train_teacher_settings,
)
from ptde_core.storage.config_file import write_config
from ptde_core.storage.run_folder import RunFolder
from tests.cli.conftest import Pipeline, Type
from tests.unit.test_made_from import HILL


class Trained:
    """Stands in for the stage: remembers what it was called with."""

    def __init__(self) -> None:
        self.settings = TrainValueDecompositionSettings()
        self.folder = RunFolder(Path())
        self.trainings: list[tuple[TrainValueDecompositionSettings, RunFolder]] = []
        self.stages: stages.Pipeline | None = None
        self.resume, self.keep_state = False, False

    def train(
        self,
        trainings: list[tuple[TrainValueDecompositionSettings, RunFolder]],
        *,
        resume: bool,
        keep_state: bool,
        listen: Listener,
        callbacks: Callbacks = NONE,
    ) -> None:
        assert callbacks == NONE
        self.trainings, self.resume, self.keep_state = trainings, resume, keep_state
        self.settings, self.folder = trainings[0]

    def run(
        self,
        pipeline: stages.Pipeline,
        folder: RunFolder,
        *,
        keep_state: bool,
        listen: Listener,
    ) -> list[object]:
        self.settings, self.folder, self.stages, self.keep_state = pipeline.training, folder, pipeline, keep_state
        return []


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    stage = Trained()
    monkeypatch.setattr("ptde_core.pipeline.train_teacher.train_teachers", stage.train)
    monkeypatch.setattr("ptde_core.pipeline.run.train_teachers", stage.train)
    monkeypatch.setattr("ptde_core.pipeline.run.run", stage.run)
    return stage


def test_an_option_beats_set_beats_the_file_beats_the_preset(ptde: Type, trained: Trained) -> None:
    Path("mine.toml").write_text("map = '6h_vs_8z'\ntd_lambda = 0.1\nsteps = 10\nepsilon_start = 0.9\n")
    ended = ptde(
        "train-teacher", "--config", "mine.toml", "--set", "td_lambda=0.2", "--set", "steps=20", "--steps", "30"
    )
    assert ended.code == 0
    settings = trained.settings
    assert (settings.map, settings.steps, settings.td_lambda, settings.epsilon_start) == ("6h_vs_8z", 30, 0.2, 0.9)
    assert settings.epsilon_steps == 500_000, "from the preset of the map that the file names"
    assert settings.gamma == TrainValueDecompositionSettings().gamma


def test_steps_default_to_the_papers_budget(ptde: Type, trained: Trained) -> None:
    ptde("train-teacher", "--map", "3s_vs_8z")
    assert trained.settings.steps == 10_000_000


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("--map 3m", "runs/skirmish/3m/QMIX_SGI/seed1"),
        ("--map 3m --alg vdn --global-info none --seed 4", "runs/skirmish/3m/VDN/seed4"),
        ("--map maps/mine.toml --global-info unified", "runs/skirmish/mine@{digest}/QMIX_UGI/seed1"),
        ("--map 3m --out elsewhere", "elsewhere"),
    ],
)
def test_where_a_run_goes(ptde: Type, trained: Trained, line: str, folder: str) -> None:
    own = Path("maps/mine.toml")
    own.parent.mkdir()
    own.write_text(HILL)
    for command in ("train-teacher", "run"):
        ptde(command, *line.split())
        assert trained.folder.path == Path(folder.format(digest=load_map(own).digest()[:8]))


def test_a_map_file_that_is_missing_is_told_before_anything_begins(ptde: Type) -> None:
    for command in ("train-teacher", "run"):
        ended = ptde(command, "--map", "maps/mine.toml")
        assert (ended.code, ended.out, ended.err) == (2, "", "ptde: no map file at maps/mine.toml; check the path\n")


@pytest.mark.parametrize(
    ("line", "folders"),
    [
        ("--seeds 2", ["runs/skirmish/3m/QMIX_SGI/seed1", "runs/skirmish/3m/QMIX_SGI/seed2"]),
        ("--seeds 7,4 --out mine", ["mine/seed7", "mine/seed4"]),
    ],
)
def test_several_seeds_have_a_folder_each(ptde: Type, trained: Trained, line: str, folders: list[str]) -> None:
    for command in ("train-teacher", "run"):
        assert ptde(command, *line.split()).code == 0
        assert [str(run.path) for _, run in trained.trainings] == folders
        assert [f"seed{settings.seed}" for settings, _ in trained.trainings] == [Path(one).name for one in folders]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--seeds 1,1", "--seeds '1,1' names a seed twice"),
        ("--seeds 0", "--seeds '0' names no seed"),
        ("--seeds some", "--seeds 'some' is not made of whole numbers"),
        ("--seeds 3 --seed 1", "--seed 1 and --seeds 3 are both there"),
    ],
)
def test_seeds_that_mean_nothing(ptde: Type, trained: Trained, line: str, told: str) -> None:
    ended = ptde("train-teacher", *line.split())
    assert ended.code == 2
    assert told in ended.err


def test_the_end_of_train_teacher_tells_the_next_command(ptde: Type, trained: Trained) -> None:
    teacher = "runs/skirmish/3m/QMIX_SGI/seed1/teacher.pt"
    assert ptde("train-teacher").out == f"distill it with: ptde distill {teacher}\n"
    assert ptde("train-teacher", "--quiet").out == f"{teacher}\n"
    plain = ptde("train-teacher", "--global-info", "none")
    assert plain.out == "evaluate it with: ptde evaluate runs/skirmish/3m/QMIX/seed1/teacher.pt\n"


def test_resume_takes_what_was_decided_from_the_run(ptde: Type, trained: Trained) -> None:
    folder = Path("mine")
    folder.mkdir()
    decided = train_teacher_settings({"map": "8m", "td_lambda": 0.3, "seed": 7})
    world = World(environment="skirmish", version="8", map="8m")
    write_config(folder / "config.json", decided.model_dump(), training_made_from(decided, world))
    ptde("train-teacher", "--resume", "--out", "mine")
    assert trained.resume
    assert trained.settings == decided


def test_run_hands_each_stage_its_own_settings(ptde: Type, trained: Trained) -> None:
    Path("mine.toml").write_text(
        "td_lambda = 0.5\n[distill]\nlearning_rate = 0.01\nsteps = 7\n[evaluate]\nepisodes = 5\n"
    )
    ended = ptde("run", "--map", "3m", "--seed", "3", "--config", "mine.toml", "--set", "distill.steps=9")
    assert ended.code == 0
    assert (trained.settings.td_lambda, trained.settings.seed) == (0.5, 3)
    assert trained.stages == stages.Pipeline(
        trained.settings,
        CollectSettings(seed=3),
        (
            DistillSettings(seed=3, steps=9, learning_rate=0.01),
            distill_settings("recurrent", "3m", {"seed": 3, "steps": 9, "learning_rate": 0.01}),
        ),
        EvaluateSettings(episodes=5),
    )


def test_run_uses_the_presets_of_later_stages(ptde: Type, trained: Trained) -> None:
    ptde("run", "--map", "3m")
    of_map = preset("3m", "distill")
    assert trained.stages
    paper, recurrent = trained.stages.distilling
    assert paper == DistillSettings(**of_map["paper"]) != DistillSettings(), "3m has a preset of its own"
    assert (recurrent.recipe, recurrent.steps) == ("recurrent", of_map["recurrent"]["steps"])
    ptde("run", "--map", "3m", "--recipe", "recurrent")
    assert trained.stages.distilling == (recurrent,)


def test_values_are_split_by_stage() -> None:
    teachers, later = by_stage({"steps": 1, "distill.steps": 2, "collect": {"seed": 3}})
    assert teachers == {"steps": 1}
    assert later == {"collect": {"seed": 3}, "distill": {"steps": 2}, "evaluate": {}}


def test_an_option_that_was_not_typed_is_no_layer() -> None:
    assert layers(None, ["a=1"], steps=None, seed=0) == ({}, {"a": 1}, {"seed": 0})


def test_settings_lists_every_key_of_every_stage(ptde: Type) -> None:
    shown = ptde("settings").out
    for model in (TrainValueDecompositionSettings, CollectSettings, DistillSettings, EvaluateSettings):
        for key, field in model.model_fields.items():
            assert any(line.split()[:1] == [key] and str(field.description) in line for line in shown.splitlines()), key


def test_settings_shows_the_preset_of_a_map(ptde: Type) -> None:
    lines = ptde("settings", "train-teacher", "--map", "6h_vs_8z").out.splitlines()
    assert any(line.split()[:3] == ["td_lambda", "0.3", "*"] for line in lines)
    assert any("from the preset of 6h_vs_8z (paper, Table 2" in line for line in lines)
    assert "*" not in ptde("settings", "--map", "25m").out, "a map without a preset"


def test_settings_lists_what_is_an_algorithms_own(ptde: Type) -> None:
    wrong = ptde("settings", "--alg", "qmixx")
    assert wrong.code == 2
    assert "did you mean 'qmix'" in wrong.err


def test_settings_of_the_run_are_saved_whole(pipeline: Pipeline) -> None:
    saved = json.loads((pipeline.run / "config.json").read_text())
    assert set(saved) == {*TrainValueDecompositionSettings.model_fields, "made_from"}
    assert (saved["steps"], saved["batch_episodes"], saved["map"]) == (600, 8, "3m")


@pytest.mark.parametrize("command", ["train-teacher", "run"])
def test_checkpoints_to_keep_are_given_one_by_one(command: str, ptde: Type, trained: Trained) -> None:
    assert ptde(command, "--keep", "best", "--keep", "every=50000", "--no-keep-state").code == 0
    assert (trained.settings.keep, trained.keep_state) == ("last,best,every=50000", False)
    assert ptde(command).code == 0
    assert (trained.settings.keep, trained.keep_state) == ("last", True)
    wrong = ptde(command, "--keep", "worst")
    assert (wrong.code, wrong.out) == (2, "")
    assert "write last, best, or every=N with one N from 1 to 1,000,000,000,000" in wrong.err
