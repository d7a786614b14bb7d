"""Where the wells of a plate and the fields of a well lie, in pixels of the finest level.

Invariants: pure functions. Wells start on whole pixels of every level, so that levels need no
shifts of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_octree.sources.mosaic.pyramid import coarse_steps

GAP = 0.03
"""Between wells, of the size of a well."""

Point = tuple[int, int]


@dataclass(frozen=True)
class PlateLayout:
    """Places of everything on a plate.

    Attributes
    ----------
    offsets : tuple of (int, int)
        Of the fields of a well, from the well's first pixel.
    pitch : (int, int)
        From well to well.
    extent : (int, int)
        Of the whole plate.
    from_positions : bool
        The fields' own translations say where they lie; else they are in rows, in their order.
    """

    offsets: tuple[Point, ...]
    pitch: Point
    extent: Point
    from_positions: bool


def plate_layout(
    rows: int,
    columns: int,
    field_size: Sequence[int],
    factors: Sequence[int],
    count: int,
    positions: Sequence[Sequence[float]] | None,
) -> PlateLayout:
    """Lay a plate out.

    Parameters
    ----------
    rows, columns : int
    field_size : (int, int)
        Rows and columns of pixels of a field.
    factors : (int, int)
        Of its coarsest level.
    count : int
        Fields of a well.
    positions : sequence of (float, float) or None
        Of the fields' first pixels, in pixels; used if they are of use.
    """
    offsets = None if positions is None or count < 2 else usable_positions(positions)
    from_positions = offsets is not None
    if offsets is None:
        across = max(math.ceil(math.sqrt(count)), 1)
        step = [_up(n, f) for n, f in zip(field_size, factors, strict=True)]
        offsets = tuple((i // across * step[0], i % across * step[1]) for i in range(count))
    single = rows == columns == 1
    pitch: Sequence[int] = factors
    for _ in range(3):  # the steps to an overview follow from the size, the size from the steps
        total = [
            f * 2 ** coarse_steps([rows * pitch[0], columns * pitch[1]], factors) for f in factors
        ]
        sizes = [max(o[a] for o in offsets) + field_size[a] for a in (0, 1)]
        gaps = [0 if single else max(total[a], math.ceil(GAP * sizes[a])) for a in (0, 1)]
        pitch = [_up(sizes[a] + gaps[a], total[a]) for a in (0, 1)]
    return PlateLayout(
        offsets, (pitch[0], pitch[1]), (rows * pitch[0], columns * pitch[1]), from_positions
    )


def usable_positions(positions: Sequence[Sequence[float]]) -> tuple[Point, ...] | None:
    """Return positions from the first pixel of all on; None if they say nothing.

    They are the same for two fields, not finite, or so far apart that no well is so large.
    """
    array = np.asarray(positions, float)
    if not np.isfinite(array).all() or np.ptp(array, axis=0).max() > 10**7:
        return None
    pixels = np.rint(array - array.min(axis=0)).astype(np.int64)
    if len(np.unique(pixels, axis=0)) < len(pixels):
        return None
    return tuple((int(y), int(x)) for y, x in pixels)


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
