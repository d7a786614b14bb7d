"""PixelSubject: an image or labels as the dock shows them.

Invariants: those of `Subject`. The map is the overview that is in memory; of volumes it shows the
greatest values along each of the three axes.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtGui import QImage

from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.level import OctreeLevel
from napari_octree.octree.octree import Octree
from napari_octree.qt.desk.subjects.cached_boxes import CachedBoxes, Region
from napari_octree.qt.desk.subjects.subject import (
    PLANES,
    LevelRow,
    Loaded,
    Panel,
    Place,
    Subject,
    finest,
    human_size,
    image_of,
    indexed_image_of,
    texts,
    times,
)

MOST_PIXELS = 256
"""Sides of the picture; larger overviews are thinned."""

PRECISE = 2**20
"""Limits below this can be told apart by 32-bit floats."""

MOST_TILES = 64
"""A chunk of more tiles than this is drawn whether they are on the GPU or not."""


class PixelSubject(Subject):
    """An image or labels.

    Parameters
    ----------
    layer : OctreeScalarField
    """

    def __init__(self, layer: OctreeScalarField) -> None:
        self._layer = layer
        self._cached: CachedBoxes | None = None

    @property
    def word(self) -> str:
        """What its parts are called."""
        return "bricks" if self.rank == 3 else "tiles"

    @property
    def displayed(self) -> tuple[int, ...]:
        """Axes of the data that are displayed."""
        octree_slice = self._layer.octree_slice
        return () if octree_slice is None else octree_slice.key.displayed

    @property
    def described(self) -> object:
        """The slice: another one has other levels."""
        return self._layer.octree_slice

    def rows(self) -> list[LevelRow]:
        """Describe the levels, computed ones included."""
        octree_slice = self._layer.octree_slice
        if octree_slice is None:
            return []
        given = len(self._layer.level_shapes)
        return [
            _row(octree_slice, level, level.index >= given) for level in octree_slice.octree.levels
        ]

    def counts(self) -> list[tuple[str, str, str]]:
        """By level: on the GPU, failed, in RAM."""
        octree_slice = self._layer.octree_slice
        if octree_slice is None:
            return []
        by_level, cache = self._layer.residency.by_level(), self._layer.loader.cache
        return [
            texts(
                *by_level.get(number, (0, 0)),
                cache.bytes_of(source.storage.key),
                source.storage.in_memory,
            )
            for number, source in enumerate(octree_slice.sources)
        ]

    # --------------------------------------------------------------------- map

    def panels(self) -> list[Panel]:
        """Make the pictures of the overview."""
        overview, octree_slice = self._layer.overview, self._layer.octree_slice
        if overview is None or octree_slice is None:
            return []
        extent = [float(n) for n in octree_slice.octree.extent]
        if len(extent) == 2:
            picture = _picture(self._layer, _thinned(overview))
            return [Panel((0, 1), picture, (extent[0], extent[1]))]
        panels = []
        for down, right in PLANES:
            flat = overview.max(axis=({0, 1, 2} - {down, right}).pop())
            if down > right:
                flat = np.swapaxes(flat, 0, 1)
            picture = _picture(self._layer, _thinned(flat))
            panels.append(Panel((down, right), picture, (extent[down], extent[right])))
        return panels

    @property
    def loaded(self) -> Hashable:
        """What the places depend on."""
        layer = self._layer
        return layer.residency, id(layer.octree_slice), layer.loader.cache.changes

    def places(self, resident: bool) -> list[Place]:
        """Where parts failed, and where they are on the GPU or in RAM."""
        octree_slice, found = self._layer.octree_slice, self._layer.residency
        if octree_slice is None:
            return []
        octree = octree_slice.octree
        failed = places_of(octree, found.failed, Loaded.FAILED)
        if not resident:
            return failed
        on_gpu = places_of(octree, found.resident)
        return [*self._in_ram(octree_slice, found.resident), *on_gpu, *failed]

    def _in_ram(self, octree_slice: OctreeSlice, resident: frozenset[ChunkKey]) -> list[Place]:
        cached = self._cached
        if cached is None or cached.octree_slice is not octree_slice:
            cached = self._cached = CachedBoxes(octree_slice, self._layer.loader.cache)
        rank = len(octree_slice.key.displayed)
        on_gpu = {(chunk.level, chunk.index[-rank:]) for chunk in resident}
        return finest(
            [
                Place(level.index, _bounds(level, part), Loaded.IN_RAM)
                for level in octree_slice.octree.levels
                for box in cached.of_level(level.index)
                for part in _not_on_gpu(level, box, on_gpu)
            ]
        )

    def to_data(self, data: np.ndarray, place: Mapping[int, float]) -> None:
        """Set a point to where the map says."""
        for axis, value in place.items():
            data[self.displayed[axis]] = value - 0.5


def places_of(
    octree: Octree, chunks: Iterable[ChunkKey], state: Loaded = Loaded.ON_GPU
) -> list[Place]:
    """Return where tiles lie; of a flat slice in 3-D without the axis that it is flat along."""
    rank = len(octree.extent)
    found = []
    for chunk in finest(list(chunks)):
        if chunk.level >= len(octree.levels):
            continue
        level = octree.levels[chunk.level]
        box = [
            (number * side, min((number + 1) * side, size))
            for number, side, size in zip(
                chunk.index[-rank:], level.tile_shape, level.shape, strict=True
            )
        ]
        found.append(Place(chunk.level, _bounds(level, box), state))
    return found


def _bounds(level: OctreeLevel, box: Sequence[tuple[int, int]]) -> tuple[tuple[float, float], ...]:
    """A box of pixels of a level in octree coordinates."""
    transform = level.transform
    return tuple(
        (factor * low + shift, factor * high + shift)
        for (low, high), factor, shift in zip(
            box, transform.factor, transform.translation, strict=True
        )
    )


def _not_on_gpu(
    level: OctreeLevel, box: Region, on_gpu: set[tuple[int, tuple[int, ...]]]
) -> list[Region]:
    """The parts of a chunk that no tile on the GPU shows; as one where none does."""
    spans = [
        range(low // side, -(-high // side))
        for (low, high), side in zip(box, level.tile_shape, strict=True)
    ]
    if math.prod(len(span) for span in spans) > MOST_TILES:
        return [box]
    tiles = list(product(*spans))
    others = [index for index in tiles if (level.index, index) not in on_gpu]
    if len(others) == len(tiles):
        return [box]
    return [
        tuple(
            (max(low, number * side), min(high, (number + 1) * side))
            for (low, high), number, side in zip(box, index, level.tile_shape, strict=True)
        )
        for index in others
    ]


def _row(octree_slice: OctreeSlice, level: OctreeLevel, computed: bool) -> LevelRow:
    source = octree_slice.sources[level.index]
    grid = source.storage.grid(source.storage_shape(octree_slice.hint))
    chunk = [0] * len(source.fixed)
    first = next(grid.indices(tuple((0, 1) for _ in source.fixed)), None)
    if first is not None:
        chunk = [stop - start for start, stop in grid.region(first)]
    cut = [n for n, fixed in zip(chunk, source.fixed, strict=True) if fixed is None]
    tiles = math.prod(-(-n // side) for n, side in zip(level.shape, level.tile_shape, strict=True))
    shape = source.shape
    return LevelRow(
        times(shape),
        _factor(level.transform.factor),
        "computed" if computed else times(cut),
        f"{tiles:,}",
        human_size(int(np.prod(shape, dtype=object)) * source.dtype.itemsize),
    )


def _factor(factors: Sequence[float]) -> str:
    """One number where all axes have the same."""
    return f"{factors[0]:g}" if len(set(factors)) == 1 else times(f"{f:g}" for f in factors)


def _thinned(pixels: np.ndarray) -> np.ndarray:
    steps = [max(-(-n // MOST_PIXELS), 1) for n in pixels.shape[:2]]
    return pixels[:: steps[0], :: steps[1]]


def _picture(layer: OctreeScalarField, pixels: np.ndarray) -> QImage:
    """Colours as the layer has them."""
    if layer.rgb:
        high = 255 if pixels.dtype == np.uint8 else 1
        rgb = np.clip(pixels[..., :3].astype(np.float32) * (255 / high), 0, 255).astype(np.uint8)
    elif isinstance(layer, Labels):
        rgb = (layer.colormap.map(pixels)[..., :3] * 255).astype(np.uint8)
    else:
        # By a table of 256 colours: this is done while somebody drags a slider.
        any_layer: Any = layer
        low, high = any_layer.contrast_limits
        kind = np.float32 if abs(low) + abs(high) < PRECISE else np.float64
        shades = np.subtract(pixels, low, dtype=kind)
        shades *= 255 / max(high - low, 1e-300)
        np.clip(shades, 0, 255, out=shades)
        if pixels.dtype.kind == "f":
            np.nan_to_num(shades, copy=False)
        colours = any_layer.colormap.map(np.linspace(0, 1, 256) ** any_layer.gamma)
        return indexed_image_of(shades.astype(np.uint8), colours[:, :3])
    return image_of(rgb)
