import re
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.test_errors import assert_one_sentence


def test_one_map_as_table_and_as_markdown(ptde: Type) -> None:
    words = ("calibrate", "--map", "3m", "--episodes", "32")
    ended = ptde(*words)
    assert ended.code == 0
    assert re.match(r"Skirmish \d+ beside the real game: \d of \d figures as close as allowed\n", ended.out)
    assert re.search(r"random +3m +mean return +(close|OFF) +1\.55 +66 +\d\.\d\d +", ended.out)
    assert "calibrate: done in" in ended.err
    written = ptde(*words, "--format", "markdown", "--out", "calibration.md", "--quiet")
    assert (written.code, written.out, written.err) == (0, "", "")
    assert "| random | 3m   | mean return |" in Path("calibration.md").read_text()


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("calibrate --map 3n", ("no map named '3n'", "did you mean '3m'?")),
        ("calibrate --map 3s_vs_8z", ("no map with figures of the real game named '3s_vs_8z'",)),
        ("calibrate --episodes 0", ("episodes = 0", "greater than or equal to 1")),
        ("calibrate --format latex", ("no table format named 'latex'", "markdown")),
    ],
)
def test_mistakes(ptde: Type, line: str, parts: tuple[str, ...]) -> None:
    ended = ptde(*line.split(), "--quiet")
    assert_one_sentence(ended, *parts)
