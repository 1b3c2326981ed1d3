"""matplotlib's import, before that of modules that have it at the top of their files: a refusal is one sentence."""

from ptde_core.base.errors import PtdeError, quoted


def check_matplotlib() -> None:
    """Import matplotlib.

    Raises:
        PtdeError: it does not know what MPLBACKEND names.
    """
    try:
        import matplotlib  # noqa: F401
    except ValueError as error:
        raise PtdeError(
            f"matplotlib cannot be imported: {quoted(error)}", "unset MPLBACKEND, which no picture of ptde needs"
        ) from error
