"""Tiles on their way to the GPU: taken from the loader, or made at once, and sent within a budget.

Invariants: GUI thread only. Best first, a tile at least; what is protected is never evicted. What
it takes to make a tile counts as its upload.
"""

from __future__ import annotations

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
    """

    def __init__(self, client: LoaderClient, budget: UploadBudget) -> None:
        self._client = client
        self._budget = budget
        self.failed: set[TileKey] = set()
        self.fresh: set[ChunkKey] = set()
        self.arrived: set[ChunkKey] = set()
        self.more = False

    def take(self, tiles: AtlasTiles, wishes: TileRequests, upload_ms: float) -> bool:
        """Upload finished tiles until the budget is spent.

        Returns
        -------
        bool
            Whether what is resident, or has failed, is not the same as before.
        """
        atlas, budget, changed = tiles.atlas, self._budget, False
        self.more = False
        self.fresh.clear()
        self.arrived.clear()
        if not (self._client.ready or wishes.at_hand):
            return False
        budget.begin(upload_ms)
        atlas.begin()
        tile_bytes = atlas.slot_bytes
        while self._client.ready or wishes.at_hand:
            if not budget.allows(tile_bytes):
                self.more = True
                break
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
        self._budget.spend(lambda: self._add(tiles, wishes, key, data, tile.complete), data.nbytes)

    def _make(self, tiles: AtlasTiles, wishes: TileRequests) -> None:
        """Make the best tile that is at hand, and upload it."""
        request = wishes.at_hand.popleft()

        def work() -> None:
            tile = make_at_hand(request)
            if tile is None or tile.data is None:
                wishes.refuse(request)
            else:
                self._add(tiles, wishes, cast(TileKey, tile.key), tile.data, tile.complete)

        self._budget.spend(work, tiles.atlas.slot_bytes)

    def _add(
        self, tiles: AtlasTiles, wishes: TileRequests, key: TileKey, data: np.ndarray, final: bool
    ) -> None:
        self.arrived.add(key.chunk)
        if tiles.add(key, data, final, wishes.protected):
            self.fresh.add(key.chunk)
