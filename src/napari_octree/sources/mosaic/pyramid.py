"""The levels of a mosaic: those that its fields have, then as many as an overview needs.

Invariants: metadata only; every level's shape is an exact part of the finest one's along the axes
that are reduced, so that transforms inferred from shapes are exact.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from napari_octree.sources.derived.reduction import Reduction
from napari_octree.sources.identity import NETWORK_SCHEMES, SourceGroup, digest
from napari_octree.sources.mosaic.deviations import Deviations
from napari_octree.sources.mosaic.field import FieldOpener
from napari_octree.sources.mosaic.grid import coarse_piece
from napari_octree.sources.mosaic.mosaic_array import MosaicArray
from napari_octree.sources.mosaic.places import Places

OVERVIEW = 1024
"""Pixels a side, at most, of the coarsest level."""
ALL_THUMBNAILS = 2**22
"""Pixels of a plane, at most, in the pictures of all fields that stay at hand for the coarse
levels: those of some channels have room then (`thumbnails.MOST_BYTES`). The fewer the fields, the
finer the pictures, so that a zoomed-out view and the overview below it are made of one read."""


@dataclass(frozen=True)
class Model:
    """What the fields of a mosaic have in common: the first one that opens.

    Attributes
    ----------
    shapes, chunks : tuple of tuple of int
        Of its levels, finest first.
    dtype : numpy.dtype
    fill_value : object
    """

    shapes: tuple[tuple[int, ...], ...]
    chunks: tuple[tuple[int, ...], ...]
    dtype: np.dtype
    fill_value: object

    @property
    def factors(self) -> tuple[tuple[int, ...], ...]:
        """Pixels of the finest level per pixel of each level, axis by axis."""
        first = self.shapes[0]
        return tuple(
            tuple(max(round(a / b), 1) for a, b in zip(first, shape, strict=True))
            for shape in self.shapes
        )


def coarse_steps(extent: Sequence[int], factors: Sequence[int], most: int = OVERVIEW) -> int:
    """Return how many times a mosaic's coarsest stored level is halved for an overview."""
    steps = 0
    while (
        max(-(-n // (f * 2**steps)) for n, f in zip(extent[-2:], factors[-2:], strict=True)) > most
    ):
        steps += 1
    return steps


def mosaic_levels(
    places: Places,
    opener: FieldOpener,
    model: Model,
    *,
    where: str,
    identity: Hashable,
    layout: dict[str, object],
    extent: Sequence[int],
    pitch: Sequence[int] | None = None,
    reduction: Reduction = "mean",
    deviations: Deviations | None = None,
) -> tuple[MosaicArray, ...]:
    """Make the levels of a mosaic, finest first.

    Parameters
    ----------
    places : Places
        Where the fields lie, in pixels of the finest level.
    opener : FieldOpener
    model : Model
    where : str
        Path or address, for messages and as the name of the source.
    identity : Hashable
        Of the place where the fields are stored.
    layout : dict
        What says which pixels are where; JSON.
    extent : sequence of int
        Shape of the mosaic's finest level, at least; rounded up along the last two axes.
    pitch : sequence of int, optional
        Pixels of the finest level from well to well, along the last two axes.
    reduction : {"mean", "nearest"}
    deviations : Deviations, optional
    """
    factors = list(model.factors)
    stored = len(factors)
    steps = coarse_steps(extent, factors[-1])
    for step in range(1, steps + 1):
        factors.append(
            (*factors[stored - 1][:-2], *(f * 2**step for f in factors[stored - 1][-2:]))
        )
    total = np.lcm.reduce([own[-2:] for own in factors]).tolist()
    size = [-(-n // f) * f for n, f in zip(extent[-2:], total, strict=True)]
    version = digest({"layout": layout, "shapes": model.shapes, "dtype": model.dtype.str})
    name = where.rstrip("/").replace(" ", "%20")
    field_size = np.max(places.boxes[:, -2:, 1] - places.boxes[:, -2:, 0], axis=0, initial=1)
    most = (ALL_THUMBNAILS / max(len(places), 1)) ** 0.5
    thumbnail = _thumbnail_factors(field_size.tolist(), factors[stored:], most)
    deviations = Deviations(where) if deviations is None else deviations
    family = ("mosaic", identity, version, reduction)
    per_field = prod(size) / max(len(places), 1)
    levels = []
    for number, own in enumerate(factors):
        is_stored = number < stored
        model_level = min(number, stored - 1)
        shape = (
            *_others(model.shapes[model_level], extent, own),
            *(n // f for n, f in zip(size, own[-2:], strict=True)),
        )
        is_small = thumbnail is not None and all(
            a >= b for a, b in zip(own, thumbnail, strict=True)
        )
        levels.append(
            MosaicArray(
                key=(*family, number),
                family=family,
                source_name=f"{name}/mosaic-level-{number}",
                group=SourceGroup(("mosaic", identity), name),
                is_remote=name.partition("://")[0] in NETWORK_SCHEMES,
                shape=shape,
                dtype=model.dtype,
                fill_value=model.fill_value,
                places=places,
                opener=opener,
                factors=own,
                chunk=model.chunks[model_level],
                pitch=(0,) * (len(own) - 2)
                + tuple(p // f for p, f in zip(pitch or (0, 0), own[-2:], strict=True)),
                piece=None
                if is_stored
                else coarse_piece(own[-2:], factors[-1][-2:], pitch or (0, 0), per_field),
                version=version,
                deviations=deviations,
                thumbnail_factors=thumbnail if is_small and not is_stored else None,
                reduction=reduction,
            )
        )
    return tuple(levels)


def _others(
    shape: Sequence[int], extent: Sequence[int], factors: Sequence[int]
) -> tuple[int, ...]:
    """Sizes of all axes but the last two: those of a field, unless the mosaic is larger."""
    return tuple(
        max(n, -(-e // f)) for n, e, f in zip(shape[:-2], extent[:-2], factors[:-2], strict=True)
    )


def _thumbnail_factors(
    field_size: Sequence[int], coarse: Sequence[tuple[int, ...]], most: float
) -> tuple[int, ...] | None:
    """Return the finest of the coarse levels where a field is small; None if there are none."""
    for factors in coarse:
        if all(n / f <= most for n, f in zip(field_size, factors[-2:], strict=True)):
            return factors
    return coarse[-1] if coarse else None
