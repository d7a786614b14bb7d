"""Menu commands that give pixels away: crop to a new layer, export, pop out a level.

Invariants: GUI thread; pixels are read in threads only; whoever cancels has changed nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer, Shapes
from napari.utils.notifications import show_info, show_warning

from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.plugin.background_task import BackgroundTask
from napari_octree.plugin.export import ENDINGS, Export, Format, export_of
from napari_octree.sources.errors import SourceError
from napari_octree.sources.protocol import Region
from napari_octree.writing.errors import WritingError

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtWidgets import QWidget

    from napari_octree.qt.export_dialog import ExportChoice

FORMATS: tuple[Format, ...] = ("OME-Zarr", "OME-TIFF")


def crop_to_layer(viewer: napari.viewer.Viewer) -> list[Layer]:
    """Add layers that show a box of the selected ones: a drawn rectangle, or what is in view."""
    layers = selected_octrees(viewer)
    if not layers:
        show_info("Select an octree layer to crop.")
        return []
    made: list[Layer] = []
    for layer in layers:
        box = drawn_box(viewer, layer) or layer.visible_region()
        try:
            made.append(viewer.add_layer(layer.crop(box)))
        except ValueError as error:
            show_warning(str(error))
    return made


def pop_out_level(viewer: napari.viewer.Viewer) -> Layer | None:
    """Add the level that is shown of the selected layer as a stock layer, in the same place.

    For plugins that cannot work on levels. Its pixels are read when somebody asks for them.
    """
    layers = selected_octrees(viewer)
    if not layers:
        show_info("Select an octree layer.")
        return None
    layer = layers[0]
    number = layer.data_level
    if number >= len(layer.data):  # a level that is computed, not stored
        number = len(layer.data) - 1
    kind = Image if isinstance(layer, OctreeImage) else Labels
    looks: dict[str, Any] = {
        "name": f"{layer.name} level {number}",
        "affine": layer.level_affine(number),
    }
    if isinstance(layer, OctreeImage):
        looks |= {
            "rgb": layer.rgb,
            "colormap": layer.colormap if not layer.rgb else None,
            "contrast_limits": layer.contrast_limits,
            "blending": layer.blending,
        }
    looks = {key: value for key, value in looks.items() if value is not None}
    added: Layer = viewer.add_layer(kind(layer.level(number), multiscale=False, **looks))
    return added


def export_layers(viewer: napari.viewer.Viewer) -> BackgroundTask[Path] | None:
    """Ask what to export of the selected layers, and write it in the background."""
    from napari.qt import get_stylesheet

    from napari_octree.qt.export_dialog import ExportDialog

    layers = selected_octrees(viewer)
    if not layers:
        show_info("Select the octree layers to export: one image, or its channels.")
        return None
    regions = export_regions(viewer, layers[0])
    stored = layers[0].level_shapes
    name = layers[0].name.split(":")[0].strip() or "image"

    def chosen(choice: ExportChoice) -> Export:
        return export_of(
            layers,
            Path(choice.path).expanduser(),
            FORMATS[choice.format],
            box=list(regions.values())[choice.region],
            level=choice.level,
            overwrite=Path(choice.path).expanduser().exists(),
        )

    def describe(choice: ExportChoice) -> str:
        try:
            export = chosen(choice)
        except (WritingError, SourceError, ValueError, IndexError) as error:
            return str(error)
        shape = " × ".join(str(n) for n in export.image.shape)
        there = " It replaces what is there." if export.overwrite else ""
        return f"{shape} pixels, {_size(export.nbytes)} at most, before compression.{there}"

    dialog = ExportDialog(
        _window(),
        f"Export {name}",
        list(regions),
        [f"{i}: {' × '.join(str(n) for n in shape)}" for i, shape in enumerate(stored)],
        FORMATS,
        describe,
        lambda index: str(Path(os.getcwd()) / f"{name}{ENDINGS[FORMATS[index]]}"),
    )
    dialog.setStyleSheet(get_stylesheet(viewer.theme))
    if not dialog.exec_():
        return None
    try:
        export = chosen(dialog.choice)
    except (WritingError, SourceError, ValueError, IndexError) as error:
        show_warning(str(error))
        return None
    return start_export(export)


def start_export(export: Export) -> BackgroundTask[Path]:
    """Write an export in the background; a notice says when it is done."""
    return BackgroundTask(
        f"Export {export.path.name}",
        lambda task: export.run(task.report, task.cancelled),
        lambda path: show_info(f"Exported: {path}"),
    )


def export_regions(viewer: napari.viewer.Viewer, layer: OctreeScalarField) -> dict[str, Region]:
    """Boxes that can be exported of a layer, by name."""
    visible = layer.visible_region()
    whole = tuple((0, int(n)) for n in layer.level_shapes[0][: layer.ndim])
    boxes: dict[str, Region] = {}
    drawn = drawn_box(viewer, layer)
    if drawn is not None:
        boxes["Rectangle that is drawn"] = drawn
    if layer.ndim > 2:
        boxes["What is in view, this slice"] = _this_slice(viewer, layer, visible)
    boxes["What is in view, all slices" if layer.ndim > 2 else "What is in view"] = visible
    boxes["Everything"] = whole
    return boxes


def drawn_box(viewer: napari.viewer.Viewer, layer: OctreeScalarField) -> Region | None:
    """The box around the selected shapes of a selected Shapes layer, in a layer's pixels."""
    for shapes in viewer.layers.selection:
        if not isinstance(shapes, Shapes) or not shapes.data:
            continue
        chosen = sorted(shapes.selected_data) or range(len(shapes.data))
        corners = np.concatenate([np.asarray(shapes.data[i], float) for i in chosen])
        world = np.array([shapes.data_to_world(corner) for corner in corners])
        rank = min(shapes.ndim, layer.ndim)
        points = np.zeros((len(world), layer.ndim))
        points[:, -rank:] = world[:, -rank:]
        pixels = np.array([layer.world_to_data(point) for point in points]) + 0.5
        shape = layer.level_shapes[0]
        box = [(0, int(shape[axis])) for axis in range(layer.ndim)]
        for axis in _spread_axes(corners, layer.ndim):
            low, high = pixels[:, axis].min(), pixels[:, axis].max()
            box[axis] = (int(np.floor(low)), int(np.ceil(high)))
        return tuple(box)
    return None


def selected_octrees(viewer: napari.viewer.Viewer) -> list[OctreeScalarField]:
    """The selected octree layers, in the order of the list."""
    return [
        layer
        for layer in viewer.layers
        if layer in viewer.layers.selection and isinstance(layer, OctreeScalarField)
    ]


def _spread_axes(corners: np.ndarray, ndim: int) -> list[int]:
    """Axes of a layer along which a drawn shape is not flat."""
    spread = np.ptp(corners, axis=0) > 0
    offset = ndim - len(spread)
    return [axis + offset for axis in np.flatnonzero(spread).tolist() if axis + offset >= 0]


def _this_slice(viewer: napari.viewer.Viewer, layer: OctreeScalarField, box: Region) -> Region:
    point = np.asarray(viewer.dims.point, float)[-layer.ndim :]
    pixel = np.floor(np.asarray(layer.world_to_data(point)) + 0.5).astype(int)
    shown = viewer.dims.displayed
    offset = viewer.dims.ndim - layer.ndim
    sides: list[tuple[int, int]] = []
    for axis, (start, stop) in enumerate(box):
        if axis + offset in shown:
            sides.append((start, stop))
        else:
            index = int(np.clip(pixel[axis], start, stop - 1))
            sides.append((index, index + 1))
    return tuple(sides)


def _window() -> QWidget | None:
    from qtpy.QtWidgets import QApplication

    return QApplication.activeWindow()


def _size(nbytes: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < 1024:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1024
    return f"{nbytes:.3g} TiB"
