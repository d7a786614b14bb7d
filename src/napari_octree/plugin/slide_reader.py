"""The reader that napari asks for slides and OME-TIFF files, and the menu command for other TIFFs.

Invariants: plain .tif files are left to napari's own reader; a file of a claimed name that cannot
be opened raises an error that names it and the problem, before anything is added to the viewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.plugin.open_image import open_image_layers
from napari_octree.plugin.preferences import preferred_config
from napari_octree.plugin.slide_names import OPENSLIDE_ENDINGS, SLIDE_ENDINGS

if TYPE_CHECKING:
    import napari.viewer

ReadLayers = Callable[[str | Sequence[str]], list[OctreeImage]]


def get_slide_reader(path: str | Sequence[str]) -> ReadLayers | None:
    """Return the function that opens `path`, or None if its name is none of a slide.

    Parameters
    ----------
    path : str or sequence of str
        Several paths, to be read as one stack, are not ours.
    """
    if not isinstance(path, str | Path):
        return None
    if not str(path).lower().endswith((*SLIDE_ENDINGS, *OPENSLIDE_ENDINGS)):
        return None
    return read_slide if preferred_config().octree.enabled and Path(path).is_file() else None


def read_slide(path: str | Sequence[str]) -> list[OctreeImage]:
    """Open the layers of one or more files (metadata only).

    Raises
    ------
    SourceError
    """
    paths = [path] if isinstance(path, str | Path) else path
    config = preferred_config()
    return [layer for each in paths for layer in open_image_layers(each, config)]


def open_tiff_file(viewer: napari.viewer.Viewer) -> None:
    """Ask for a TIFF file or slide and open it."""
    from qtpy.QtWidgets import QFileDialog

    names = " ".join(f"*{ending}" for ending in (".tif", ".tiff", ".btf", *SLIDE_ENDINGS))
    path, _ = QFileDialog.getOpenFileName(
        None, "Open TIFF or slide as octree", "", f"TIFF and slides ({names});;All files (*)"
    )
    if path:
        for layer in read_slide(path):
            viewer.add_layer(layer)
