"""Where a layer has tiles on the GPU, and where tiles could not be read, for the minimap.

Invariants: pure; nothing is read; coordinates are octree coordinates along displayed axes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree

COLOURS = (
    "#e6194b", "#f58231", "#ffe119", "#3cb44b", "#46f0f0", "#4363d8", "#911eb4", "#f032e6",
)  # fmt: skip
"""Of levels, finest first, over and over."""

MOST_PLACES = 4000


@dataclass(frozen=True)
class Place:
    """A tile.

    Attributes
    ----------
    level : int
    box : tuple of (float, float)
        From where to where it lies, per displayed axis.
    failed : bool
    """

    level: int
    box: tuple[tuple[float, float], ...]
    failed: bool = False


def places_of(octree: Octree, chunks: Iterable[ChunkKey], failed: bool = False) -> list[Place]:
    """Return where tiles lie, coarse ones first, so that fine ones are drawn above them."""
    found = []
    for chunk in sorted(chunks, key=lambda chunk: -chunk.level)[-MOST_PLACES:]:
        if chunk.level >= len(octree.levels):
            continue
        level = octree.levels[chunk.level]
        box = []
        for axis, number in enumerate(chunk.index):
            side, size = level.tile_shape[axis], level.shape[axis]
            factor, shift = level.transform.factor[axis], level.transform.translation[axis]
            low, high = number * side, min((number + 1) * side, size)
            box.append((factor * low + shift, factor * high + shift))
        found.append(Place(chunk.level, tuple(box), failed))
    return found


def colour_of(level: int) -> str:
    """The colour of a level, as Qt and the web name it."""
    return COLOURS[level % len(COLOURS)]
