"""Cameras whose screen pixels keep away from the edges of texels.

Where the centre of a screen pixel falls on the edge between two texels, rounding decides which one
is shown, and two right renderers may differ. Pictures are compared off such ties only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def off_tie_center(
    center: Sequence[float],
    zoom: float,
    canvas_shape: Sequence[int],
    texel: Sequence[float] = (1.0, 1.0),
    origin: Sequence[float] = (-0.5, -0.5),
) -> tuple[float, float]:
    """Move a camera's centre by less than a texel so that no screen pixel is on a tie.

    Parameters
    ----------
    center : (y, x)
        Wished camera centre, in world coordinates.
    zoom : float
        Screen pixels per world unit.
    canvas_shape : (height, width)
        In screen pixels.
    texel : (height, width)
        Of one texel, in world coordinates; give those of the coarsest level that is compared.
    origin : (y, x)
        World coordinates of a corner of some texel; (-0.5, -0.5) for an unmoved layer.

    Returns
    -------
    (y, x)
        The centre that keeps all screen pixels as far from texel edges as possible.
    """
    return tuple(
        _off_tie(*axis, zoom) for axis in zip(center, canvas_shape, texel, origin, strict=True)
    )


def tie_distance(center: float, pixels: int, texel: float, origin: float, zoom: float) -> float:
    """How near the centres of a line of screen pixels come to a texel edge, in texels."""
    phases = _phases(center, pixels, texel, origin, zoom)
    return float(np.minimum(phases, 1 - phases).min())


def _phases(center: float, pixels: int, texel: float, origin: float, zoom: float) -> np.ndarray:
    """Where in its texel each pixel centre falls: 0 and 1 are the edges."""
    world = center + (np.arange(pixels) + 0.5 - pixels / 2) / zoom
    return ((world - origin) / texel) % 1.0


def _off_tie(center: float, pixels: int, texel: float, origin: float, zoom: float) -> float:
    """Turn the circle of phases until texel edges are in the middle of its widest gap."""
    phases = np.sort(_phases(center, pixels, texel, origin, zoom))
    gaps = np.diff(phases, append=phases[0] + 1)
    widest = int(np.argmax(gaps))
    middle = phases[widest] + gaps[widest] / 2
    shift = (0.5 - middle % 1.0) % 1.0 - 0.5  # to the nearer side, at most half a texel
    return float(center + shift * texel)


def tie_mask(
    to_data: Callable[[np.ndarray], np.ndarray],
    center: Sequence[float],
    zoom: float,
    canvas_shape: Sequence[int],
    factor: float = 1.0,
) -> np.ndarray:
    """Screen pixels whose centre is within a thousandth of a texel of an edge.

    For grids that are turned or sheared: they have no camera that is off all ties.

    Parameters
    ----------
    to_data : callable
        World to data coordinates of the layer, for (N, 2) points.
    center, zoom, canvas_shape
        As in `off_tie_center`.
    factor : float
        Level-0 pixels per texel.

    Returns
    -------
    (height, width) bool
    """
    rows, columns = canvas_shape
    y, x = np.mgrid[:rows, :columns]
    world = np.stack(
        [center[0] + (y + 0.5 - rows / 2) / zoom, center[1] + (x + 0.5 - columns / 2) / zoom],
        axis=-1,
    ).reshape(-1, 2)
    place = (np.asarray(to_data(world)) + 0.5) / factor
    distance = np.abs(place - np.round(place)).min(axis=1)
    return (distance < 1e-3).reshape(rows, columns)
