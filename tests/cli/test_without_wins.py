"""A game that cannot be won, from training to tables, curves and comparison: returns, and no word of wins."""

import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Type

pytest.importorskip("pettingzoo")
WINS = re.compile(r"(?<!cannot be )\bwon\b|[Ww]in rate|PRR|win_rate")


@pytest.mark.slow
def test_a_game_without_wins_is_told_by_its_returns(ptde: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    words = (
        "run",
        "--env",
        "pettingzoo",
        "--map",
        "tests.gathering_game",
        "--steps",
        "120",
        "--recipe",
        "paper",
    )
    words = (*words, "--set", "batch_episodes=4", "--set", "n_envs=2", "--set", "test_episodes=4")
    words = (*words, "--set", "test_every=40", "--set", "collect.episodes=4", "--set", "distill.steps=20")
    for more in (("--seed", "1", "--keep", "best"), ("--seed", "2")):
        ended = ptde(*words, "--set", "evaluate.episodes=6", *more)
        assert ended.code == 0, ended.err
        assert re.search(r"QMIX_ASGKD +student +-?\d\.\d\d \[", ended.out)
        assert "This game cannot be won" in ended.out
        best = re.search(r"teacher-best\.pt \(of the training's best test, at \d+ env steps: return -?\d", ended.err)
        assert bool(best) == ("best" in more)
        assert not WINS.search(ended.out + ended.err)
    runs = sorted(path.parent for path in Path("runs").rglob("status.json"))
    assert len(runs) == 2
    metrics = (runs[0] / "metrics.jsonl").read_text()
    assert "test_return" in metrics
    assert not WINS.search(metrics)
    for layout in ("full", "per-run"):
        shown = ptde("report", "--layout", layout)
        assert shown.code == 0
        assert not WINS.search(shown.out)
    assert "Return retention" in ptde("report").out
    compared = ptde("compare", *runs)
    assert compared.code == 0
    assert not WINS.search(compared.out)
    drawn = ptde("curves", "--out", "c.svg")
    assert drawn.code == 0, drawn.err
    assert "Greedy test return on pettingzoo" in Path("c.svg").read_text()
    assert ptde("visualize", runs[0], "--format", "curves").code == 0
