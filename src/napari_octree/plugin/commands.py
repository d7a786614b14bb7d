"""The commands of napari's menus and of its command palette.

Invariants: run in the GUI thread and read no pixels; whoever cancels a dialog has changed nothing;
a layer is replaced only after its successor has been made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeGuard

from napari.layers import Image, Labels, Layer
from napari.settings import get_settings
from napari.utils.notifications import show_info

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.plugin.open_ome_zarr import open_layers
from napari_octree.plugin.preferences import PLUGIN, preferred_config

if TYPE_CHECKING:
    import napari.viewer

READER_PATTERNS = ("*.zarr", "*.zarr/", "*.zarr.zip")
"""As napari's preferences write them: folders end with a slash."""


def open_folder(viewer: napari.viewer.Viewer) -> None:
    """Ask for a zarr folder and open it."""
    from qtpy.QtWidgets import QFileDialog

    path = QFileDialog.getExistingDirectory(None, "Open an OME-Zarr folder as octree")
    if path:
        open_path(viewer, path)


def open_address(viewer: napari.viewer.Viewer) -> None:
    """Ask for the address of a zarr image and open it."""
    from qtpy.QtWidgets import QInputDialog

    address, accepted = QInputDialog.getText(
        None, "Open an OME-Zarr address as octree", "Address (https://…, s3://…, gs://…):"
    )
    if accepted and address.strip():
        open_path(viewer, address.strip())


def open_path(viewer: napari.viewer.Viewer, path: str) -> None:
    """Add the layers of a path or URL."""
    for layer in open_layers(path, preferred_config()):
        viewer.add_layer(layer)


def convert_selected(viewer: napari.viewer.Viewer) -> None:
    """Replace the selected images by OctreeImages of the same data and looks."""
    images = [layer for layer in _selected(viewer) if is_stock_image(layer)]
    if not images:
        show_info("Select an image layer to convert.")
    for image in images:
        converted, name = as_octree_image(image), image.name
        # Before the old one goes: an empty viewer forgets its camera and its sliders.
        viewer.layers.insert(viewer.layers.index(image), converted)
        viewer.layers.remove(image)
        converted.name = name


def is_stock_image(layer: Layer) -> TypeGuard[Image]:
    """Whether a layer is an image, and no OctreeImage yet."""
    return isinstance(layer, Image) and not isinstance(layer, OctreeImage | Labels)


def as_octree_image(image: Image) -> OctreeImage:
    """Make an OctreeImage with the levels and all settings of an image."""
    data, state, _ = image.as_layer_data_tuple()
    levels = list(data) if image.multiscale else [data]
    return OctreeImage(levels, preferred_config(), **state)


def prefer_reader() -> None:
    """Have napari open *.zarr with this plugin without asking."""
    plugins = get_settings().plugins
    plugins.extension2reader = {
        **plugins.extension2reader,
        **dict.fromkeys(READER_PATTERNS, PLUGIN),
    }
    show_info("*.zarr now opens with napari-octree. To undo it: Preferences, Plugins.")


def toggle_grid(viewer: napari.viewer.Viewer) -> None:
    """Show the borders of tiles, or hide them if any are shown."""
    layers = list(_octree_images(viewer))
    show = not any(layer.display.show_grid for layer in layers)
    for layer in layers:
        layer.display.show_grid = show


def toggle_tint(viewer: napari.viewer.Viewer) -> None:
    """Colour tiles by level, or stop it if any are coloured."""
    layers = list(_octree_images(viewer))
    tint = not any(layer.display.tint_levels for layer in layers)
    for layer in layers:
        layer.display.tint_levels = tint


def reload(viewer: napari.viewer.Viewer) -> None:
    """Read the selected layers again, also what had failed."""
    for layer in _octree_images(viewer):
        layer.reload()


def _selected(viewer: napari.viewer.Viewer) -> list[Layer]:
    """The selected layers, from bottom to top."""
    return [layer for layer in viewer.layers if layer in viewer.layers.selection]


def _octree_images(viewer: napari.viewer.Viewer) -> Iterator[OctreeImage]:
    """The selected octree layers; if none is selected, all; a note if there are none."""
    layers = [layer for layer in viewer.layers if isinstance(layer, OctreeImage)]
    if not layers:
        show_info("There is no octree layer.")
    selected = [layer for layer in layers if layer in viewer.layers.selection]
    yield from selected or layers
