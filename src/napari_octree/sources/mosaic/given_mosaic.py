"""A mosaic of images that are at hand, each with its place.

Invariants: reads nothing; images are placed to the nearest whole pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_octree.sources.derived.reduction import Reduction
from napari_octree.sources.errors import SourceError
from napari_octree.sources.levels.level_source import as_level_sources
from napari_octree.sources.mosaic.field import GivenField, GivenFields
from napari_octree.sources.mosaic.mosaic_array import MosaicArray
from napari_octree.sources.mosaic.places import Places
from napari_octree.sources.mosaic.pyramid import Model, mosaic_levels
from napari_octree.sources.protocol import LevelSource


def given_mosaic(
    images: Sequence[tuple[Any, Sequence[float]]],
    scale: Sequence[float] | None = None,
    *,
    name: str = "mosaic",
    reduction: Reduction = "mean",
) -> tuple[tuple[MosaicArray, ...], tuple[float, ...]]:
    """Make one array per level of many placed images.

    Parameters
    ----------
    images : sequence of (levels, translation)
        Levels are arrays, finest first, or one array; the translation is where the first
        pixel's centre lies, along the last axes if it has fewer numbers than axes.
    scale : sequence of float, optional
        Size of a pixel in the units of the translations; along the last axes; default 1.
    name : str
    reduction : {"mean", "nearest"}
        How coarser levels are made: "nearest" for labels.

    Returns
    -------
    levels : tuple of MosaicArray
    translation : tuple of float
        Of the mosaic's first pixel.

    Raises
    ------
    SourceError
        There are no images, or one cannot be shown; the message says which.
    """
    if not images:
        raise SourceError("a mosaic needs at least one image")
    all_levels = [_levels_of(levels, number) for number, (levels, _) in enumerate(images)]
    model = _model(all_levels[0])
    ndim = len(model.shapes[0])
    size = _completed(scale, ndim, 1.0, "scale")
    if not all(s > 0 for s in size):
        raise SourceError(f"the scale of a mosaic must be positive, not {tuple(size)}")
    origins = np.array(
        [
            _completed(t, ndim, 0.0, f"image {n}: its translation")
            for n, (_, t) in enumerate(images)
        ]
    )
    if not np.isfinite(origins).all():
        raise SourceError("the translations of a mosaic must be finite numbers")
    starts_in_pixels = np.rint((origins - origins.min(axis=0)) / size).astype(np.int64)
    fields, boxes = [], []
    for number, (levels, start) in enumerate(zip(all_levels, starts_in_pixels, strict=True)):
        shape = levels[0].shape
        if len(shape) != ndim:
            raise SourceError(
                f"image {number} ({levels[0].storage.source_name}): has {len(shape)} axes, "
                f"while the first image has {ndim}"
            )
        boxes.append([(int(s), int(s) + n) for s, n in zip(start, shape, strict=True)])
        sizes = tuple(
            tuple(max(a / b, 1.0) for a, b in zip(shape, level.shape, strict=True))
            for level in levels
        )
        fields.append(GivenField(f"image {number}", levels, sizes))
    places = Places(np.array(boxes, np.int64), [field.name for field in fields])
    identity = tuple((f.levels[0].storage.key, f.levels[0].fixed) for f in fields)
    made = mosaic_levels(
        places,
        GivenFields(tuple(fields)),
        model,
        where=name,
        identity=identity,
        layout={"boxes": boxes},
        extent=places.boxes[:, :, 1].max(axis=0).tolist(),
        reduction=reduction,
    )
    return made, tuple(origins.min(axis=0).tolist())


def _levels_of(levels: Any, number: int) -> tuple[LevelSource, ...]:
    given = list(levels) if isinstance(levels, list | tuple) else [levels]
    try:
        return as_level_sources(given)
    except SourceError as error:
        raise SourceError(f"image {number} of the mosaic: {error}") from error


def _model(levels: tuple[LevelSource, ...]) -> Model:
    return Model(
        tuple(level.shape for level in levels),
        tuple(chunk_of(level) for level in levels),
        levels[0].dtype,
        levels[0].storage.fill_value,
    )


HINT = 512
"""Pixels a side of what is read at once of arrays that have no chunks."""


def chunk_of(level: LevelSource) -> tuple[int, ...]:
    """Return the shape of a level's first chunk."""
    ndim = len(level.shape)
    hint = (1,) * (ndim - 2) + (HINT, HINT)
    grid = level.storage.grid(level.storage_shape(hint))
    first = grid.region(next(grid.indices(tuple((0, 1) for _ in level.storage.shape))))
    free = [extent for extent, fixed in zip(first, level.fixed, strict=True) if fixed is None]
    return tuple(stop - start for start, stop in free)


def _completed(
    numbers: Sequence[float] | None, ndim: int, missing: float, what: str
) -> list[float]:
    given = [float(n) for n in (() if numbers is None else numbers)]
    if len(given) > ndim:
        raise SourceError(f"{what} has {len(given)} numbers for {ndim} axes")
    return [missing] * (ndim - len(given)) + given
