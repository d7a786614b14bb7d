"""For frames without a window: a loader that does what the test says, an atlas without a GPU."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_octree.loading.request import LoadedTile, TileRequest, TileState
from napari_octree.octree.chunk_key import Tier
from napari_octree.rendering.gpu.atlas_slots import AtlasSlots
from napari_octree.rendering.tiles.atlas.tile_borders import TileBorders

TILE = 32


class Client:
    """A loader whose reads finish when the test says so, in order."""

    def __init__(self) -> None:
        self.listed: dict[Hashable, TileRequest] = {}
        self.done: list[LoadedTile] = []
        self.taken: set[Hashable] = set()
        self.moving = False
        self.told = 0

    def replace(self, requests: Sequence[TileRequest]) -> None:
        self.told += 1
        self.listed = {r.key: r for r in requests}
        self.done = [t for t in self.done if t.key in self.listed]
        self.taken &= set(self.listed)

    def finish(self, count: int, state: TileState = TileState.LOADED, ahead: bool = False) -> None:
        waiting = [
            r
            for r in self.listed.values()
            if (r.tier is Tier.PREFETCH) == ahead
            and r.key not in self.taken
            and all(r.key != t.key for t in self.done)
        ]
        for request in waiting[:count]:
            shape = [b - a + 2 for a, b in request.region]
            data = None if state is TileState.FAILED else np.zeros(shape, np.uint8)
            self.done.append(LoadedTile(request.key, data, state, True))

    def take(self) -> LoadedTile | None:
        if not self.done:
            return None
        tile = self.done.pop(0)
        self.taken.add(tile.key)
        return tile

    @property
    def ready(self) -> bool:
        return bool(self.done)

    @property
    def awaited(self) -> bool:
        ahead = {r.key for r in self.listed.values() if r.tier is Tier.PREFETCH}
        return any(tile.key not in ahead for tile in self.done)

    @property
    def pending(self) -> int:
        listed = [r for r in self.listed.values() if r.tier is not Tier.PREFETCH]
        return sum(r.key not in self.taken for r in listed)


class Atlas:
    """Slots without a texture."""

    def __init__(self, side: int = 16, on_upload: Callable[[], None] = lambda: None) -> None:
        self.on_upload, self.open = on_upload, False
        self.slots: AtlasSlots[Hashable] = AtlasSlots(side * side)
        self.apron, self.slot_bytes = 1, (TILE + 2) ** 2
        self.borders = TileBorders((side, side), (TILE + 2, TILE + 2), self.apron)
        self.encoding = SimpleNamespace(texel_bytes=1, is_scaled=False, encode=lambda a: a)
        self.evicted: list[Hashable] = []

    def room(self, octree: object) -> int:
        return self.slots.capacity

    def takes_a_block(self, tile: np.ndarray) -> bool:
        return False

    def page_of(self, numbers: np.ndarray) -> None:
        return None

    def stage(self, key: Hashable, tile: np.ndarray, protected: Any) -> Any:
        slot, evicted = self.add(key, tile, False, protected)
        return slot, [] if evicted is None else [evicted]

    def write(self, slot: Any, tile: np.ndarray, first: int, stop: int) -> None:
        """There is no texture."""

    def finish(self, key: Hashable, complete: bool) -> Any:
        slot = self.slots[key]._replace(complete=complete)
        self.slots._slots[key] = slot
        return slot

    def begin(self) -> None:
        assert not self.open
        self.open = True

    def end(self) -> None:
        assert self.open
        self.open = False

    def add(self, key: Hashable, tile: np.ndarray, complete: bool, protected: Any) -> Any:
        slot, evicted = self.slots.add(key, tile.shape[:2], complete, protected)
        if slot is not None:
            self.borders.fill(slot.number, *slot.shape)
        self.on_upload()
        if evicted is not None:
            assert evicted not in protected
            self.evicted.append(evicted)
        return slot, evicted
