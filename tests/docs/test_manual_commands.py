"""Every command block of the docs is run by bash with `ptde` and `python` standing in, and what it typed is checked.

A block that needs more than those two says so in its title, where readers see it: title="Not run by the tests: why".
Commands that take a moment are really run; so are the Python blocks.
"""

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from benchmarks.__main__ import SECTIONS
from ptde_cli.app import COMMANDS, app_for
from ptde_core.base.setting_fields import build_settings, parse_assignments
from ptde_core.runs.pipeline_settings import LATER_STAGES, by_stage
from ptde_core.runs.recipes import distill_settings
from ptde_core.runs.stage_settings import CollectSettings, EvaluateSettings, train_teacher_settings
from tests.cli.conftest import Type, ptde

__all__ = ["ptde"]  # the fixture

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_RUN = "Not run by the tests: "
STAND_IN = '#!/bin/sh\nprintf "%s\\0" "{name}" "$@" >>"$TYPED"\nprintf "\\n\\0" >>"$TYPED"\n'
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
QUICK = ("settings", "maps")  # really run
# Pages whose Python is run by a test of their own.
OWN_TEST = {f"docs/how-to/{page}.md" for page in ("add-an-algorithm", "other-code", "own-maps")}


def blocks(*languages: str) -> list[tuple[str, str, str]]:
    """Page, what stands behind the language, and text of each block in one of these languages."""
    return [
        (page.relative_to(ROOT).as_posix(), more.strip(), text)
        for page in PAGES
        for language, more, text in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language in languages
    ]


SHELL = blocks("bash", "sh", "console", "")
PYTHON = [block for block in blocks("python") if block[0] not in OWN_TEST]
COMMAND = re.compile(r"`(ptde [a-z][^`\n]*)`")
INLINE = sorted({(p.relative_to(ROOT).as_posix(), code) for p in PAGES for code in COMMAND.findall(p.read_text())})


def typed(text: str, folder: Path) -> tuple[list[list[str]], str]:
    """The command lines that a block types, and what bash had to say."""
    stand_ins, record = folder / "bin", folder / "typed"
    stand_ins.mkdir()
    record.touch()
    for name in ("ptde", "python"):
        (stand_ins / name).write_text(STAND_IN.format(name=name))
        (stand_ins / name).chmod(0o755)
    bash = shutil.which("bash")
    assert bash
    environment = {"PATH": str(stand_ins), "TYPED": str(record), "HOME": str(folder)}
    done = subprocess.run([bash, "-c", text], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    lines = [line.split("\0")[:-1] for line in record.read_text().split("\n\0") if line]
    return lines, done.stderr


def check(words: Sequence[str]) -> None:
    """Raise unless the command line is one that would be taken."""
    if words[0] == "python":
        check_python(words[1:])
        return
    app = typer.main.get_command(app_for([command.name for command in COMMANDS]))
    name, rest = words[1], list(words[2:])
    command = app.commands[name]
    if rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    given = command.make_context(name, rest).params
    values = parse_assignments(given.get("assignments") or [])
    chosen = {key: given[key] for key in ("alg", "env", "global_info") if given.get(key)}
    if ":" in chosen.get("alg", ""):  # one of the user's own, which lies in no file here
        del chosen["alg"]
    if name in ("train-teacher", "run"):
        own, later = by_stage(values) if name == "run" else (values, {stage: {} for stage in LATER_STAGES})
        map_name = given.get("map_name")
        train_teacher_settings(own, chosen | ({"map": map_name} if map_name and "." not in map_name else {}))
        distill_settings("paper", "3m", later["distill"])
        build_settings(CollectSettings, later["collect"])
        build_settings(EvaluateSettings, later["evaluate"])
    elif name == "distill":
        for recipe in given["recipe"] or ["paper"]:
            distill_settings(recipe, "3m", values)
    elif name in ("collect", "evaluate"):
        build_settings(CollectSettings if name == "collect" else EvaluateSettings, values)


def check_python(words: Sequence[str]) -> None:
    """`python -m` of modules that there are, with extras and sections that there are."""
    assert words[0] == "-m"
    assert words[1] in ("pip", "venv", "pytest", "benchmarks", "mkdocs"), words
    if words[1] == "benchmarks":
        assert {word for word in words[2:] if not word.startswith("-")} <= set(SECTIONS), words
    for extras in re.findall(r"^\.\[(.+)\]$", words[-1]):
        assert set(extras.split(",")) <= set(EXTRAS), words


@pytest.mark.parametrize(("page", "more", "text"), SHELL, ids=[f"{page}-{k}" for k, (page, _, _) in enumerate(SHELL)])
def test_a_block_types_what_can_be_typed(page: str, more: str, text: str, tmp_path: Path) -> None:
    lines, complaints = typed(text, tmp_path)
    for words in lines:
        check(words)
    if NOT_RUN not in more:
        assert complaints == "", f'{page}: mark it, title="{NOT_RUN}why", or leave out what is not ptde or python'
        assert lines or "export " in text


@pytest.mark.parametrize(("page", "code"), INLINE, ids=[f"{page}-{code}" for page, code in INLINE])
def test_a_command_within_a_sentence_exists(page: str, code: str) -> None:
    names = [one.name for one in COMMANDS]
    command = typer.main.get_command(app_for(names))
    words = shlex.split(code.replace("'", ""))[1:]
    assert words[0] in names, f"{page}: {code}"
    for word in words:
        if word in getattr(command, "commands", {}):
            command = command.commands[word]
        elif word.startswith("--") and word != "--help":
            options = {option for param in command.params for option in param.opts}
            assert word.partition("=")[0] in options, f"{page}: {code}"


def test_quick_ones_run(ptde: Type, tmp_path: Path) -> None:
    run = 0
    for k, (page, _, text) in enumerate(SHELL):
        folder = tmp_path / f"block{k}"
        folder.mkdir()
        for words in typed(text, folder)[0]:
            if words[0] == "ptde" and words[1] in QUICK and not any(word.endswith(".toml") for word in words):
                ended = ptde(*words[1:])
                assert ended.code == 0, (page, words, ended.err)
                run += 1
    assert run >= 2


@pytest.mark.parametrize(("page", "more", "code"), PYTHON, ids=[f"{page}-{k}" for k, (page, _, _) in enumerate(PYTHON)])
def test_python_runs(page: str, more: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if NOT_RUN in more:
        compile(code, page, "exec")
        return
    monkeypatch.chdir(tmp_path)
    exec(compile(code, page, "exec"), {"__name__": page})


def test_the_tutorials_loop_is_short() -> None:
    (code,) = [code for page, _, code in PYTHON if page == "docs/tutorial.md"]
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 25
    assert "import ptde_core as ptde" in lines
    assert all(name in code for name in ("train_teacher(", "distill(", "load_policy(", ".act("))


@pytest.mark.parametrize(
    "words",
    [
        "run --map 3m --stepz 5",
        "train-teacher --set no_such_key=1",
        "run --set distill.no_such_key=1",
        "distill teacher.pt --recipe no_such_recipe",
        "evaluate teacher.pt --set episodes=0",
    ],
)
def test_wrong_commands_would_be_seen(words: str) -> None:
    with pytest.raises(Exception, match=r"no_such|stepz|episodes"):
        check(["ptde", *words.split()])
