"""What z depends on, measured and drawn, and the paths of the figures. Matplotlib is imported to draw one."""

from collections.abc import Sequence
from pathlib import Path

from ptde_core.base.events import FileSaved, Listener, silent
from ptde_core.runs.stage_settings import InspectSettings
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.whole_file import check_output, refuse_linked
from ptde_core.viewing.information.inspect_information import Inspected, inspect


def figures_of(target: Path, out: Path | None) -> Path:
    """The folder for the figure of one of `inspect`'s targets: `out`, else figures/ in its run folder.

    Raises:
        StorageError: figures/ is a link.
    """
    if out is not None:
        return out
    folder = (RunFolder(target) if target.is_dir() else RunFolder.of(target)).figures
    refuse_linked(folder)
    return folder


def inspect_and_draw(
    targets: Sequence[Path], settings: InspectSettings, out: Path | None = None, *, listen: Listener = silent
) -> list[Inspected]:
    """Measure what the z of teachers depends on (`inspect`) and save a figure of each (`save_information`).

    Raises:
        PtdeError: as `inspect`.
        StorageError: a figure cannot be written; as far as it can be known, before anything is played.
    """
    for target in targets:
        check_output(figures_of(target, out) / "information.png")
    found = inspect(targets, settings, listen=listen)
    save_information(found, targets, out, listen=listen)
    return found


def save_information(
    inspected: Sequence[Inspected], targets: Sequence[Path], out: Path | None, *, listen: Listener = silent
) -> list[Path]:
    """One figure per run: information.png and .svg in its figures/, or in `out`, numbered where there are several."""
    from ptde_core.viewing.information.information_figure import draw_information
    from ptde_core.viewing.run_curves import save_figure  # matplotlib, only for pictures

    pictures = []
    for number, (one, target) in enumerate(zip(inspected, targets, strict=True)):
        folder = figures_of(target, out)
        stem = "information" if len(inspected) == 1 or out is None else f"information-{number}"
        figure = draw_information(one)
        for suffix in (".png", ".svg"):
            pictures.append(save_figure(figure, folder / f"{stem}{suffix}"))
            listen(FileSaved(pictures[-1], f"what information matters to {one.title}"))
    return pictures
