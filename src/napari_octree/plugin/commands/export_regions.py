"""Which parts of a layer can be exported: what is in view, what is drawn, where that lies.

Invariants: GUI thread; nothing is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes

from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.sources.protocol import Region
from napari_octree.writing.errors import WritingError

if TYPE_CHECKING:
    import napari.viewer


IN_VIEW = "What is in view"


def export_regions(viewer: napari.viewer.Viewer, layer: OctreeScalarField) -> dict[str, Region]:
    """Boxes that can be exported of a layer, by name."""
    visible = layer.visible_region()
    whole = tuple((0, int(n)) for n in layer.level_shapes[0][: layer.ndim])
    boxes: dict[str, Region] = {}
    drawn = drawn_box(viewer, layer)
    if drawn is not None:
        boxes["Rectangle that is drawn"] = drawn
    if layer.ndim > 2:
        boxes[f"{IN_VIEW}, this slice"] = _this_slice(viewer, layer, visible)
    boxes[f"{IN_VIEW}, all slices" if layer.ndim > 2 else IN_VIEW] = visible
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


def with_slices(layer: OctreeScalarField, box: Region, text: str) -> Region:
    """A box, cut to ranges along axes.

    Parameters
    ----------
    layer : OctreeScalarField
    box : Region
    text : str
        "z 3:8, t 0": axes by their names, level-0 pixels, without the end.

    Raises
    ------
    WritingError
        It does not say so, or nothing is left.
    """
    sides = list(box)
    names = [str(label) for label in layer.axis_labels]
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = re.fullmatch(r"(\S+?)\s*[ =]\s*(\d+)(?:\s*:\s*(\d+))?", part)
        if found is None or found[1] not in names:
            raise WritingError(
                f"{part!r}: an axis ({', '.join(names)}) and a range are needed, as {names[0]} 3:8"
            )
        axis, start = names.index(found[1]), int(found[2])
        stop = start + 1 if found[3] is None else int(found[3])
        low, high = sides[axis]
        sides[axis] = (max(low, start), min(high, stop))
        if sides[axis][0] >= sides[axis][1]:
            raise WritingError(f"{part!r}: nothing of the region lies there ({low}:{high})")
    return tuple(sides)


def world_box(
    viewer: napari.viewer.Viewer, layer: OctreeScalarField, box: Region
) -> list[tuple[float, float]]:
    """World coordinates around a box of a layer's pixels, along the two axes that are shown."""
    point = np.asarray(layer.world_to_data(np.asarray(viewer.dims.point)[-layer.ndim :]), float)
    offset = viewer.dims.ndim - layer.ndim
    rows, columns = (axis - offset for axis in viewer.dims.displayed[-2:])
    corners = []
    for y in box[rows]:
        for x in box[columns]:
            point[[rows, columns]] = y - 0.5, x - 0.5
            corners.append(np.asarray(layer.data_to_world(point))[[rows, columns]])
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def pixel_length(viewer: napari.viewer.Viewer, layer: OctreeScalarField, level: int) -> float:
    """How long a pixel of a level is in the world, the shorter side that is shown."""
    offset = viewer.dims.ndim - layer.ndim
    matrix = layer.level_affine(level)[:-1, :-1]
    axes = [axis - offset for axis in viewer.dims.displayed[-2:]]
    return float(min(np.linalg.norm(matrix[:, axis]) for axis in axes))


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
