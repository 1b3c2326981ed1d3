"""The root of the command line: the list of commands with their help, and the entry point `ptde`."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

from ptde_cli.exits import run_app
from ptde_core.base.version import __version__


@dataclass(frozen=True)
class Command:
    """One command. Its function is in the file of its name in `commands/`, which is imported only to run it.

    Reading all of them and their options takes longer than `ptde --help` may take. A command with `parts` does its own
    work when it is typed alone; the functions of its parts are in the same file (`ptde maps show` is `maps_show`).
    """

    name: str
    meaning: str
    example: str
    parts: "tuple[Command, ...]" = ()

    @property
    def help(self) -> str:
        """The text of `--help` above the options."""
        return f"{self.meaning}\n\n\b\nExample: {self.example}"  # \b: the line is never wrapped, so it can be copied

    def load(self, part: str = "") -> Callable[..., Any]:
        """The function of the command, or of one of its parts."""
        name = self.name.replace("-", "_")
        wanted = f"{name}_{part}" if part else name
        function: Callable[..., Any] = getattr(import_module(f"ptde_cli.commands.{name}"), wanted)
        return function

    def register(self, app: typer.Typer, *, loaded: bool) -> None:
        """Add it to `app`; with a placeholder for its function where these arguments cannot run it."""
        function = self.load() if loaded else _not_loaded
        if not self.parts:
            app.command(self.name, help=self.help, short_help=self.meaning)(function)
            return
        group = _empty_app()
        group.callback(invoke_without_command=True)(function)
        for part in self.parts:
            run = self.load(part.name) if loaded else _not_loaded
            group.command(part.name, help=part.help, short_help=part.meaning)(run)
        app.add_typer(group, name=self.name, help=self.help, short_help=self.meaning)


RUN = "runs/skirmish/3m/QMIX_SGI/seed1"

COMMANDS = (
    Command(
        "run",
        "All stages in a row: train a teacher, distill its student, evaluate both; run again, it resumes.",
        "ptde run --map 3m",
    ),
    Command(
        "sweep",
        "Many whole pipelines from one file, side by side, a run folder each; typed again, it resumes.",
        "ptde sweep sweep.toml --dry-run",
    ),
    Command(
        "reproduce",
        "The paper's tables and figures: train what they take, show ours beside the paper's, answer its questions.",
        "ptde reproduce table2 --budget 0.001 --seeds 1",
    ),
    Command(
        "train-teacher",
        "Stage 1: train a teacher whose agents are given global information.",
        "ptde train-teacher --alg qmix --map 3s_vs_8z --steps 20000",
    ),
    Command(
        "collect",
        "Let a teacher play; keep what its agents saw and the information it gave them.",
        f"ptde collect {RUN}/teacher.pt --episodes 200",
    ),
    Command(
        "data",
        "Look into collected episodes: what a file holds; the same as NumPy arrays or Parquet.",
        f"ptde data show {RUN}/episodes.h5",
        parts=(
            Command(
                "show",
                "Say what a file of episodes holds and where it comes from; with --features the name of each number.",
                f"ptde data show {RUN}/episodes.h5",
            ),
            Command(
                "export",
                "Write a file of episodes for other programs: NumPy arrays or Parquet.",
                f"ptde data export {RUN}/episodes.h5 --to npz",
            ),
        ),
    ),
    Command(
        "distill",
        "Stage 2: fit a student, whose agents see only their own view, to its teacher.",
        f"ptde distill {RUN}/teacher.pt",
    ),
    Command(
        "evaluate",
        "Measure policies on the same episodes: win rate, 95 % interval, PRR.",
        f"ptde evaluate {RUN}/student.pt",
    ),
    Command(
        "export",
        "Write a trained policy for other runtimes: an ONNX graph, or its weights as NumPy arrays.",
        f"ptde export {RUN}/student.pt --format onnx",
    ),
    Command(
        "report",
        "Tables of all runs: win rates over seeds, PRR, the paper's figures beside them.",
        "ptde report --format markdown --out report.md",
    ),
    Command(
        "compare",
        "Set two runs side by side: what differs in settings, code, environment and machine, and in results.",
        f"ptde compare {RUN} runs/skirmish/3m/QMIX/seed1",
    ),
    Command(
        "curves",
        "Draw win rates over training: median and quartiles over seeds, a panel per map (PNG, SVG, PDF).",
        "ptde curves --out win_rates.pdf",
    ),
    Command(
        "visualize",
        "Draw a run's learning curves, and episodes of its policies: GIF, MP4, PNG, HTML page, terminal.",
        f"ptde visualize {RUN}",
    ),
    Command(
        "inspect",
        "Show what of the state each agent's z depends on, and how much its student recovers.",
        f"ptde inspect {RUN}",
    ),
    Command(
        "maps",
        "List the maps: units, sizes, episode limit, training budgets.",
        "ptde maps",
        parts=(
            Command(
                "show",
                "Draw a map, also one of your own; with --out as PNG too; --features: what each number of a view is.",
                "ptde maps show 2c_vs_64zg --out map.png",
            ),
        ),
    ),
    Command(
        "zoo",
        "List the trained policies that come with ptde: what each won, and the command that plays it again.",
        "ptde zoo",
    ),
    Command(
        "calibrate",
        "Compare the built-in simulator with figures logged in the real game, with a verdict each.",
        "ptde calibrate --map 3m",
    ),
    Command(
        "settings",
        "List all settings of a stage: key, default, bounds, meaning.",
        "ptde settings train-teacher --map 6h_vs_8z",
    ),
    Command(
        "doctor",
        "Say what this machine has and lacks for ptde, with the command that mends each lack.",
        "ptde doctor --env football",
    ),
)
"""The only list of commands, in the order of `ptde --help`."""


def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Show the version and exit.")] = False,
) -> None:
    """Personalized training with distilled execution.

    Train a teacher that is given the whole state, distill it into a student whose agents see only
    their own view, and measure how much of the win rate is kept (PRR).

    Example: ptde run --map 3m
    """
    if version:
        typer.echo(f"ptde {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """The command line; only commands that occur in the arguments are loaded, or all of them for shell completion."""
    app = _empty_app()
    app.callback(invoke_without_command=True)(root)
    completing = "_PTDE_COMPLETE" in os.environ
    for command in COMMANDS:
        command.register(app, loaded=completing or command.name in arguments)
    return app


def _empty_app() -> typer.Typer:
    return typer.Typer(
        rich_markup_mode=None,  # Rich would more than double the time of `ptde --help`
        pretty_exceptions_enable=False,  # bugs keep Python's plain traceback, without the values of local variables
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _not_loaded() -> None:
    raise AssertionError("a command was run that is not among the arguments")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and leave with its exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    sys.exit(run_app(app_for, words))
