"""Plates in a viewer: the names of rows and columns beside the picture, one well or field alone.

Invariants: run in the GUI thread and read no pixels; documents are fetched in another thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer, Points
from napari.utils.notifications import show_error, show_info

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.plugin.opening.open_ome_zarr import layers_of
from napari_octree.plugin.opening.waiting import Cancelled, open_and_wait
from napari_octree.plugin.preferences import preferred_config
from napari_octree.sources import as_level_source
from napari_octree.sources.errors import SourceError
from napari_octree.sources.mosaic.mosaic_array import MosaicArray
from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from napari_octree.sources.ome_zarr.plates.fields import PlateFields

if TYPE_CHECKING:
    import napari.viewer

NAMES = "rows and columns"
"""What the layer of names is called, after the plate."""
TEXT_SIZE = 12


def plate_of(layer: Layer) -> dict[str, Any] | None:
    """Return what is known of the plate that a layer shows, None if it shows none."""
    plate = layer.metadata.get("ome_zarr", {}).get("plate")
    return plate if isinstance(layer, OctreeImage) and isinstance(plate, dict) else None


def with_plate_names(layers: Sequence[Any]) -> list[Any]:
    """Return layers, and after those of a plate one with the names of its rows and columns."""
    for layer in layers:
        names = plate_names(layer) if isinstance(layer, OctreeImage) else None
        if names is not None:
            return [*layers, names]
    return list(layers)


def plate_names(layer: OctreeImage) -> Points | None:
    """Make a layer that writes the names of rows and columns beside a plate.

    Returns
    -------
    Points or None
        None if the layer shows no plate, or one without rows and columns.
    """
    plate = plate_of(layer)
    if plate is None or not any([*plate["rows"], *plate["columns"]]):
        return None
    height, width = plate["pitch"]
    rows = [((n + 0.5) * height, -0.25 * width) for n in range(len(plate["rows"]))]
    columns = [(-0.25 * height, (n + 0.5) * width) for n in range(len(plate["columns"]))]
    names = Points(
        np.array([*rows, *columns]) - 0.5,
        name=f"{plate['name'] or 'plate'}: {NAMES}",
        scale=layer.scale[-2:],
        translate=layer.translate[-2:],
        units=layer.units[-2:],
        axis_labels=layer.axis_labels[-2:],
        size=min(height, width) * 0.05,
        face_color="transparent",
        border_color="transparent",
        text={
            "string": [*plate["rows"], *plate["columns"]],
            "color": "white",
            "size": TEXT_SIZE,
            "anchor": "center",
        },
    )
    names.editable = False
    return names


def show_plate_names(viewer: napari.viewer.Viewer) -> None:
    """Add the names of rows and columns of the selected plate, or show and hide them."""
    known = [layer for layer in viewer.layers if layer.name.endswith(f": {NAMES}")]
    if known:
        visible = any(layer.visible for layer in known)
        for layer in known:
            layer.visible = not visible
        return
    layer = _plate_layer(viewer)
    names = None if layer is None else plate_names(layer)
    if names is None:
        show_info("Select a layer of a plate.")
    else:
        viewer.add_layer(names)


def open_field(viewer: napari.viewer.Viewer) -> None:
    """Open the field in the middle of the view as an image of its own."""
    _open_part(viewer, whole_well=False)


def open_well(viewer: napari.viewer.Viewer) -> None:
    """Open the well in the middle of the view as an image of its own."""
    _open_part(viewer, whole_well=True)


def _open_part(viewer: napari.viewer.Viewer, whole_well: bool) -> None:
    layer = _plate_layer(viewer)
    mosaic = None if layer is None else _mosaic(layer)
    if layer is None or mosaic is None or not isinstance(mosaic.opener, PlateFields):
        show_info("Select a layer of a plate.")
        return
    fields = mosaic.opener
    point = layer.world_to_data(_middle(viewer)[-layer.ndim :])
    remaining = iter(np.asarray(point, float) + 0.5)
    fixed = as_level_source(layer.data[0]).fixed
    number = mosaic.places.number_at([next(remaining) if i is None else i + 0.5 for i in fixed])
    if number is None:
        show_info("There is no field in the middle of the view.")
        return
    name = mosaic.places.names[number]
    config = preferred_config()

    def prepare() -> Any:
        node = fields.node(number, whole_well)
        if node is None:
            raise SourceError(f"{name}: this field is not there")
        images = read_ome_zarr(node)
        own = images[0].name
        if not whole_well and own.isdigit():  # they are called 0, 1, … in each well
            images = tuple(
                replace(image, name=name + image.name.removeprefix(own)) for image in images
            )
        return lambda: layers_of(images, config)

    try:
        layers = open_and_wait(name, prepare)()
    except SourceError as error:
        show_error(str(error))
    except Cancelled:
        show_info(f"{name}: opening was cancelled")
    else:
        for part in layers:
            viewer.add_layer(part)


def _middle(viewer: napari.viewer.Viewer) -> np.ndarray:
    """Return the world coordinates of the middle of the view, at the sliders' places."""
    position = np.array(viewer.dims.point, float)
    displayed = list(viewer.dims.displayed)
    position[displayed] = viewer.scene.camera.center[-len(displayed) :]
    return position


def _plate_layer(viewer: napari.viewer.Viewer) -> OctreeImage | None:
    """Return the first selected layer of a plate; the first of all if none is selected."""
    selected = [layer for layer in viewer.layers if layer in viewer.layers.selection]
    for layer in [*selected, *viewer.layers]:
        if plate_of(layer) is not None:
            return layer
    return None


def _mosaic(layer: OctreeImage) -> MosaicArray | None:
    array = layer.data[0]
    while not isinstance(array, MosaicArray) and hasattr(array, "array"):
        array = array.array
    return array if isinstance(array, MosaicArray) else None
