"""Strokes whose pixels are not loaded yet: applied in order when these have come.

Invariants: main thread. What was painted first is applied first, also where its pixels come later.
A stroke is applied as a whole or, where its pixels cannot be loaded, not at all.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from napari_octree.layers.finalizers import when_gone
from napari_octree.layers.labels.painting.edited_chunk import Index
from napari_octree.layers.labels.painting.edits import LabelEdits
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.loading.assembly import assemble
from napari_octree.loading.loader import ChunkLoader
from napari_octree.loading.request import TileRequest, TileState
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.protocol import ChunkId, LevelSource, Region


@dataclass(frozen=True, eq=False)
class Dab:
    """One change that waits.

    Attributes
    ----------
    stroke : int
        Those of one number are undone together.
    regions : sequence of Region
        Its pixels of level 0.
    apply : callable
    is_undo : bool
        An undo or redo, which is no stroke.
    """

    stroke: int
    regions: Sequence[Region]
    apply: Callable[[], None]
    is_undo: bool = False


class PendingStrokes:
    """The changes of one layer that wait for pixels.

    Parameters
    ----------
    loader : ChunkLoader
    edits : LabelEdits
    source : LevelSource
        Level 0.
    hint : tuple of int
        Chunk shape for sources that have none of their own, as in the requests of tiles.
    most_chunks : int
        That are loaded at a time: those of the first strokes, at least of one.
    on_ready : bound method
        Called when the first dabs can be applied; held weakly.
    on_lost : bound method
        Gets the numbers of strokes that cannot be applied, as their pixels cannot be loaded.
    """

    def __init__(
        self,
        loader: ChunkLoader,
        edits: LabelEdits,
        source: LevelSource,
        hint: tuple[int, ...],
        most_chunks: int,
        on_ready: Callable[[], None],
        on_lost: Callable[[set[int]], None],
    ) -> None:
        self._client = loader.open(MAIN_LOOP.poster(self._collect))
        when_gone(self, self._client.close)
        self._cache = loader.cache
        self._edits, self._source, self._hint = edits, source, hint
        self._on_ready = weakref.WeakMethod(on_ready)
        self._on_lost = weakref.WeakMethod(on_lost)
        self._dabs: deque[Dab] = deque()
        self._requests: dict[Index, TileRequest] = {}
        self._most_chunks = most_chunks
        self._delivered: set[Index] = set()  # of those that are on the loader's list

    def __len__(self) -> int:
        return len(self._dabs)

    def bring(self, *regions: Region) -> bool:
        """Have the edits hold some regions' chunks, as far as in memory; whether all are."""
        if self._source.storage.in_memory:  # it may have been changed by its owner
            for region in regions:
                self._edits.drop_unwritten(region)
        missing = (index for region in regions for index in self._edits.missing(region))
        return not [index for index in missing if not self._hold(index)]

    def add(self, dab: Dab) -> None:
        """Apply `dab` later, after all that wait already."""
        self._dabs.append(dab)
        self._ask()

    @property
    def last(self) -> Dab | None:
        """What was added last, if it still waits."""
        return self._dabs[-1] if self._dabs else None

    def drop(self, strokes: Collection[int]) -> None:
        """Forget strokes that wait."""
        self._dabs = deque(dab for dab in self._dabs if dab.stroke not in strokes)
        self._ask()

    def next_ready(self) -> list[Dab]:
        """Take the first stroke, if all of it can be applied now."""
        if not self._dabs:
            return []
        stroke = self._dabs[0].stroke
        dabs = [dab for dab in self._dabs if dab.stroke == stroke]
        is_ready = self.bring(*(region for dab in dabs for region in dab.regions))
        for _ in dabs if is_ready else ():
            self._dabs.popleft()
        self._ask()  # for the next ones; or again for what left memory while others were awaited
        return dabs if is_ready else []

    def take_all(self) -> list[Dab]:
        """Load nothing more, apply nothing more; returns what waited."""
        dabs, self._dabs = list(self._dabs), deque()
        self._client.close()
        return dabs

    def _ask(self) -> None:
        wanted = self._wanted()
        again = self._delivered.intersection(wanted)
        requests = {i: self._requests.get(i) or self._request(i) for i in wanted}
        if again:  # which the loader hands out once
            self._client.replace([r for i, r in requests.items() if i not in again])
        self._requests, self._delivered = requests, set()
        self._client.replace(list(requests.values()))

    def _wanted(self) -> dict[Index, None]:
        """The chunks to be loaded for the first strokes."""
        wanted: dict[Index, None] = {}
        touched: set[Index] = set()
        for dab in self._dabs:
            if dab.stroke != self._dabs[0].stroke and len(touched) >= self._most_chunks:
                break
            for region in dab.regions:
                touched.update(self._edits.indices(region))
                wanted.update(dict.fromkeys(self._edits.missing(region)))
        return wanted

    def _request(self, index: Index) -> TileRequest:
        return TileRequest(
            key=index,
            source=self._source,
            region=self._edits.box(index),
            apron=(0,) * len(index),
            hint=self._hint,
            finish=np.array,
            tier=Tier.IDEAL,
        )

    def _collect(self) -> None:
        while (tile := self._client.take()) is not None:
            index = cast(Index, tile.key)
            if tile.state is TileState.FAILED or tile.data is None:
                self._lose(index)
            elif index in self._requests:
                self._delivered.add(index)
                self._edits.hold(index, tile.data)
        if (on_ready := self._on_ready()) is not None:
            on_ready()

    def _lose(self, index: Index) -> None:
        lost = {
            dab.stroke
            for dab in self._dabs
            if any(index in set(self._edits.indices(region)) for region in dab.regions)
        }
        self.drop(lost)
        if lost and (on_lost := self._on_lost()) is not None:
            on_lost(lost)

    def _hold(self, index: Index) -> bool:
        """Take a chunk from memory, without reading anything."""
        region = self._source.storage_region(self._edits.box(index))
        storage = self._source.storage
        if storage.in_memory:
            pixels = storage.read(region)
        else:
            grid = storage.grid(self._source.storage_shape(self._hint))
            parts = []
            for cell in grid.indices(region):
                box = grid.region(cell)
                cached = self._cache.peek(ChunkId(storage.key, box))
                if cached is None:
                    return False
                parts.append((box, cached.pixels))
            apron = (0,) * len(region)
            pixels = assemble(
                region, apron, storage.shape, storage.dtype, storage.fill_value, parts
            )
        if pixels is None:
            shape = [stop - start for start, stop in region]
            pixels = np.full(shape, storage.fill_value or 0, storage.dtype)
        self._edits.hold(index, self._source.drop_fixed(pixels))
        return True
