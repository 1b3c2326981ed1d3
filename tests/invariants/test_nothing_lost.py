"""Nothing is replaced or lost: what is remade is put aside, what was played is kept, broken files can be made anew."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.envs.small_games import GAMES
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.pipeline.play_episodes import play_episodes as episodes_played
from ptde_core.pipeline.remaking import put_aside_another_world
from ptde_core.results.gather import report
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.config_file import read_config
from ptde_core.storage.evaluation_file import read_evaluation
from ptde_core.storage.run_folder import RunFolder
from tests.pipelines import DISTILL, EVALUATE, SETTINGS, pipeline, snapshot


def test_the_results_of_a_shorter_training_are_put_aside_with_the_longer_ones(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = SETTINGS.model_copy(update={"steps": 400})
    distilling = (DISTILL.model_copy(update={"recipe": "recurrent", "student": "recurrent"}),)
    pipeline(run, settings=longer, distilling=distilling)
    game = GAMES["personal-signal"]
    monkeypatch.setattr(game, "spec", replace(game.spec, version="2"))
    before = snapshot(run)
    pipeline(run, distilling=distilling)  # the shorter one again, and the longer
    pipeline(run, settings=longer, distilling=distilling)
    (aside,) = run.path.glob("stale-*")
    assert (aside / "until-0000300" / "teacher.pt").read_bytes() in before.values()
    assert snapshot(RunFolder(aside)) == before


def test_nothing_is_put_aside_through_a_link(another_world: RunFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    another_world.stale(read_config(another_world.config).made_from.digest).symlink_to(elsewhere)
    before = snapshot(another_world)
    for put_aside in (pipeline, lambda run: put_aside_another_world(SETTINGS, run, lambda _: None)):
        with pytest.raises(PtdeError, match=r"stale-\w+: it is a link"):
            put_aside(another_world)
    assert snapshot(another_world) == before
    assert not list(elsewhere.iterdir())


def test_what_a_shorter_training_has_left_is_never_replaced(run: RunFolder) -> None:
    theirs = run.path / "until-0000300" / "student.pt"
    theirs.parent.mkdir()
    theirs.write_bytes(b"theirs")
    pipeline(run, settings=SETTINGS.model_copy(update={"steps": 400}))
    assert theirs.read_bytes() == b"theirs"
    assert load_checkpoint(run.path / "until-0000300-2" / "teacher.pt", "teacher")["settings"]["steps"] == 300


@pytest.mark.parametrize(
    "name",
    ["status.json", "provenance.json", "evaluation.json", "teacher.pt", "student.pt", "resume/state.pt", "episodes.h5"],
)
def test_what_is_broken_is_made_anew_once_it_is_moved_away(name: str, run: RunFolder) -> None:
    """As the sentence says that refuses it."""
    (run.path / name).write_bytes(b"")
    if name in {"provenance.json", "resume/state.pt", "episodes.h5"}:  # not needed, or moved by `ptde run` itself
        pipeline(run)
        (run.path / name).unlink(missing_ok=True)
    else:
        with pytest.raises(PtdeError, match="move it away"):
            pipeline(run)
        (run.path / name).unlink()
    pipeline(run)
    assert report([run.path]).sections
    assert not report([run.path]).left_out


@pytest.mark.parametrize("content", ["", "{}", '{"schema_number": 99}', '{"schema_number": 3, "entries": 5}'])
def test_a_broken_evaluation_is_refused_before_anything_is_played(content: str, run: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(shutil.copytree(run.path, tmp_path / "other"))
    other.evaluation.write_text(content)
    run.evaluation.unlink()
    with pytest.raises(PtdeError, match="move it away"):
        evaluate([run.teacher, other.teacher], EVALUATE, listen=lambda event: pytest.fail(str(event)))
    other.evaluation.unlink()
    assert len(evaluate([run.teacher, other.teacher], EVALUATE)) == 4


def test_what_was_played_is_kept_where_a_later_policy_fails(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run.evaluation.unlink()
    played: list[object] = []

    def failing(*words: Any, **more: Any) -> Any:
        played.append(words)
        if len(played) > 1:
            raise PtdeError("the engine broke")
        return episodes_played(*words, **more)

    monkeypatch.setattr("ptde_core.pipeline.evaluate.play_episodes", failing)
    with pytest.raises(PtdeError, match="the engine broke"):
        evaluate([run.teacher], EVALUATE)
    assert len(read_evaluation(run.evaluation).entries) == 1


def test_run_collects_anew_where_the_episodes_cannot_be_read(run: RunFolder) -> None:
    cut = run.episodes.read_bytes()[:1000]
    run.episodes.write_bytes(cut)
    _, stages, notes = pipeline(run)
    assert stages == ["collect"], "they come out the same, so the student that was distilled from them holds"
    assert any("is not a whole HDF5 file of episodes" in note for note in notes)
    assert (run.path / "stale-broken" / "episodes.h5").read_bytes() == cut
