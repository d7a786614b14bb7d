"""Writes edits into the arrays they lie above: finest level first, unit by unit.

Invariants: worker thread. Coarser levels get the pixels that stand for theirs at level 0, as they
are shown; what was not painted stays as it is stored, however it was made.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_octree.layers.data.representatives import representatives
from napari_octree.layers.labels.painting.edited_chunk import Index
from napari_octree.layers.labels.painting.edits import LabelEdits
from napari_octree.octree.transform import LevelTransform
from napari_octree.sources.levels.writing import writable
from napari_octree.sources.protocol import Region


def save_edits(
    edits: LabelEdits,
    indices: Sequence[Index],
    arrays: Sequence[Any],
    transforms: Sequence[LevelTransform],
) -> int:
    """Write what was painted in some chunks.

    Parameters
    ----------
    edits : LabelEdits
    indices : sequence of chunk indices
    arrays, transforms : sequence
        Of all levels.

    Returns
    -------
    int
        How many chunks or shards were written, over all levels.

    Raises
    ------
    SourceError
        An array cannot be written to; nothing was written then.
    Exception
        Whatever the store raises. Who calls marks as saved only what all levels have.
    """
    targets = [writable(array) for array in arrays]
    boxes = [edits.box(index) for index in indices]
    written = 0
    for target, transform in zip(targets, transforms, strict=True):
        shape = tuple(int(n) for n in target.array.shape)
        units = dict.fromkeys(
            unit for box in boxes for unit in target.units(_on_level(box, transform, shape))
        )
        for unit in units:
            places = [
                representatives(np.arange(start, stop), f, t, n)
                for (start, stop), f, t, n in zip(
                    unit, transform.factor, transform.translation, edits.shape, strict=True
                )
            ]
            written += target.change(unit, functools.partial(edits.onto, places=places))
    return written


def _on_level(box: Region, transform: LevelTransform, shape: tuple[int, ...]) -> Region:
    """The pixels of a level that may be represented in a box of level 0."""
    region = []
    for (start, stop), f, t, n in zip(
        box, transform.factor, transform.translation, shape, strict=True
    ):
        first = min(max(math.floor((start - t) / f) - 1, 0), n - 1)
        last = min(max(math.ceil((stop - t) / f) + 1, first + 1), n)
        region.append((first, last))
    return tuple(region)
