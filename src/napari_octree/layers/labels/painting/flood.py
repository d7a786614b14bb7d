"""The bucket, on images larger than memory: it fills what it can reach among loaded labels.

Invariant: nothing is read: a box around the place grows as long as its labels are at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_octree.sources.protocol import Region

FIRST_SIDE = 256

MOST_PIXELS = 2**24
"""Of the box that is looked at: some tenths of a second."""


@dataclass(frozen=True, eq=False)
class Flood:
    """What is to be filled.

    Attributes
    ----------
    region : Region
        Over all axes.
    mask : bool array
        Of the region's shape along the painted axes.
    labels : array
        What is there now, of the mask's shape.
    is_whole : bool
        False: it goes on where labels are not loaded, or beyond what is looked at.
    """

    region: Region
    mask: np.ndarray
    labels: np.ndarray
    is_whole: bool


def flood(
    place: Sequence[int],
    axes: Sequence[int],
    shape: Sequence[int],
    connected: bool,
    read: Callable[[Region], np.ndarray | None],
) -> Flood | None:
    """Find the pixels that have the label at a place.

    Parameters
    ----------
    place : sequence of int
        Over all axes.
    axes : sequence of int
        Those that are painted along.
    shape : sequence of int
        Of the image.
    connected : bool
        Only what hangs together with the place; else all in the box that can be looked at.
    read : callable
        Labels of a region, None where not all are at hand.

    Returns
    -------
    Flood or None
        None if not even the place's own label is at hand.
    """
    from skimage.measure import label as components

    best: Flood | None = None
    side = FIRST_SIDE
    while True:
        region = around(place, axes, shape, side)
        labels = read(region) if _pixels(region) <= MOST_PIXELS else None
        if labels is None:
            break
        inner = labels[tuple(slice(None) if a in axes else 0 for a in range(len(region)))]
        at = tuple(place[a] - region[a][0] for a in axes)
        mask = inner == inner[at]
        if connected:
            parts = components(mask, connectivity=1)
            mask = parts == parts[at]
        open_sides = [
            side_
            for n, a in enumerate(axes)
            for side_, edge in ((0, region[a][0] > 0), (-1, region[a][1] < shape[a]))
            if edge and (not connected or mask.take(side_, axis=n).any())
        ]
        best = Flood(region, mask, inner, not open_sides)
        if best.is_whole:
            break
        side *= 2
    return best


def around(place: Sequence[int], axes: Sequence[int], shape: Sequence[int], side: int) -> Region:
    """The box of `side` pixels along the painted axes around a place, within the image."""
    half = side // 2
    return tuple(
        (max(p - half, 0), min(p + half, n)) if a in axes else (p, p + 1)
        for a, (p, n) in enumerate(zip(place, shape, strict=True))
    )


def _pixels(region: Region) -> int:
    total = 1
    for start, stop in region:
        total *= stop - start
    return total
