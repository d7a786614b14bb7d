"""Bricks on their way to the GPU: taken from the loader, cut into slabs, sent within a budget.

Invariants: GUI thread only. Best first; a brick too large for a frame's milliseconds goes slab by
slab over several of them, and a slot that held nothing before may not be shown until it is whole.
What is protected is never evicted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from napari_octree.layers.slices.slice_key import TileKey
from napari_octree.loading.request import LoadedTile, TileState
from napari_octree.rendering.gpu.atlas_slots import Slot
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D

if TYPE_CHECKING:
    from napari_octree.loading.loader import LoaderClient

SMALLEST_SLAB = 2**16
"""Bytes; below, an upload's cost does not follow its size."""


@dataclass(eq=False)
class _Upload:
    """The brick that is being sent."""

    brick: TileKey
    tile: LoadedTile
    slot: Slot
    replaces: bool  # an older version of the brick, which it overwrites
    slabs: Iterator[tuple[slice, int]]
    waiting: tuple[slice, int] | None


class BrickUploads:
    """What has been taken from a client, and what became of it.

    Parameters
    ----------
    client : LoaderClient
    budget : UploadBudget

    Attributes
    ----------
    failed : set of TileKey
    hollow : set of TileKey
        Failed ones that have a slot with nothing in it: what is below them is reached through it.
    uniform : dict of TileKey to float
        Resident bricks of one value, and that value.
    written : set of TileKey
        What has got other texels since somebody cleared this.
    more : bool
        Bricks are ready, or half uploaded, that did not fit in the last budget.
    """

    def __init__(self, client: LoaderClient, budget: UploadBudget) -> None:
        self._client = client
        self._budget = budget
        self._upload: _Upload | None = None
        self._evicted = False
        self._free = 0  # slots without a brick that is protected
        self.failed: set[TileKey] = set()
        self.hollow: set[TileKey] = set()
        self.uniform: dict[TileKey, float] = {}
        self.written: set[TileKey] = set()
        self.more = False

    @property
    def unfinished(self) -> TileKey | None:
        """The brick that is in its slot in part, and had no slot before."""
        upload = self._upload
        return None if upload is None or upload.replaces else upload.brick

    def drop(self) -> None:
        """Another atlas: what was sent so far is lost."""
        self._upload = None
        self.uniform.clear()
        self.hollow.clear()
        self.written.clear()

    def forgive(self, atlas: TextureAtlas3D | None) -> None:
        """What has failed is asked for again, and may succeed."""
        if atlas is not None:
            for brick in self.hollow:
                atlas.slots.evict(brick)
        self.hollow.clear()
        self.failed.clear()

    def take(
        self, atlas: TextureAtlas3D, protected: Collection[TileKey], upload_ms: float
    ) -> bool:
        """Upload finished bricks, best first, until the budget is spent.

        Returns
        -------
        bool
            Whether what can be shown, or has failed, is not the same as before.
        """
        changed = self.more = self._evicted = False
        if not self._client.ready and self._upload is None:
            return False
        self._free = atlas.slots.capacity - sum(brick in atlas.slots for brick in protected)
        self._budget.begin(upload_ms)
        while True:
            if self._upload is None and not self._begin(atlas, protected):
                break
            if self._upload is None:  # failed, or without a slot
                changed = True
                continue
            if not self._continue(atlas, self._upload):
                self.more = True
                break
            changed = True
        self._budget.end()
        return changed or self._evicted

    def _begin(self, atlas: TextureAtlas3D, protected: Collection[TileKey]) -> bool:
        """Take the next brick; False if none is ready, or nothing may start in this frame."""
        # Where all slots are taken bricks wait in RAM until the atlas has grown.
        full = self._free <= 0 and atlas.slots.capacity < atlas.most
        if full or not self._budget.allows(0):
            self.more = self._client.ready
            return False
        tile = self._client.take()
        if tile is None:
            return False
        brick = cast(TileKey, tile.key)
        data = None if tile.state is TileState.FAILED else tile.data
        if data is None:
            self.failed.add(brick)
            above_others = brick.chunk.level > 0 and brick not in atlas.slots
            if above_others and self._stage(atlas, brick, False, protected) is not None:
                self.hollow.add(brick)
            return True
        # Better for some frames old and new planes side by side than a hole.
        replaces = brick in atlas.slots and brick not in self.hollow
        slot = self._stage(atlas, brick, tile.complete, protected)
        self.failed.discard(brick)
        if slot is not None:
            slabs = atlas.slabs(data, self._slab_bytes())
            self._upload = _Upload(brick, tile, slot, replaces, slabs, next(slabs))
        return True

    def _stage(
        self,
        atlas: TextureAtlas3D,
        brick: TileKey,
        complete: bool,
        protected: Collection[TileKey],
    ) -> Slot | None:
        self._free -= brick in protected and brick not in atlas.slots
        slot, evicted = atlas.stage(brick, complete, {*protected, brick})
        # Its slot is overwritten from now on, even if this frame does not come to the end.
        self._evicted |= evicted is not None
        for gone in (evicted, brick):
            self.uniform.pop(cast(TileKey, gone), 0.0)
            self.hollow.discard(cast(TileKey, gone))
        return slot

    def _slab_bytes(self) -> int:
        """A slab may take a frame's budget, not more."""
        return max(int(self._budget.bytes_per_ms * self._budget.limit_ms), SMALLEST_SLAB)

    def _continue(self, atlas: TextureAtlas3D, upload: _Upload) -> bool:
        """Send slabs of the current brick; False if the budget is spent before its end."""
        data = upload.tile.data
        assert data is not None
        while upload.waiting is not None:
            planes, nbytes = upload.waiting
            if not self._budget.allows(nbytes):
                return False

            def put() -> None:
                atlas.write(upload.slot, data, planes)  # noqa: B023

            self._budget.spend(put, nbytes)
            upload.waiting = next(upload.slabs, None)
        low, high = data["cells"][0, ..., 0].min(), data["cells"][0, ..., 1].max()
        if low == high and upload.tile.complete:
            self.uniform[upload.brick] = float(low)
        self.written.add(upload.brick)
        self._upload = None
        return True
