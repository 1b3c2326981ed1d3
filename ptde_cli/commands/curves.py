"""`ptde curves`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.options import Quiet, Runs

OUT = Path("win_rates.png")


def curves(
    runs: Runs = None,
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", metavar="FILE", help=f"ends in .png, .svg or .pdf; repeatable  [default: {OUT}]"),
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="also runs that are still training or stopped early")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Draw the win rates of many runs."""
    from ptde_cli.display import print_tables, watching
    from ptde_core.base.events import FileSaved
    from ptde_core.results.sections import left_out_table
    from ptde_core.storage.whole_file import check_output
    from ptde_core.viewing.algorithm_curves import draw_win_rates, win_rates
    from ptde_core.viewing.run_curves import check_picture, save_figure

    pictures = out or [OUT]
    for path in pictures:
        check_picture(path)
        check_output(path)
    found = win_rates(runs, unfinished=unfinished)
    figure = draw_win_rates(found)
    with watching(quiet=quiet) as listen:
        for path in pictures:
            listen(FileSaved(save_figure(figure, path), f"{found.measure}s over training"))
    if quiet:
        print(*pictures, sep="\n")
    elif found.left_out:
        print_tables([left_out_table("Not drawn", found.left_out)])
