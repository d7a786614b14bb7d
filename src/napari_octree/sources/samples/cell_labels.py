"""A segmentation: cells on a lattice, each with a label of its own; computed while you look.

Invariants: computed when read; 0 between cells. A coarse pixel has the label at its centre, one
that is larger than a cell that of the cell there; labels are never mixed.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from napari_octree.sources.arrays.generated_array import GeneratedArray
from napari_octree.sources.samples.pyramids import halved_pyramid


def labels(
    side: int = 1 << 20,
    levels: int | None = None,
    dtype: Any = np.uint32,
    cell: int = 64,
    ndim: int = 2,
) -> list[GeneratedArray]:
    """Make the pyramid, finest level first.

    Parameters
    ----------
    side : int
        Pixels of the finest level along each axis.
    levels : int, optional
        Default: down to 512 pixels a side.
    dtype : data-type
        Integers; labels wrap around where there are more cells than numbers.
    cell : int
        Pixels between the centres of neighbouring cells.
    ndim : int
        2 or 3.
    """
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        raise ValueError(f"labels are integers, not {kind}")
    if ndim not in (2, 3) or cell < 4:
        raise ValueError("labels need 2 or 3 axes, and cells of at least 4 pixels")
    across = -(-side // cell)

    def make_compute(factors: tuple[int, ...]) -> partial[np.ndarray]:
        return partial(_compute, factors[0], cell, across, kind)

    chunk = (256, 256) if ndim == 2 else (64, 64, 64)
    axes = tuple(range(ndim))
    return halved_pyramid("labels", (side,) * ndim, kind, chunk, axes, levels, make_compute)


def _compute(
    step: int, cell: int, across: int, kind: np.dtype, ranges: tuple[range, ...]
) -> np.ndarray:
    number = np.zeros((1,) * len(ranges), np.uint64)
    distance = np.zeros((1,) * len(ranges))
    for axis, pixels in enumerate(ranges):
        shape = [-1 if i == axis else 1 for i in range(len(ranges))]
        # The pixel of the finest level at the centre, the lower of two.
        place = (np.asarray(pixels) * step + (step - 1) // 2).reshape(shape)
        if step > cell:  # all such places lie between cells: a pixel has the cell it lies in
            place = place // cell * cell + cell // 2
        number = number * np.uint64(across) + (place // cell).astype(np.uint64)
        distance = distance + ((place % cell + 0.5) / cell - 0.5) ** 2
    with np.errstate(over="ignore"):
        radius = 0.3 + 0.15 * (
            (number * np.uint64(2654435761) >> np.uint64(8)) % np.uint64(256) / 256
        )
        label = number + np.uint64(1)
    values = np.where(distance < radius**2, label, np.uint64(0))
    if kind.itemsize < 8:
        values %= np.uint64(np.iinfo(kind).max + 1)
    return values.astype(kind)
