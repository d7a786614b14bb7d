"""TilePatches: what is painted reaches tiles that are in the atlas already, without loading them.

Invariants: GUI thread with a current GL context. Only texels that were painted are sent, in
rectangles, so that nothing needs to be known of what lies between them. A tile that arrives after
it was painted on is patched too, whatever it was made of. Levels that are not drawn are patched
when they are. Costs nothing while nothing is painted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence, Set

import numpy as np

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.painted_tile import painted_tile
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering.tiles.atlas.atlas_tiles import AtlasTiles
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D

Box = tuple[tuple[int, int], ...]

MOST_BOXES = 32
"""That are told apart; where there are more, all tiles of a level are looked at."""


class TilePatches:
    """The patches of one view."""

    def __init__(self) -> None:
        self._boxes: list[Box] = []
        self._late: dict[int, list[Box] | None] = {}  # None: all tiles of the level
        self._slice: OctreeSlice | None = None

    def add(self, box: Box) -> None:
        """Something was painted in a box of level 0."""
        if len(self._boxes) <= MOST_BOXES:  # else all tiles are looked at anyway
            self._boxes.append(box)

    def apply(
        self,
        octree_slice: OctreeSlice,
        tiles: Sequence[AtlasTiles],
        arrived: Collection[ChunkKey],
        drawn: Collection[int],
    ) -> None:
        """Send what has been painted since.

        Parameters
        ----------
        octree_slice : OctreeSlice
            The one that is shown. Tiles of others are patched when these are shown.
        tiles : sequence of AtlasTiles
            What is drawn from.
        arrived : collection of ChunkKey
            Tiles of the slice that have come with this frame.
        drawn : collection of int
            The levels that the picture is made of.
        """
        boxes, self._boxes = self._boxes, []
        former, self._slice = self._slice, octree_slice
        if octree_slice.pyramid.edits is None or not octree_slice.pyramid.edits:
            return
        if former is None or former.key != octree_slice.key:
            self._late = dict.fromkeys(range(len(octree_slice.octree.levels)))
        elif boxes:
            for level in range(len(octree_slice.octree.levels)):
                self._defer(level, boxes)
        if not arrived and self._late.keys().isdisjoint(drawn):
            return
        now = {level: self._late.pop(level) for level in drawn if level in self._late}
        for of_atlas in tiles:
            _send(octree_slice, of_atlas, now, arrived)

    def _defer(self, level: int, boxes: list[Box]) -> None:
        """Note what was painted for when the level is drawn."""
        late = self._late.setdefault(level, [])
        if late is not None:
            late += [box for box in boxes if box not in late]
            if len(late) > MOST_BOXES:
                self._late[level] = None


def _send(
    octree_slice: OctreeSlice,
    of_atlas: AtlasTiles,
    late: Mapping[int, Sequence[Box] | None],
    arrived: Collection[ChunkKey],
) -> None:
    """Patch tiles that have arrived, and those of some levels where it was painted."""
    atlas = of_atlas.atlas
    atlas.begin()
    for level, chunks in of_atlas.levels.items():
        boxes = late.get(level, ())
        for chunk in chunks if boxes is None else [c for c in arrived if c in chunks]:
            _patch(octree_slice, atlas, chunk, None)
        for box in boxes or ():
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
    slot = atlas.slots.get((octree_slice.key, chunk))
    painted = None if slot is None else painted_tile(octree_slice, chunk, atlas.apron, box)
    if slot is None or painted is None:
        return
    texels, (top, left) = atlas.encoding.encode(painted.labels), painted.place
    if painted.written is None:
        atlas.patch(slot, texels, (top, left))
        return
    for rows, columns in _blocks(painted.written):
        place = (top + rows.start, left + columns.start)
        atlas.patch(slot, texels[rows, columns], place)


def _blocks(mask: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Rectangles that hold all true pixels, and no others: runs of a row, joined downwards."""
    open_runs: dict[tuple[int, int], int] = {}  # and the first row of each
    padded = np.zeros((mask.shape[0] + 1, mask.shape[1] + 2), np.int8)
    padded[:-1, 1:-1] = mask
    rows, starts = np.nonzero(np.diff(padded, axis=1) == 1)
    _, stops = np.nonzero(np.diff(padded, axis=1) == -1)
    bounds = np.searchsorted(rows, np.arange(len(padded) + 1))
    pairs = list(zip(starts.tolist(), stops.tolist(), strict=True))
    for row, (first, last) in enumerate(itertools.pairwise(bounds.tolist())):
        runs = set(pairs[first:last])
        for run in [run for run in open_runs if run not in runs]:
            yield slice(open_runs.pop(run), row), slice(*run)
        for run in runs:
            open_runs.setdefault(run, row)
