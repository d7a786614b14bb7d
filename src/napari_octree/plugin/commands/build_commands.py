"""The menu command that builds a pyramid of a file in the background.

Invariants: GUI thread; files are read and written in a thread. Who cancels keeps what is written:
the same build goes on later.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info, show_warning

from napari_octree.plugin.background_task import BackgroundTask
from napari_octree.plugin.build_command import chosen_image
from napari_octree.plugin.commands.commands import open_path
from napari_octree.sources.ome_zarr.addresses import is_url
from napari_octree.writing.build import build_pyramid
from napari_octree.writing.errors import WritingError
from napari_octree.writing.verify import verify_pyramid

if TYPE_CHECKING:
    import napari.viewer

    from napari_octree.qt.build_dialog import BuildChoice


def build_from_file(viewer: napari.viewer.Viewer) -> BackgroundTask[Path] | None:
    """Ask what pyramid to build of which file, and build it in the background."""
    from napari.qt import get_stylesheet
    from qtpy.QtWidgets import QApplication

    from napari_octree.qt.build_dialog import BuildDialog

    active = viewer.layers.selection.active
    shown = None if active is None else active.source.path
    usable = shown is not None and (is_url(str(shown)) or Path(shown).exists())
    dialog = BuildDialog(QApplication.activeWindow(), str(shown) if usable else "")
    dialog.setStyleSheet(get_stylesheet(viewer.theme))
    if not dialog.exec_():
        return None
    try:
        return start_build(viewer, dialog.choice)
    except WritingError as error:
        show_warning(str(error))
        return None


def start_build(viewer: napari.viewer.Viewer, choice: BuildChoice) -> BackgroundTask[Path]:
    """Build in the background; a notice says when it is done."""
    target = Path(choice.target).expanduser()

    def work(task: BackgroundTask[Path]) -> Path:
        image = chosen_image(choice.source, choice.image)
        build_pyramid(
            image,
            str(target),
            choice.options,
            workers=choice.workers,
            scheduler=choice.scheduler,
            progress=task.report,
            cancelled=task.cancelled,
        )
        if choice.verify:
            verify_pyramid(image, str(target))
        return target

    def done(path: Path) -> None:
        show_info(f"Built: {path}")
        if choice.open:
            open_path(viewer, str(path))

    return BackgroundTask(
        f"Build {target.name}",
        work,
        done,
        on_cancelled=lambda: show_info(
            f"{target} is not finished. Build it again to go on where it was."
        ),
    )
