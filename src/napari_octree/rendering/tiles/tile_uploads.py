"""Tiles on their way to the GPU: taken from the loader, or made at once, and sent within a budget.

Invariants: GUI thread only. Best first, a tile or a band of one at least; what is protected is
never evicted, but for tiles where a large one has no other place. What it takes to make a tile
counts as its upload. A tile that is large goes band by band, over several frames if it has to, and
is shown when all of it is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from napari_octree.layers.slices.slice_key import TileKey
from napari_octree.loading.at_hand import make_at_hand
from napari_octree.loading.request import LoadedTile, TileState
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.tiles.atlas.atlas_tiles import AtlasTiles
from napari_octree.rendering.tiles.tile_requests import TileRequests

if TYPE_CHECKING:
    import numpy as np

    from napari_octree.loading.loader import LoaderClient
    from napari_octree.rendering.gpu.atlas_slots import Slot

BAND_BYTES = 2**20
"""Of a band: some tenths of a millisecond, and more than a usual tile."""


@dataclass(eq=False)
class _Sending:
    """The tile that is sent band by band, and how many rows of it are there."""

    key: TileKey
    data: np.ndarray
    complete: bool
    slot: Slot
    rows: int = 0

    @property
    def next_rows(self) -> int:
        row_bytes = self.data.nbytes // self.data.shape[0]
        return min(self.rows + max(BAND_BYTES // row_bytes, 1), self.data.shape[0])


class TileUploads:
    """What has been taken from a client, and what became of it.

    Parameters
    ----------
    client : LoaderClient
    budget : UploadBudget

    Attributes
    ----------
    failed : set of TileKey
    fresh : set of ChunkKey
        Tiles of the slice shown that came with the last `take`, and were not there before.
    arrived : set of ChunkKey
        All tiles, of whatever slice, that came with it.
    more : bool
        Tiles are ready that did not fit in the last budget.
    displaced : bool
        With the last `take` something that is wanted has lost its place to a large tile.
    """

    def __init__(self, client: LoaderClient, budget: UploadBudget) -> None:
        self._client = client
        self._budget = budget
        self.failed: set[TileKey] = set()
        self.fresh: set[ChunkKey] = set()
        self.arrived: set[ChunkKey] = set()
        self.more = False
        self._sending: _Sending | None = None
        self.displaced = False

    @property
    def sending(self) -> TileKey | None:
        """The tile of which a part is in the atlas, if nothing better of it is to come."""
        sending = self._sending
        return sending.key if sending is not None and sending.complete else None

    @property
    def busy(self) -> bool:
        """A part of a tile is in the atlas."""
        return self._sending is not None

    def drop(self) -> None:
        """Another atlas: what was sent so far is lost."""
        self._sending = None

    def take(self, tiles: AtlasTiles, wishes: TileRequests, upload_ms: float) -> bool:
        """Upload finished tiles until the budget is spent.

        Returns
        -------
        bool
            Whether what is resident, or has failed, is not the same as before.
        """
        atlas, budget, changed = tiles.atlas, self._budget, False
        self.more = self.displaced = False
        self.fresh.clear()
        self.arrived.clear()
        if not (self._sending or self._client.ready or wishes.at_hand):
            return False
        budget.begin(upload_ms)
        atlas.begin()
        tile_bytes = min(atlas.slot_bytes, BAND_BYTES)
        while self._sending or self._client.ready or wishes.at_hand:
            if not budget.allows(tile_bytes):
                self.more = True
                break
            if self._sending is not None:
                changed |= self._continue(tiles, self._sending)
                continue
            tile = self._client.take()
            if tile is not None:
                self._put(tiles, wishes, tile)
            elif wishes.at_hand:
                self._make(tiles, wishes)
            else:
                break
            changed = True
        atlas.end()
        budget.end()
        return changed

    def _put(self, tiles: AtlasTiles, wishes: TileRequests, tile: LoadedTile) -> None:
        """Upload what the loader has made."""
        key, data = cast(TileKey, tile.key), tile.data
        if tile.state is TileState.FAILED or data is None:
            self.failed.add(key)
            tiles.drop_former(key)
            return
        self.failed.discard(key)
        self._budget.spend(
            lambda: self._add(tiles, wishes, key, data, tile.complete),
            min(data.nbytes, BAND_BYTES),
        )

    def _make(self, tiles: AtlasTiles, wishes: TileRequests) -> None:
        """Make the best tile that is at hand, and upload it."""
        request = wishes.at_hand.popleft()

        def work() -> None:
            tile = make_at_hand(request)
            if tile is None or tile.data is None:
                wishes.refuse(request)
            else:
                self._add(tiles, wishes, cast(TileKey, tile.key), tile.data, tile.complete)

        self._budget.spend(work, min(tiles.atlas.slot_bytes, BAND_BYTES))

    def _add(
        self, tiles: AtlasTiles, wishes: TileRequests, key: TileKey, data: np.ndarray, final: bool
    ) -> None:
        if data.nbytes > BAND_BYTES or tiles.atlas.takes_a_block(data):
            self._begin(tiles, wishes, key, data, final)
            return
        self.arrived.add(key.chunk)
        if tiles.add(key, data, final, wishes.protected):
            self.fresh.add(key.chunk)

    def _begin(
        self, tiles: AtlasTiles, wishes: TileRequests, key: TileKey, data: np.ndarray, final: bool
    ) -> None:
        """Make room for a large tile, and send its first band."""
        protected, resident = wishes.protected, tiles.atlas.slots
        there = sum(other in resident for other in protected)
        slot = tiles.stage(key, data, protected)
        if slot is None:
            return
        self.displaced |= sum(other in resident for other in protected) < there
        self._sending = _Sending(key, data, final, slot)
        self._send(tiles, self._sending)

    def _send(self, tiles: AtlasTiles, sending: _Sending) -> None:
        first, sending.rows = sending.rows, sending.next_rows
        tiles.atlas.write(sending.slot, sending.data, first, sending.rows)
        if sending.rows < len(sending.data):
            return
        self._sending = None
        self.arrived.add(sending.key.chunk)
        if tiles.finish(sending.key, sending.complete):
            self.fresh.add(sending.key.chunk)

    def _continue(self, tiles: AtlasTiles, sending: _Sending) -> bool:
        """Send another band. Returns whether it was the last."""
        rows = sending.next_rows - sending.rows
        nbytes = sending.data.nbytes // len(sending.data) * rows
        self._budget.spend(lambda: self._send(tiles, sending), nbytes)
        return self._sending is None
