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
