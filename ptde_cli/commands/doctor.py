"""`ptde doctor`."""

from pathlib import Path

import typer

SOMETHING_IS_WRONG = 1


def doctor() -> None:
    """Look at this machine; exit code 1 if something is in the way."""
    from ptde_cli.display import print_tables
    from ptde_core.stages.doctor import doctor_table, examine, healthy

    findings = examine(Path.cwd())
    print_tables([doctor_table(findings)])
    if not healthy(findings):
        raise typer.Exit(SOMETHING_IS_WRONG)
