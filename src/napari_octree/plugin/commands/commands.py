"""The commands of napari's menus and of its command palette.

Invariants: run in the GUI thread and read no pixels; whoever cancels a dialog has changed nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error, show_info

from napari_octree.config import ConfigError
from napari_octree.layers.source import note_source
from napari_octree.plugin.commands.layer_actions import reload, toggle_grid, toggle_tint
from napari_octree.plugin.commands.plates import with_plate_names
from napari_octree.plugin.default_reader import offer_to_be_default, prefer_reader
from napari_octree.plugin.opening.access import open_with_access
from napari_octree.plugin.opening.claimed_paths import is_zarr_path
from napari_octree.plugin.opening.first_look import arrange_first_look
from napari_octree.plugin.opening.open_image import prepare_image
from napari_octree.plugin.opening.problem_first import problem_first
from napari_octree.plugin.opening.waiting import Cancelled
from napari_octree.plugin.preferences import preferred_config
from napari_octree.plugin.remembered import recall, remember
from napari_octree.sources.errors import SourceError
from napari_octree.sources.stores.address import shown
from napari_octree.sources.tiff.slide_names import SLIDE_ENDINGS

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtWidgets import QWidget

__all__ = [
    "open_address",
    "open_folder",
    "open_path",
    "open_tiff_file",
    "prefer_reader",
    "reload",
    "toggle_grid",
    "toggle_tint",
]

ADDRESSES = "addresses"
"""Under this key those are remembered that were opened last, the latest first."""
FOLDER = "folder"
MOST_ADDRESSES = 20


def open_folder(viewer: napari.viewer.Viewer) -> None:
    """Ask for a zarr folder and open it."""
    from qtpy.QtWidgets import QFileDialog

    start = str(recall(FOLDER, ""))
    path = QFileDialog.getExistingDirectory(_window(), "Open an OME-Zarr folder as octree", start)
    if path:
        remember(FOLDER, str(Path(path).parent))
        _open(viewer, path)


def open_address(viewer: napari.viewer.Viewer) -> None:
    """Ask for the address of a zarr image and open it."""
    from napari_octree.qt.address_dialog import ask_address

    known = [str(address) for address in recall(ADDRESSES, [])]
    address = ask_address(_window(), known)
    if address:
        seen = shown(address)  # without passwords and signatures
        kept = [seen, *(other for other in known if other != seen)]
        remember(ADDRESSES, kept[:MOST_ADDRESSES])
        _open(viewer, address)


def open_tiff_file(viewer: napari.viewer.Viewer) -> None:
    """Ask for a TIFF file or slide and open it."""
    from qtpy.QtWidgets import QFileDialog

    names = " ".join(f"*{ending}" for ending in (".tif", ".tiff", ".btf", *SLIDE_ENDINGS))
    path, _ = QFileDialog.getOpenFileName(
        _window(), "Open TIFF or slide as octree", "", f"TIFF and slides ({names});;All files (*)"
    )
    if path:
        _open(viewer, path)


def open_path(viewer: napari.viewer.Viewer, path: str) -> None:
    """Add the layers of a path or URL; the window stays alive while a store is asked.

    Raises
    ------
    SourceError
    Cancelled
        The user pressed Cancel in the activity dock.
    """
    config = preferred_config()
    make = open_with_access(path, lambda **options: prepare_image(path, config, **options))
    layers = with_plate_names(make())
    arrange_first_look(layers, viewer)
    note_source(layers, shown(path))
    for layer in layers:
        viewer.add_layer(layer)
    if is_zarr_path(path):
        offer_to_be_default()


def _open(viewer: napari.viewer.Viewer, path: str) -> None:
    """`open_path`, where one message tells what is wrong."""
    try:
        open_path(viewer, path)
    except (SourceError, ConfigError) as error:
        show_error(problem_first(str(error), shown(path)))
    except Cancelled:
        show_info(f"{shown(path)}: opening was cancelled")


def _window() -> QWidget | None:
    """The window whose menu was used, as the parent of dialogs."""
    from qtpy.QtWidgets import QApplication

    return QApplication.activeWindow()
