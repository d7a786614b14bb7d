"""The level of a field that a level of the mosaic is made of.

Invariants: worker threads only; what is unlike the first field is told once per kind.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from napari_octree.sources.errors import SourceError
from napari_octree.sources.mosaic.deviations import Deviations
from napari_octree.sources.mosaic.field import FieldOpener, PixelSize
from napari_octree.sources.mosaic.field_reading import fitting_level
from napari_octree.sources.protocol import LevelSource


def level_of(
    opener: FieldOpener,
    number: int,
    pixel_size: PixelSize,
    sizes: tuple[int, ...],
    dtype: np.dtype,
    deviations: Deviations,
) -> tuple[LevelSource, PixelSize] | None:
    """Open the level of a field that fits; None if it is not there.

    Parameters
    ----------
    opener : FieldOpener
    number : int
        Of the field.
    pixel_size : PixelSize
        Of the mosaic's level.
    sizes : tuple of int
        Of the field's box, in pixels of the mosaic's finest level.
    dtype : numpy.dtype
        Of the mosaic.
    deviations : Deviations
        Told what is unlike the first field.

    Returns
    -------
    (LevelSource, PixelSize) or None
        With the size of its pixels.

    Raises
    ------
    SourceError
        It has other axes.
    Exception
        It cannot be reached.
    """
    opened = opener.field(number)
    if opened is None:
        return None
    level = fitting_level(opened, pixel_size)
    source = opened.level(level)
    if source is None:
        return None
    shape = source.shape
    if len(shape) != len(sizes):
        raise SourceError(
            f"{source.storage.source_name}: has {len(shape)} axes, "
            f"while the first image of the mosaic has {len(sizes)}"
        )
    own = opened.pixel_sizes[level]
    if source.dtype != dtype:
        deviations.note("another type of pixels", opened.name, f"they are converted to {dtype}")
    if _is_larger(shape, own, sizes):
        deviations.note("more pixels", opened.name, "what does not fit is cut off")
    return source, own


@lru_cache(maxsize=256)
def _is_larger(shape: tuple[int, ...], own: PixelSize, sizes: tuple[int, ...]) -> bool:
    """Whether a level has more pixels than its box, by one at least."""
    return any(n * p >= size + p for n, p, size in zip(shape, own, sizes, strict=True))
