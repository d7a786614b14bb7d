"""From a node's float64 matrices to the immutable `View` that plans are made from."""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np

from napari_octree.octree.motion import AT_REST, Motion
from napari_octree.octree.view import View


def view_from_matrix(
    to_viewbox: np.ndarray,
    size: tuple[float, float],
    pixel_scale: float,
    cursor: tuple[float, float] | None = None,
    slice_key: Hashable = (),
    motion: Motion = AT_REST,
) -> View | None:
    """What a view box shows of a node whose coordinates are octree coordinates.

    Parameters
    ----------
    to_viewbox : (4, 4) float64
        Node (x, y, z, w) to logical view box pixels, row-vector convention. Affine in x and y:
        napari's 2-D camera and layer transforms are.
    size : (width, height)
        Of the view box, logical pixels.
    pixel_scale : float
        Framebuffer pixels per logical pixel.
    cursor : (x, y), optional
        In view box pixels; where inside, the focus.
    slice_key, motion
        Handed on.

    Returns
    -------
    View or None
        None while there is nothing to see: a view box without size, a transform that
        flattens the image.
    """
    # Plain numbers: of so few, arrays would cost more than the arithmetic.
    ((xx, xy), (yx, yy)), (left, top) = to_viewbox[:2, :2].tolist(), to_viewbox[3, :2].tolist()
    width, height = size
    determinant = xx * yy - xy * yx
    if width < 1 or height < 1 or not math.isfinite(determinant) or determinant == 0:
        return None

    def to_octree(x: float, y: float) -> tuple[float, float]:
        x, y = x - left, y - top
        return (y * xx - x * xy) / determinant, (x * yy - y * yx) / determinant

    corners = tuple(to_octree(x, y) for x, y in ((0, 0), (width, 0), (width, height), (0, height)))
    # Length on screen of one level-0 pixel along each axis of the image.
    along_x, along_y = math.hypot(xx, xy) * pixel_scale, math.hypot(yx, yy) * pixel_scale
    focus = None
    if cursor is not None and 0 <= cursor[0] < width and 0 <= cursor[1] < height:
        focus = to_octree(*cursor)
    try:
        return View(
            corners,
            (1 / along_y, 1 / along_x),
            focus,
            slice_key,
            motion,
        )
    except ValueError:  # not finite: a transform that is not ready
        return None
