import re
from pathlib import Path

import pytest

from tests.cli.conftest import Pipeline, Type
from tests.cli.test_errors import assert_one_sentence


def test_one_map_as_table_and_as_markdown(ptde: Type) -> None:
    words = ("calibrate", "--map", "3m", "--episodes", "32")
    ended = ptde(*words)
    assert ended.code == 0
    title = r"Skirmish \d+ beside the real game: \d of 9 lines hold; random play: mean z² \d+\.\d\d, largest \|z\| \d"
    assert re.match(title, ended.out)
    assert re.search(r"random +3m +mean return +(holds|OFF) +1\.55 +66 +\d\.\d\d +", ended.out)
    assert "calibrate: done in" in ended.err
    written = ptde(*words, "--format", "markdown", "--out", "calibration.md", "--quiet")
    assert (written.code, written.out, written.err) == (0, "", "")
    assert "| random | 3m   | mean return |" in Path("calibration.md").read_text()


def test_only_what_is_asked_for_is_played(ptde: Type) -> None:
    heuristic = ptde(
        *["calibrate", "--play", "heuristic", "--map", "3s5z", "--map", "2s3z", "--episodes", "8", "--quiet"]
    )
    assert re.findall(r"^ ?(\w+) +(\w+) +win rate", heuristic.out, re.MULTILINE) == [
        ("heuristic", "2s3z"),
        ("heuristic", "3s5z"),
    ]
    assert "random" not in heuristic.out
    duels = ptde("calibrate", "--play", "duels", "--quiet")
    assert re.match(r"Skirmish \d+ beside the real game: 84 of 84 lines hold\n", duels.out)


@pytest.mark.slow
def test_learning_is_trained_kept_and_shown(ptde: Type) -> None:
    words = ("calibrate", "--learning", "--map", "3m", "--seeds", "1")
    before = ptde(*words, "--no-training", "--quiet")
    assert re.search(r"3m +1 +0 +— ", before.out)
    assert not list(Path.cwd().iterdir()), "looking leaves nothing behind"
    trained = ptde(*words, "--steps", "300")
    assert trained.code == 0
    [steps] = re.findall(r"3m +1 +(\d+) +— ", trained.out)
    assert int(steps) >= 300
    assert re.search(r"3m +real +— +97% +— +99% ", trained.out)
    assert "calibrate: QMIX as in PyMARL2 on 3m" in trained.err
    assert "3m, seed 1: 300 env steps are done" in trained.err
    [run] = Path("calibration-runs").glob("skirmish-*/3m/seed1")
    assert (run / "teacher.pt").exists()
    again = ptde(*words, "--steps", "300", "--quiet")
    assert again.out == trained.out, "finished ones are kept"
    assert ptde(*words, "--no-training", "--steps", "300", "--quiet").out == trained.out
    assert_one_sentence(ptde(*words, "--steps", "400", "--quiet"), "300 env steps, not 400", "--steps 300", "--runs")


@pytest.mark.slow
def test_nearly_random_play(ptde: Type) -> None:
    ended = ptde(*["calibrate", "--play", "near-random", "--map", "3m", "--seeds", "2", "--quiet"])
    assert re.match(r"Skirmish \d+ beside the real game: \d of 2 lines hold\n", ended.out)
    assert re.search(r"near-random +3m +mean return +(holds|OFF) +1\.71 +9881 +1\.\d\d ", ended.out)
    assert not list(Path.cwd().iterdir()), "its trainings are thrown away"


def test_one_map_left_out(ptde: Type) -> None:
    ended = ptde(*["calibrate", "--leave-one-out", "--map", "3m", "--map", "8m", "--episodes", "2", "--quiet"])
    assert re.match(r"Fitted switches of skirmish \d+: what the other maps alone would choose\n", ended.out)
    assert re.search(r"^ ?3m +0\.\d+ +\d+\.\d\d +\d+\.\d\d *$", ended.out, re.MULTILINE)


def test_a_policy_that_does_not_win_shows_nothing(ptde: Type, pipeline: Pipeline) -> None:
    ended = ptde("calibrate", "--policy", pipeline.run / "teacher.pt", "--policy-episodes", "4", "--quiet")
    assert_one_sentence(ended, "teacher.pt wins none of 4 episodes", "give a policy that wins")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("calibrate --map 3n", ("no map named '3n'", "did you mean '3m'?")),
        ("calibrate --map 3s_vs_8z", ("no map with figures of the real game named '3s_vs_8z'",)),
        ("calibrate --learning --map MMM", ("no map with figures of the real game named 'MMM'", "3s_vs_5z")),
        ("calibrate --leave-one-out --map 3m", ("with 3m left out no map is left", "--map")),
        ("calibrate --play duels --map 3m", ("duels are fought on no map", "leave out --map")),
        ("calibrate --play randon", ("no play named 'randon'", "did you mean 'random'?")),
        ("calibrate --play near-random --seeds 1 --map 3m", ("seeds = 1", "2 or more")),
        ("calibrate --policy nowhere.pt", ("no teacher or student at nowhere.pt",)),
        ("calibrate --policy nowhere.pt --map 3m", ("--map does nothing here", "--play random")),
        ("calibrate --steps 500", ("--steps does nothing here", "--learning")),
        ("calibrate --runs here", ("--runs does nothing here", "--learning")),
        ("calibrate --no-training", ("--no-training does nothing here", "--learning")),
        ("calibrate --learning --episodes 5", ("--episodes does nothing here", "--play random")),
        ("calibrate --policy-episodes 5", ("--policy-episodes does nothing here", "--policy CHECKPOINT")),
        ("calibrate --episodes 0", ("episodes = 0", "greater than or equal to 1")),
        ("calibrate --learning --seeds 0", ("seeds = 0", "greater than or equal to 1")),
        ("calibrate --format latex", ("no table format named 'latex'", "markdown")),
    ],
)
def test_mistakes(ptde: Type, line: str, parts: tuple[str, ...]) -> None:
    ended = ptde(*line.split(), "--quiet")
    assert_one_sentence(ended, *parts)
    assert not list(Path.cwd().iterdir()), "a refused command leaves nothing behind"
