"""Finer tiles that fade in where something coarser was shown, instead of appearing at once.

Invariants: every place is drawn once also while it fades: a fading tile is cut into the pieces
that were shown in its place, and each is drawn as one quad that mixes both. Only ideal tiles fade,
and only where they replace something that was in view: a place that was blank, or comes into
view, is shown at once. GUI thread only; no clock is read.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import compress, repeat

import numpy as np

from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.octree.chunk_key import ChunkKey, chunk_keys
from napari_octree.octree.cover.cover import Cover, Resident, cover
from napari_octree.octree.cover.intersection import OctreeIntersection
from napari_octree.octree.octree import Octree
from napari_octree.rendering.tiles.picture.quads import ALONE, cells_around


class FadeIn:
    """The tiles of one view that have just come.

    Parameters
    ----------
    fade_ms : float
        How long it takes; 0: nothing ever fades.
    """

    def __init__(self, fade_ms: float) -> None:
        self._fade_s = fade_ms / 1e3
        self._place: SliceKey | None = None
        self._awaited: set[ChunkKey] = set()
        self._since: dict[ChunkKey, float] = {}
        self.weights: dict[ChunkKey, float] = {}

    @property
    def running(self) -> bool:
        """Whether the next frame is another picture, even if nothing more comes."""
        return bool(self._since)

    def see(
        self, place: SliceKey, intersection: OctreeIntersection, drawn: Cover, now: float
    ) -> None:
        """Take in what is to be drawn at `now` (seconds): from then on new tiles fade."""
        if not self._fade_s:
            return
        shown = set(compress(drawn.chunks, drawn.ideal.tolist()))
        if place != self._place:
            self.stop()
            self._place = place
        since = dict.fromkeys(shown & self._awaited, now) | self._since
        self._since = {
            chunk: start
            for chunk, start in since.items()
            if chunk in shown and now - start < self._fade_s
        }
        self.weights = {
            chunk: (now - start) / self._fade_s for chunk, start in self._since.items()
        }
        blank = _owners(intersection, drawn.blank)
        self._awaited = set(intersection.chunks).difference(shown, blank)

    def stop(self) -> None:
        """Show at once what was fading, and what comes next."""
        self._place, self._awaited, self._since, self.weights = None, set(), {}, {}


def mixed(
    octree: Octree,
    intersection: OctreeIntersection,
    drawn: Cover,
    resident: Resident,
    weights: dict[ChunkKey, float],
) -> tuple[Cover, Cover, np.ndarray]:
    """Cut fading tiles into the pieces that would be shown without them.

    Parameters
    ----------
    octree : Octree
    intersection : OctreeIntersection
    drawn : Cover
        Of all that is resident.
    resident : mapping of level to collection of ChunkKey
    weights : dict of ChunkKey to float
        Ideal tiles that are fading in; how much is seen of each.

    Returns
    -------
    over, under : Cover
        The same N rectangles twice: what fades in, and what is seen through it. Equal where
        nothing fades.
    weights : (N,) float64
        How much is seen of `over`, or `ALONE`.
    """
    ideal = intersection.octree_level
    others = {**resident, ideal.index: set(resident[ideal.index]).difference(weights)}
    before = cover(octree, intersection, others)
    fading = weights.keys() - set(_owners(intersection, before.blank))
    cells = cells_around(ideal, before.rectangles)
    owners = _owners(intersection, before.rectangles)
    cut = np.array([owner in fading for owner in owners], np.bool_)
    steady = np.array([chunk not in fading for chunk in drawn.chunks], np.bool_)
    owners, cells, rectangles = list(compress(owners, cut)), cells[cut], before.rectangles[cut]
    none = np.zeros(len(owners), np.int64)
    over = replace(
        drawn,
        rectangles=np.concatenate([drawn.rectangles[steady], rectangles]),
        chunks=(*compress(drawn.chunks, steady), *owners),
        tiles=np.concatenate([drawn.tiles[steady], cells]),
        texels=np.concatenate([drawn.texels[steady], ideal.texels(rectangles, cells)]),
        relative_levels=np.concatenate([drawn.relative_levels[steady], none]),
    )
    under = replace(
        over,
        chunks=(*compress(drawn.chunks, steady), *compress(before.chunks, cut)),
        tiles=np.concatenate([drawn.tiles[steady], before.tiles[cut]]),
        texels=np.concatenate([drawn.texels[steady], before.texels[cut]]),
        relative_levels=np.concatenate(
            [drawn.relative_levels[steady], before.relative_levels[cut]]
        ),
    )
    alone = np.full(int(steady.sum()), ALONE)
    return over, under, np.concatenate([alone, [weights[owner] for owner in owners]])


def _owners(intersection: OctreeIntersection, rectangles: np.ndarray) -> list[ChunkKey]:
    """Name the ideal tile that each rectangle lies in."""
    cells = cells_around(intersection.octree_level, rectangles)
    return chunk_keys(repeat(intersection.level), cells)
