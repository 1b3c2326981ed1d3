"""`ptde visualize`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import Quiet, Trust, one_of, trust_files
from ptde_core.algorithms.training_settings import MOST_EPISODES
from ptde_core.base.setting_fields import MOST_SEED
from ptde_core.viewing.picture_formats import FORMATS

TERMINAL = "terminal"  # the one format that is drawn here; the others are files that the core writes
ALL_FORMATS = (*FORMATS, TERMINAL)


def complete_format(incomplete: str) -> list[str]:
    """The formats that begin with what is typed."""
    return [name for name in ALL_FORMATS if name.startswith(incomplete)]


def visualize(
    targets: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN|CHECKPOINT|REPLAY",
            help="a run folder: its teacher beside its student; or one or two of teacher.pt, student.pt, replays",
        ),
    ],
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="curves, gif, mp4, png (some moments), html (to look into z and values), game"
            " (StarCraft II's own file), or terminal (to watch now);"
            " repeatable  [default: curves, gif, html]",
            metavar="FORMAT",
            autocompletion=complete_format,
        ),
    ] = None,
    episode: Annotated[
        int, typer.Option("--episode", min=0, max=MOST_EPISODES, help="which episode of the evaluation or the replay")
    ] = 0,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=MOST_SEED, help="of the evaluation whose episode is played")
    ] = 0,
    moments: Annotated[
        list[int] | None, typer.Option("--moment", min=0, metavar="STEP", help="a step that the png shows; repeatable")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="where to  [default: figures/ in the run folder]")
    ] = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Draw the pictures of a run, or watch an episode."""
    trust_files(trust)
    with resumable():
        from ptde_cli.display import watching
        from ptde_core import api

        for name in chosen or []:
            one_of(name, ALL_FORMATS, "format")
        files = [name for name in chosen or [] if name != TERMINAL]
        if files or not chosen:
            with watching(quiet=quiet) as listen:
                pictures = api.visualize(
                    *targets,
                    formats=files,
                    out=out,
                    episode=episode,
                    seed=seed,
                    moments=moments or [],
                    listen=listen,
                )
            if quiet:
                print(*pictures, sep="\n")
        if TERMINAL in (chosen or []):
            from ptde_cli.player import watch
            from ptde_core.viewing.replays.chosen_episodes import shown_of

            watch(shown_of(targets, episode, seed))
