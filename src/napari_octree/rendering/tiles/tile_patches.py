"""TilePatches: what is painted reaches tiles that are in the atlas already, without loading them.

Invariants: GUI thread with a current GL context. Only texels that were painted are sent, row by
row, so that nothing needs to be known of what lies between them. A tile that arrives after it was
painted on is patched too, whatever it was made of. Costs nothing while nothing is painted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Set

import numpy as np

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering.tiles.atlas.atlas_tiles import AtlasTiles
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D

Box = tuple[tuple[int, int], ...]

MOST_BOXES = 32
"""That are told apart; where there are more, all tiles are looked at."""


class TilePatches:
    """The patches of one view."""

    def __init__(self) -> None:
        self._boxes: list[Box] = []
        self._slice: OctreeSlice | None = None

    def add(self, box: Box) -> None:
        """Something was painted in a box of level 0."""
        self._boxes.append(box)

    def apply(
        self, octree_slice: OctreeSlice, tiles: Iterable[AtlasTiles], arrived: Collection[ChunkKey]
    ) -> None:
        """Send what has been painted since.

        Parameters
        ----------
        octree_slice : OctreeSlice
            The one that is shown. Tiles of others are patched when these are shown.
        tiles : iterable of AtlasTiles
            What is drawn from.
        arrived : collection of ChunkKey
            Tiles of the slice that have come with this frame.
        """
        boxes, self._boxes = self._boxes, []
        former, self._slice = self._slice, octree_slice
        if octree_slice.pyramid.edits is None or not octree_slice.pyramid.edits:
            return
        everywhere = former is None or former.key != octree_slice.key or len(boxes) > MOST_BOXES
        for of_atlas in tiles:
            atlas = of_atlas.atlas
            atlas.begin()
            for level, chunks in of_atlas.levels.items():
                whole = chunks if everywhere else [c for c in arrived if c in chunks]
                for chunk in whole:
                    _patch(octree_slice, atlas, chunk, None)
                for box in () if everywhere else boxes:
                    for chunk in _touched(octree_slice, level, chunks, box, atlas.apron):
                        if chunk not in arrived:
                            _patch(octree_slice, atlas, chunk, box)
            atlas.end()


def _touched(
    octree_slice: OctreeSlice, level: int, chunks: Set[ChunkKey], box: Box, apron: int
) -> list[ChunkKey]:
    """Those of a level's tiles that a box may touch, aprons included: by whichever are fewer."""
    grid = octree_slice.octree.levels[level]
    ranges = []
    for number, axis in enumerate(octree_slice.key.displayed):
        slack = (apron + 1) * grid.transform.factor[number]
        low, high = box[axis]
        ranges.append(range(*grid.tile_range(number, low - slack, high + slack)))
    if math.prod(map(len, ranges)) < len(chunks):
        candidates = (ChunkKey(level, index) for index in itertools.product(*ranges))
        return [chunk for chunk in candidates if chunk in chunks]
    return [
        chunk
        for chunk in chunks
        if all(i in span for i, span in zip(chunk.index, ranges, strict=True))
    ]


def _patch(
    octree_slice: OctreeSlice, atlas: TextureAtlas2D, chunk: ChunkKey, box: Box | None
) -> None:
    painted = octree_slice.painted(chunk, atlas.apron, box)
    slot = atlas.slots.get((octree_slice.key, chunk))
    if painted is None or slot is None:
        return
    labels, written, (top, left) = painted
    texels = atlas.encoding.encode(labels)
    if written.all():
        atlas.patch(slot, texels, (top, left))
        return
    for row, start, stop in _runs(written):
        atlas.patch(slot, texels[row : row + 1, start:stop], (top + row, left + start))


def _runs(mask: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """(row, start, stop) of the runs of true pixels."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    edges = np.diff(padded, axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, stops = np.nonzero(edges == -1)
    yield from zip(rows.tolist(), starts.tolist(), stops.tolist(), strict=True)
