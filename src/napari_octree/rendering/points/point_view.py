"""From a node's float64 matrices to what a frame of points is chosen and drawn by."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_octree.layers.points.slab import Slab
from napari_octree.octree.points.node_selection import PointView
from napari_octree.octree.view import VolumeView
from napari_octree.rendering.gpu.node_matrices import tile_matrices, viewbox_of, volume_matrices
from napari_octree.rendering.points.point_visual import Optics


def canvas_matrix(node: Any, ndisplay: int) -> tuple[np.ndarray, tuple[float, float]] | None:
    """Return where the points of a node go, and the view box's size in framebuffer pixels.

    Returns
    -------
    to_render : (4, 4) float64
        From the node's coordinates (x, y, z) to clip space, for row vectors.
    size : (width, height)
    None
        While there is nothing to see.
    """
    if viewbox_of(node) is None:
        return None
    if ndisplay == 2:
        flat = tile_matrices(node)
        width, height = (side * flat.pixel_scale for side in flat.size)
        matrix = flat.to_render
    else:
        volume = volume_matrices(node)
        (width, height), matrix = volume.size, volume.to_render
    if min(width, height) < 1 or not np.isfinite(matrix).all():
        return None
    if np.linalg.det(matrix[:2, :2] if ndisplay == 2 else matrix) == 0:
        return None
    return matrix, (width, height)


def point_view(
    matrix: np.ndarray,
    size: tuple[float, float],
    slab: Slab,
    reach: float,
    planes: np.ndarray | None = None,
    to_scene: np.ndarray | None = None,
) -> PointView | None:
    """Return what is chosen by; None where there is nothing to see.

    Parameters
    ----------
    matrix, size
        As `canvas_matrix` gives them.
    slab : Slab
    reach : float
        How far a point is drawn around its place, in data coordinates.
    planes : (N, 2, 3) array, optional
        Clipping planes, (x, y, z), in coordinates of the scene.
    to_scene : (4, 4) float64, optional
        From the node's coordinates to those of the planes.
    """
    try:
        middle = np.array([0.0, 0.0, 0.0, 1.0]) @ np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        middle = np.zeros(4)
    focus = middle[:3] / middle[3] if middle[3] else np.zeros(3)
    columns = tuple((float(z), float(y), float(x), float(w)) for x, y, z, w in matrix.T)
    if len(slab.displayed) < 3:
        focus[2] = 0.0
    try:
        view = VolumeView(columns, size, (float(focus[2]), float(focus[1]), float(focus[0])))
    except ValueError:  # not finite: a canvas or transform that is not ready
        return None
    return PointView(view, slab.displayed, slab.low, slab.high, reach)


def optics_of(node: Any, matrix: np.ndarray) -> Optics:
    """Return what the shader knows of the canvas.

    As napari has it, a point's size is its data size times the layer's last scale, in units of the
    scene: whatever the other scales are it stays round.
    """
    framebuffer = np.asarray(
        node.transforms.get_transform("framebuffer", "render").map(np.eye(4)), np.float64
    )
    pixel = (float(framebuffer[0, 0]), float(framebuffer[1, 1]))
    viewbox = viewbox_of(node)
    if viewbox is None:
        return Optics(pixel)
    to_scene = np.asarray(node.node_transform(viewbox.scene).map(np.eye(4)), np.float64)
    try:
        from_framebuffer = np.linalg.inv(matrix @ np.linalg.inv(framebuffer)) @ to_scene
    except np.linalg.LinAlgError:
        return Optics(pixel)
    # A step to the right on the canvas, and one towards it, in the scene's coordinates.
    across, along = np.linalg.norm(from_framebuffer[0]), np.linalg.norm(from_framebuffer[2])
    return Optics(pixel, (float(1 / across), float(1 / along) if along else 0.0))
