"""The name of the image under the cursor, of a layer that shows many (plates, tiled scans).

Invariants: arithmetic only; any thread (napari asks in one of its own).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_octree.sources.protocol import LevelSource, NamesPlaces


def place_under(
    layer: Layer,
    source: LevelSource,
    position: Sequence[float] | None = None,
    *,
    world: bool = False,
    **_: Any,
) -> str | None:
    """Return the name of what is under a position; None where nothing has one.

    Parameters
    ----------
    layer : Layer
    source : LevelSource
        Its finest level.
    position, world
        As of `napari.layers.Layer.get_status`.
    """
    storage = source.storage
    if position is None or not isinstance(storage, NamesPlaces):
        return None
    point = layer.world_to_data(position) if world else position
    remaining = iter(np.asarray(point, float)[-len(source.shape) :] + 0.5)
    return storage.place_at([next(remaining) if i is None else i + 0.5 for i in source.fixed])


def onto_plane(position: Sequence[float], view_direction: Sequence[float]) -> np.ndarray:
    """Return where a line of sight meets the plane in which 2-D data lie in a 3-D view.

    Parameters
    ----------
    position : (ndim,) floats
        World coordinates of a point of the line; that of the plane's normal is the third from
        the end, and 0 in the plane.
    view_direction : (ndim,) floats

    Returns
    -------
    (ndim,) float64
        The position itself where the line runs within the plane.
    """
    point, direction = np.array(position, float), np.asarray(view_direction, float)
    if direction.shape != point.shape or abs(direction[-3]) < 1e-9:
        return point
    return point - direction * (point[-3] / direction[-3])
