"""Every algorithm under every kind of global information goes through all stages, as a user types them."""

import json
from pathlib import Path

import pytest

from ptde_cli.options import choices
from ptde_core.algorithms.catalogue import ALGORITHMS
from ptde_core.algorithms.table_names import student_name, teacher_name
from ptde_core.base.setting_fields import Settings
from ptde_core.nets.network_settings import INFORMATION
from tests.cli.conftest import Type

# What makes an algorithm learn within 200 env steps; keys that an algorithm does not have are left out.
SMALL = {"test_every": 100, "test_episodes": 4, "batch_episodes": 8, "rollout_steps": 90, "epochs": 2}


def kinds(model: type[Settings]) -> list[str]:
    """The kinds of global information that an algorithm can be trained with."""
    return choices(model, "global_info") or [str(model.model_fields["global_info"].default)]


COMBINATIONS = [(alg, info) for alg, algorithm in ALGORITHMS.items() for info in kinds(algorithm.settings)]


@pytest.mark.parametrize(("alg", "info"), COMBINATIONS)
def test_train_collect_distill_evaluate_report(alg: str, info: str, ptde: Type) -> None:
    model = ALGORITHMS[alg].settings
    small = [word for key, value in SMALL.items() if key in model.model_fields for word in ("--set", f"{key}={value}")]
    game = ("--env", "game", "--map", "personal-signal")
    run = Path("runs/game/personal-signal") / teacher_name(alg, info) / "seed1"

    trained = ptde("train-teacher", *game, "--alg", alg, "--global-info", info, "--steps", "200", *small)
    assert trained.code == 0, trained.err
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["updates"] > 0
    assert ("epsilon" in last) == (alg != "mappo"), "a policy that samples its actions has no epsilon"
    names = {teacher_name(alg, info)}
    if not INFORMATION[info].distillable:
        refused = ptde("collect", run / "teacher.pt")
        assert (refused.code, "distill" in refused.err) == (2, True)
        assert ptde("evaluate", run / "teacher.pt", "--episodes", "4").code == 0
    else:
        assert ptde("collect", run / "teacher.pt", "--episodes", "4").code == 0
        assert ptde("distill", run / "teacher.pt", "--steps", "50").code == 0
        assert ptde("evaluate", run / "student.pt", "--episodes", "4").code == 0
        names.add(student_name(alg, info))
    assert {one["name"] for one in json.loads((run / "evaluation.json").read_text())["entries"]} == names
    report = ptde("report")
    assert all(name in report.out for name in names)
