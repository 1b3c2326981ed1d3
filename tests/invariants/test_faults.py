"""Each fault of `python -m benchmarks soak` once, on one small pipeline; three of them every day."""

import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak.faults import FAULTS, kill_again_and_again, small_disk
from benchmarks.soak.pipeline import Pipeline, result_of

SECONDS = 8.0  # of the pipeline, more or less: the faults come at moments of chance within


pytestmark = pytest.mark.timeout(1800)  # several pipelines each, one after another
EVERY_DAY = ("full disk",)  # the others take long; test_resume.py kills each stage


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    pipeline = Pipeline("qmix", tmp_path_factory.mktemp("undisturbed") / "run")
    ended = pipeline.finish()
    assert ended.code == 0, ended.said
    return result_of(pipeline.run)


@pytest.mark.parametrize(
    "fault", [name if name in EVERY_DAY else pytest.param(name, marks=pytest.mark.long) for name in FAULTS]
)
def test_a_disturbed_pipeline_ends_like_an_undisturbed_one(fault: str, wanted: dict[str, Any], tmp_path: Path) -> None:
    if fault == "full disk":
        try:
            with small_disk(tmp_path):
                pass
        except PermissionError as error:
            pytest.skip(str(error))
    assert FAULTS[fault](Pipeline("qmix", tmp_path / "run"), wanted, SECONDS, random.Random(1)) == []


@pytest.mark.long
def test_killed_until_it_has_finished_in_between(wanted: dict[str, Any], tmp_path: Path) -> None:
    kills, wrong = kill_again_and_again(Pipeline("qmix", tmp_path / "run"), wanted, SECONDS, random.Random(2), kills=3)
    assert wrong == []
    assert kills <= 3
