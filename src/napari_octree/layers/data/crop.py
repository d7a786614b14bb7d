"""A box of a pyramid, as a pyramid.

Invariants: pure; nothing is read. Every level keeps its place: a coarse level begins at the pixel
in which the box begins, and its transform says by how much that is earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_octree.octree.transform import LevelTransform
from napari_octree.sources.derived.cropped import CroppedArray
from napari_octree.sources.protocol import LevelSource, Region


def crop_levels(
    sources: Sequence[LevelSource], transforms: Sequence[LevelTransform], box: Region
) -> tuple[list[CroppedArray], list[LevelTransform]]:
    """Crop all levels to a box of level 0.

    Parameters
    ----------
    sources : sequence of LevelSource
        Finest first.
    transforms : sequence of LevelTransform
        One per level, over all axes but that of colours.
    box : tuple of (int, int)
        Level-0 pixels, start and stop per axis (but that of colours), within the image.

    Returns
    -------
    arrays, transforms
        Of the levels that have a pixel of their own in the box.
    """
    rank = len(box)
    arrays: list[CroppedArray] = []
    moved: list[LevelTransform] = []
    for source, transform in zip(sources, transforms, strict=True):
        sides = []
        for axis, (start, stop) in enumerate(box):
            f, t, n = transform.factor[axis], transform.translation[axis], source.shape[axis]
            first = min(max(math.floor((start - t) / f + 1e-9), 0), n - 1)
            last = min(max(math.ceil((stop - t) / f - 1e-9), first + 1), n)
            sides.append((first, last))
        colours = [(0, n) for n in source.shape[rank:]]
        if arrays and tuple(b - a for a, b in sides) == arrays[-1].shape[:rank]:
            continue  # no coarser than the level before: one pixel for one
        arrays.append(CroppedArray(source, (*sides, *colours)))
        shift = tuple(
            f * first + t - start
            for f, t, (first, _), (start, _) in zip(
                transform.factor, transform.translation, sides, box, strict=True
            )
        )
        moved.append(LevelTransform(transform.factor, shift))
    return arrays, moved
