"""Tiles on their way to the GPU: taken from the loader and sent within a budget.

Invariants: GUI thread only. Best first, a tile at least; what is protected is never evicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from napari_octree.layers.slices.slice_key import TileKey
from napari_octree.loading.request import TileState
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.tiles.atlas.atlas_tiles import AtlasTiles
from napari_octree.rendering.tiles.tile_requests import TileRequests

if TYPE_CHECKING:
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
        if not self._client.ready:
            return False
        budget.begin(upload_ms)
        atlas.begin()
        tile_bytes = atlas.slot_size**2 * atlas.encoding.texel_bytes
        while True:
            if not budget.allows(tile_bytes):
                self.more = self._client.ready
                break
            tile = self._client.take()
            if tile is None:
                break
            changed = True
            key = cast(TileKey, tile.key)
            if tile.state is TileState.FAILED or tile.data is None:
                self.failed.add(key)
                continue
            self.failed.discard(key)
            self.arrived.add(key.chunk)
            data, complete = tile.data, tile.complete

            def put() -> None:
                if tiles.add(key, data, complete, wishes.protected):  # noqa: B023
                    self.fresh.add(key.chunk)  # noqa: B023

            budget.spend(put, data.nbytes)
        atlas.end()
        budget.end()
        return changed
