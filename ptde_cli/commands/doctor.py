"""`ptde doctor`."""

from pathlib import Path
from typing import Annotated

import typer

SOMETHING_IS_WRONG = 1


def doctor(
    env: Annotated[
        str | None,
        typer.Option("--env", metavar="NAME", help="only this environment, and all that it needs  [default: all]"),
    ] = None,
) -> None:
    """Look at this machine; exit code 1 if something is in the way."""
    from ptde_cli.display import print_tables
    from ptde_core.machine.doctor import doctor_table, examine, healthy

    findings = examine(Path.cwd(), env)
    print_tables([doctor_table(findings)])
    if not healthy(findings):
        raise typer.Exit(SOMETHING_IS_WRONG)
