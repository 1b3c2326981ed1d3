from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptde_core.algorithms.catalogue import ALGORITHMS, algorithm_named
from ptde_core.base.errors import PtdeError
from ptde_core.base.setting_fields import Settings, build_settings, parse_assignments, read_settings_file
from ptde_core.envs.engines.football.scenarios import SCENARIOS
from ptde_core.envs.skirmish.map_files import map_names
from ptde_core.runs.recipes import recipes
from ptde_core.runs.stage_settings import (
    CollectSettings,
    DistillSettings,
    EvaluateSettings,
    default_folder,
    preset,
    presets,
    train_teacher_settings,
)

TRAININGS = list(dict.fromkeys(one.settings for one in ALGORITHMS.values()))
STAGES: list[type[Settings]] = [*TRAININGS, CollectSettings, DistillSettings, EvaluateSettings]
CORE = Path(__file__).parents[2] / "ptde_core"
# What the paper trains each map for: the heads of its Table 2.
PAPER_STEPS = {
    "3s_vs_5z": 2_000_000,
    "5m_vs_6m": 2_000_000,
    "3s5z_vs_3s6z": 5_000_000,
    "6h_vs_8z": 5_000_000,
    "3s_vs_8z": 10_000_000,
    "3s5z_vs_3s7z": 10_000_000,
} | dict.fromkeys(SCENARIOS, 10_000_000)


def test_later_layers_win() -> None:
    settings = build_settings(EvaluateSettings, {"episodes": 1, "seed": 1}, {"episodes": 2}, {})
    assert settings == EvaluateSettings(episodes=2, seed=1)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"episods": 1}, "no setting named 'episods'; did you mean 'episodes'?"),
        ({"zzz": 1}, "no setting named 'zzz'; choose from device, episodes, keep_replays, message_threshold, seed"),
        ({"episodes": 0}, "episodes = 0 (greedy episodes per policy, the same for teacher and student): .*1"),
        ({"episodes": "many"}, "episodes = 'many' .*integer"),
        ({"seed": -1}, "seed = -1 .*0"),
        ({"episodes": True}, "episodes = True .*: is true or false, where something else is asked for"),
        ({"episodes": np.True_}, "episodes = .*True.*: is true or false"),
        ({"message_threshold": False}, "message_threshold = False .*: is true or false"),
        ({"device": True}, "device = True .*: is true or false"),
    ],
)
def test_a_wrong_key_or_value_is_refused_and_explained(values: dict[str, Any], says: str) -> None:
    with pytest.raises(PtdeError, match=says.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        build_settings(EvaluateSettings, values)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"info_rank": 4, "global_info": "none"}, "info_rank = 4 .*: needs global_info = 'agent-specific', not 'none'"),
        ({"match_parameters": True}, "match_parameters = True .*: needs global_info = 'none', not 'agent-specific'"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(PtdeError, match=says):
        train_teacher_settings(values)


def test_a_sight_is_neither_true_nor_false() -> None:
    with pytest.raises(PtdeError, match=r"teacher_sight = True .*: is true or false"):
        train_teacher_settings({"alg": "ctds", "teacher_sight": True})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        EvaluateSettings().episodes = 5  # type: ignore[misc]  # that it is an error is the test


@pytest.mark.parametrize("model", STAGES)
def test_every_setting_has_a_meaning_and_a_default(model: type[Settings]) -> None:
    assert model() == build_settings(model)
    for key, field in model.model_fields.items():
        assert field.description, key


@pytest.mark.parametrize("model", STAGES)
def test_every_setting_is_read_somewhere(model: type[Settings]) -> None:
    code = "\n".join(path.read_text() for path in CORE.rglob("*.py") if path.name != "settings.py")
    for key in model.model_fields:
        assert f".{key}" in code, f"{key} of {model.__name__} is read nowhere"


def test_saved_settings_are_read_back_as_they_were() -> None:
    settings = train_teacher_settings({"map": "6h_vs_8z", "seed": 3})
    assert type(settings).model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("td_lambda=0.6", 0.6),
        ("td_lambda = 0.6", 0.6),
        ("td_lambda=6", 6),
        ("td_lambda=1_000", 1000),
        ("td_lambda=true", True),
        ("td_lambda=3s_vs_5z", "3s_vs_5z"),
        ("td_lambda=a=b", "a=b"),
        ("td_lambda=", ""),
    ],
)
def test_assignments(text: str, value: object) -> None:
    found = parse_assignments([text])
    assert found == {"td_lambda": value}
    assert type(found["td_lambda"]) is type(value)


@pytest.mark.parametrize("text", ["td_lambda", "=3", ""])
def test_what_is_no_assignment(text: str) -> None:
    with pytest.raises(PtdeError, match="key=value"):
        parse_assignments([text])


def test_a_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("map = '8m'\n[distill]\nsteps = 5\n")
    assert read_settings_file(path) == {"map": "8m", "distill": {"steps": 5}}
    with pytest.raises(PtdeError, match="no settings file"):
        read_settings_file(tmp_path / "none.toml")
    with pytest.raises(PtdeError, match="is a folder, where a settings file should be"):
        read_settings_file(tmp_path)


def test_every_preset_is_of_a_map_that_exists_is_valid_and_says_its_source() -> None:
    for name, table in presets()["maps"].items():
        assert name in map_names() or name in SCENARIOS
        assert table["source"]
        families = {one.preset for one in ALGORITHMS.values()}
        assert set(table) <= {"source", "paper_steps", "train_teacher", "distill", *families}
        for alg in ALGORITHMS:
            train_teacher_settings({"alg": alg, "map": name})
        for recipe, changes in preset(name, "distill").items():
            assert recipe in recipes(), name
            build_settings(DistillSettings, changes)


def test_a_map_of_the_paper_is_trained_for_the_papers_budget() -> None:
    assert {
        name: table["paper_steps"] for name, table in presets()["maps"].items() if "paper_steps" in table
    } == PAPER_STEPS
    for name, steps in PAPER_STEPS.items():
        assert train_teacher_settings({"map": name}).steps == steps


def test_a_preset_gives_way_to_what_is_typed_and_stays_with_its_map() -> None:
    def td_lambda(**values: Any) -> float:
        return float(train_teacher_settings(values).model_dump()["td_lambda"])

    assert td_lambda(map="6h_vs_8z") == 0.3
    assert td_lambda(map="6h_vs_8z", td_lambda=0.7) == 0.7
    assert td_lambda(map="my_own.toml") == 0.6


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_record_names_its_page_of_the_manual(alg: str) -> None:
    page = ALGORITHMS[alg].page
    assert (Path(__file__).parents[2] / "docs" / page).is_file()


def test_a_preset_gives_an_algorithm_what_it_has_settings_for() -> None:
    """The variance floor of 3s5z_vs_3s6z is of PTDE's Gaussian, which CSRL and COPA do not have."""
    assert train_teacher_settings({"map": "3s5z_vs_3s6z"}).model_dump()["variance_floor"] == 0.002
    for alg in ("csrl", "copa"):
        values = train_teacher_settings({"map": "3s5z_vs_3s6z", "alg": alg}).model_dump()
        assert "variance_floor" not in values
        assert (values["steps"], values["n_envs"]) == (5_000_000, 4)


def test_an_unknown_algorithm_is_refused_and_the_nearest_offered() -> None:
    with pytest.raises(PtdeError, match="no algorithm named 'qmixx'; did you mean 'qmix'"):
        algorithm_named("qmixx")


def test_the_folder_of_a_run_names_backend_map_algorithm_and_seed() -> None:
    settings = train_teacher_settings({"map": "3s_vs_5z", "alg": "vdn", "global_info": "unified", "seed": 9})
    assert default_folder(settings).path == Path("runs/skirmish/3s_vs_5z/VDN_UGI/seed9")


# What Yu et al.'s scripts (2021) train SMAC's maps with, where not with 5 epochs, clip 0.2, 1 minibatch, gain 0.01.
YU_ET_AL: dict[str, tuple[int, float, int, float]] = {
    **dict.fromkeys(("3m", "8m", "3s_vs_3z", "3s_vs_4z", "1c3s5z", "2m_vs_1z", "2s_vs_1sc"), (15, 0.2, 1, 0.01)),
    **dict.fromkeys(("MMM", "bane_vs_bane", "so_many_baneling"), (15, 0.2, 1, 0.01)),
    **dict.fromkeys(("3s_vs_5z", "8m_vs_9m"), (15, 0.05, 1, 0.01)),
    **dict.fromkeys(("10m_vs_11m", "25m"), (10, 0.2, 1, 0.01)),
    "5m_vs_6m": (10, 0.05, 1, 0.01),
    "MMM2": (5, 0.2, 2, 1.0),
}


@pytest.mark.parametrize("map_name", map_names())
def test_mappo_is_trained_on_a_map_as_by_yu_et_al(map_name: str) -> None:
    values = train_teacher_settings({"alg": "mappo", "map": map_name}).model_dump()
    expected = YU_ET_AL.get(map_name, (5, 0.2, 1, 0.01))
    assert tuple(values[key] for key in ("epochs", "clip", "minibatches", "policy_gain")) == expected


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_every_algorithm_can_be_told_what_a_time_limit_means(alg: str) -> None:
    assert train_teacher_settings({"alg": alg}).model_dump()["bootstrap_at_limit"] is True
    assert train_teacher_settings({"alg": alg, "bootstrap_at_limit": False}).model_dump()["bootstrap_at_limit"] is False


def test_the_heads_of_qplex_are_settings_of_qplex_alone() -> None:
    assert train_teacher_settings({"alg": "qplex"}).model_dump()["mixer_layers"] == 2
    with pytest.raises(PtdeError, match="no setting named 'mixer_layers'"):
        train_teacher_settings({"alg": "qmix", "mixer_layers": 2})
