"""What the fields under a region of a mosaic give of it, and the region put together of that.

Invariants: pure functions; boxes are half-open, in pixels of one level; where fields overlap, the
first is on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from napari_octree.sources.protocol import Region

Part: TypeAlias = "tuple[np.ndarray, tuple[slice, ...]]"
"""Pixels, and where they are in the region."""


def put_together(
    region: Region, parts: Sequence[Any], fill_value: object, dtype: np.dtype
) -> np.ndarray | None:
    """Return a region of its parts, of which some are None or errors; None if there is no other.

    One that is all of the region is returned itself.
    """
    found: list[Part] = [part for part in parts if isinstance(part, tuple)]
    sizes = tuple(stop - start for start, stop in region)
    if not found:
        return None
    if len(found) == 1 and found[0][0].shape == sizes:
        return found[0][0]
    block = np.full(sizes, fill_value, dtype)
    for pixels, place in reversed(found):
        block[place] = pixels
    return block


def inside(region: Region, box: Sequence[tuple[int, int]]) -> Region:
    """What a region has of a field's box, from the field's first pixel on."""
    return tuple(
        (max(start, first) - first, min(stop, last) - first)
        for (start, stop), (first, last) in zip(region, box, strict=True)
    )


def moved(
    place: tuple[slice, ...], region: Region, inner: Region, box: Sequence[tuple[int, int]]
) -> tuple[slice, ...]:
    """Return where in a region a part of a field is, whose place is given from `inner` on."""
    shifts = [
        first + low - start
        for (start, _), (first, _), (low, _) in zip(region, box, inner, strict=True)
    ]
    return tuple(
        slice(part.start + shift, part.stop + shift)
        for part, shift in zip(place, shifts, strict=True)
    )
