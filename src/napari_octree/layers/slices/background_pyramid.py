"""Computes the coarser levels of a slice while nobody waits for anything.

Invariants: main thread only; works on one slice at a time, and only while told that the layer is
idle; each tile of the levels is asked of the loader once, those that it is made of before it,
so that reads are short and each stored chunk is read once; of the results, which the loader
caches, those are kept that fit into an eighth of `ram_bytes`. Nothing is known to be better before
all of them are there. A tile that cannot be read ends the work on its slice.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from itertools import islice
from typing import cast

import numpy as np

from napari_octree.layers.finalizers import when_gone
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.loading.assembly import nbytes_of
from napari_octree.loading.loader import ChunkLoader
from napari_octree.loading.request import TileRequest, TileState
from napari_octree.loading.scheduling.tile_chunks import boxes
from napari_octree.octree.build_order import build_order, children
from napari_octree.octree.chunk_key import ChunkKey, Tier, Wish
from napari_octree.octree.octree import Octree

WINDOW = 64
"""Tiles that the loader knows of ahead of those that are done."""

SHARE_OF_RAM = 8
"""What is kept takes at most this part of `ram_bytes`."""


class BackgroundPyramid:
    """The work on the slice that a layer shows.

    Parameters
    ----------
    loader : ChunkLoader
    on_done : bound method
        Called when `best` has something better. Held weakly.
    """

    def __init__(self, loader: ChunkLoader, on_done: Callable[[], None]) -> None:
        self._client = loader.open(MAIN_LOOP.poster(self._collect))
        when_gone(self, self._client.close)
        self._ram_bytes = loader.config.memory.ram_bytes
        self._on_done = weakref.WeakMethod(on_done)
        self._slice: OctreeSlice | None = None
        self._idle = False
        self._turn_to(None)

    @property
    def share(self) -> float:
        """How much of the work on the slice is done: 1 where there is nothing to do."""
        return self._done / self._total if self._total else 1.0

    def look(self, octree_slice: OctreeSlice | None, idle: bool) -> None:
        """Work on a slice (None: on nothing), and only if the layer is `idle`.

        What has been computed of a slice is forgotten when another one is looked at, but stays
        in the loader's cache while there is room.
        """
        present = None if self._slice is None else self._slice.key
        if (None if octree_slice is None else octree_slice.key) != present:
            self._turn_to(octree_slice)
        elif idle == self._idle:
            return
        self._idle = idle
        self._ask()

    def best(self, octree_slice: OctreeSlice) -> OctreeSlice:
        """The same slice, with what has been computed of it if that is all there (any thread)."""
        refined = self._refined
        same = refined is not None and refined.key == octree_slice.key
        return refined if same and refined is not None else octree_slice

    def _turn_to(self, octree_slice: OctreeSlice | None) -> None:
        self._slice = octree_slice
        self._refined: OctreeSlice | None = None
        self._order: Iterator[ChunkKey] = iter(())
        self._asked: dict[ChunkKey, TileRequest] = {}
        self._kept: dict[ChunkKey, TileRequest] = {}
        self._done = self._total = 0
        if octree_slice is None or not octree_slice.can_be_refined:
            return
        octree, first = octree_slice.octree, len(octree_slice.pyramid.sources)
        self._first_kept = _first_that_fits(octree_slice, self._ram_bytes // SHARE_OF_RAM)
        if self._first_kept < len(octree.levels):
            self._full = octree_slice.refined(first)
            self._total = _number_of_tiles(octree, first)
            self._order = build_order(octree, first)

    def _ask(self) -> None:
        """Tell the loader what to compute next; while the layer is not idle, what to keep."""
        if self._idle:
            for key in islice(self._order, WINDOW - len(self._asked)):
                wish = Wish(key, Tier.BACKGROUND, 0, 0.0)
                self._asked[key] = self._full.tile_request(wish, 0, _nothing)
            self._client.replace((*self._kept.values(), *self._asked.values()))
        else:
            self._client.replace(self._kept.values())

    def _collect(self) -> None:
        """Note what is done."""
        while (tile := self._client.take()) is not None:
            slice_key, key = cast(tuple[object, ChunkKey], tile.key)
            if self._slice is None or slice_key != self._slice.key or key not in self._asked:
                continue
            if tile.state is TileState.FAILED:
                self._give_up()
                return
            self._done += 1
            self._kept[key] = self._asked.pop(key)
            if key.level <= self._first_kept:
                self._drop_what_it_is_made_of(key)
        if self._total and self._done == self._total:
            self._finish()
        elif self._idle and 2 * len(self._asked) < WINDOW:
            self._ask()

    def _drop_what_it_is_made_of(self, key: ChunkKey) -> None:
        assert self._slice is not None
        for child in children(self._slice.octree, key):
            self._kept.pop(child, None)

    def _give_up(self) -> None:
        present = self._slice
        self._turn_to(None)
        self._slice, self._total = present, 0  # not to begin anew with the same slice
        self._client.replace([])

    def _finish(self) -> None:
        assert self._slice is not None
        self._total = 0
        self._ask()
        self._refined = self._slice.refined(self._first_kept)
        if (on_done := self._on_done()) is not None:
            on_done()


def _first_that_fits(octree_slice: OctreeSlice, nbytes: int) -> int:
    """The first computed level that fits into `nbytes` with all that are coarser."""
    given, levels = len(octree_slice.pyramid.sources), octree_slice.octree.levels
    first = len(levels)
    for level in reversed(levels[given:]):
        source = octree_slice.reduced_sources[level.index]
        whole = octree_slice.region(level.index, [(0, n) for n in level.shape])
        chunks = boxes(source.storage.grid(octree_slice.hint), whole)
        nbytes -= sum(nbytes_of(chunk, source.dtype) for chunk in chunks)
        if nbytes < 0:
            break
        first = level.index
    return first


def _number_of_tiles(octree: Octree, first: int) -> int:
    return sum(math.prod(level.grid_shape) for level in octree.levels[first:])


def _nothing(block: np.ndarray) -> np.ndarray:
    """The loader keeps the pixels: all that is to be told is that they are there."""
    return block[:0]
