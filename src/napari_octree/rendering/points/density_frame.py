"""What a frame shows as density: the rectangles of its nodes, and what is missing of each.

Invariants: pure; only flat views of sets that have a `DensityGrid`; nothing where all points are
drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from napari_octree.octree.points.density_grid import CellBoxes, NodeShares
from napari_octree.octree.points.node_selection import NodeSelection
from napari_octree.rendering.points.density_picture import DensityFrame, mean_colour
from napari_octree.rendering.points.dot_profile import Dot
from napari_octree.rendering.points.point_nodes import ShownPlace

if TYPE_CHECKING:
    from napari_octree.layers.points.octree_points import OctreePoints

LEAST = 0.005
"""Where less of the points is missing nothing is drawn: the eye could not tell."""

_SHARES: WeakKeyDictionary[object, NodeShares] = WeakKeyDictionary()


def shows_only_density(layer: OctreePoints, place: ShownPlace) -> bool:
    """Whether points are not drawn at all."""
    wanted = layer.density in ("linear", "log")
    return wanted and place.source.density is not None and _is_flat(place)


def _is_flat(place: ShownPlace) -> bool:
    density = place.source.density
    return density is not None and place.slab.displayed == density.plan.axes


def density_frame(
    layer: OctreePoints,
    place: ShownPlace,
    selection: NodeSelection,
    share: float,
    matrix: np.ndarray,
    pixels: float,
    dot: Dot,
) -> DensityFrame | None:
    """Return what is to be drawn under the points; None: nothing.

    Parameters
    ----------
    layer : OctreePoints
    place : ShownPlace
    selection : NodeSelection
    share : float
        The part of each node's points that is drawn.
    matrix : (4, 4) float64
        From data coordinates (x, y, z) to clip space.
    pixels : float
        Framebuffer pixels of a square data unit.
    dot : Dot
        What a point adds to the picture.
    """
    source, mode = place.source, layer.density
    density, grid = source.density, source.grid_of_cells
    if mode == "off" or density is None or grid is None or not _is_flat(place):
        return None
    if layer.shown_range is not None:  # which of them are shown is not counted
        return None
    table, rows = source.table, selection.rows
    axes = list(density.plan.axes)
    slab = place.slab
    weights = density.weights(slab.low, slab.high)
    if not weights.any():
        return None
    if mode in ("linear", "log"):
        low = np.array([density.low])
        highs = low + np.array([density.plan.shape]) * density.plan.side
        lows, missing = low, np.ones(1)
    else:
        mode = "points"
        shares = _SHARES.get(table)
        if shares is None:
            shares = _SHARES[table] = NodeShares.of(table)
        absent = selection.missing + (1 - share) * table.counts[rows]
        missing = absent / np.maximum(shares.totals[rows], 1)
        kept = np.flatnonzero(missing > LEAST)
        if not len(kept):
            return None
        missing = missing[kept]
        lows, highs = CellBoxes(grid).boxes(table, rows[kept])
        lows, highs = lows[:, axes], highs[:, axes]
        lows, highs, missing = _once(lows, highs, missing)
    return DensityFrame(
        (source.key, weights.tobytes()),
        density,
        weights,
        lows,
        highs,
        missing,
        matrix,
        pixels,
        dot.cover,
        dot.reach,
        (*dot.colour, float(layer.opacity)),
        mode,
    )


def mean_colours(layer: OctreePoints) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean colours of faces and of borders, of a sample of the points."""
    look = layer.point_look
    return (
        mean_colour(look.face.table, layer.face_color if look.face.column else ()),
        mean_colour(look.border.table, layer.border_color if look.border.column else ()),
    )


def _once(
    lows: np.ndarray, highs: np.ndarray, missing: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join rectangles of several planes in the same place: the mean of what they miss."""
    boxes = np.hstack([lows, highs])
    found, inverse, counts = np.unique(boxes, axis=0, return_inverse=True, return_counts=True)
    means = np.bincount(inverse.ravel(), missing, minlength=len(found)) / counts
    return found[:, :2], found[:, 2:], means
