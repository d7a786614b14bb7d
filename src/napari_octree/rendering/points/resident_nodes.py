"""ResidentNodes: the nodes that a view wants, and which of them are on the GPU.

Invariants: GUI thread; there is a GL context in `want`, `upload` and `close`. A node that is
wanted is resident, failed, or asked for. Until the roots of another slab, or of a better index,
are there, what was drawn before stays in its slots, and `stands_in` says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_octree.layers.views.residency import Residency
from napari_octree.loading.request import TileState
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.points.point_tree import QUOTA
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.gpu.vram import VRAM
from napari_octree.rendering.points.point_buffer import PlacedNode, PointBuffer
from napari_octree.rendering.points.point_nodes import NodeKey, ShownPlace, keys_of

if TYPE_CHECKING:
    from napari_octree.loading import LoaderClient

LARGEST_SLOT = 2 * QUOTA

Drawn = tuple[ShownPlace, list[NodeKey]]


class ResidentNodes:
    """The nodes of one viewer's picture of a layer of points.

    Parameters
    ----------
    client : LoaderClient
    node : vispy node
        That draws from the buffer.
    """

    def __init__(self, client: LoaderClient, node: Any) -> None:
        self._client = client
        self._node = node
        self._buffer: PointBuffer | None = None
        self._former: Drawn | None = None
        self._drawn: Drawn | None = None
        self.wanted: list[NodeKey] = []
        self.failed: set[NodeKey] = set()
        self.resident = 0
        self.more = False

    # ------------------------------------------------------------------ wanting

    def want(
        self, place: ShownPlace, rows: np.ndarray, most_points: int, vram_bytes: int, anew: bool
    ) -> None:
        """Want the nodes of some rows of a place's table, most urgent first.

        Parameters
        ----------
        place : ShownPlace
        rows : (n,) int64
        most_points : int
            That a view draws, for the size of the buffer.
        vram_bytes : int
        anew : bool
            Whether another place was shown before: what is drawn of it stands in.
        """
        if anew and self._drawn is not None:
            self._former = self._drawn
        self.wanted = keys_of(place, rows.tolist())
        self.failed.intersection_update(self.wanted)
        buffer = self._keep(place, most_points, vram_bytes)
        self._client.replace([place.request(key.node) for key in self.wanted if key not in buffer])

    def _keep(self, place: ShownPlace, most_points: int, vram_bytes: int) -> PointBuffer:
        """Return a buffer for vertices of this layout, with a slot for each node."""
        buffer, n = self._buffer, len(self.wanted)
        table = place.source.table
        largest = min(int(table.counts.max(initial=1)), LARGEST_SLOT)
        fits = buffer is not None and buffer.layout == place.layout
        if buffer is not None and fits and n <= buffer.slots.capacity and largest <= buffer.slot:
            return buffer
        slot = max(largest, 1)
        usual = min(3 * most_points // (2 * QUOTA) + 16, len(table))
        capacity = max(usual, n + n // 4, 1)
        stride = place.layout.dtype.itemsize
        room = VRAM.available(buffer or self, vram_bytes)
        if slot * capacity * stride > room:
            capacity = max(min(capacity, room // (slot * stride)), n, 1)
            slot = max(min(slot, room // (capacity * stride)), 1)
        self._close_buffer()
        self._client.replace([])  # else what was taken for the former one would not come again
        self._buffer = buffer = PointBuffer(place.layout, slot, capacity)
        self._node.set_buffer(buffer.buffer, place.layout.attributes)
        self._former = None
        return buffer

    def upload(self, budget: UploadBudget, most_ms: float) -> bool:
        """Take finished nodes for some milliseconds. Returns whether anything changed."""
        buffer, client = self._buffer, self._client
        assert buffer is not None
        self.more = changed = False
        if not client.ready:
            return False
        canvas = self._node.canvas
        budget.begin(most_ms)
        nbytes = buffer.slot * buffer.layout.dtype.itemsize
        wanted = set(self.wanted)
        protected = set(wanted)
        if self._former is not None:
            protected.update(self._former[1])
        while budget.allows(nbytes):
            tile = client.take()
            if tile is None:
                break
            key = cast(NodeKey, tile.key)
            if tile.state is TileState.FAILED or tile.data is None:
                changed = True
                self.failed.add(key)
                continue
            vertices = tile.data
            if key not in wanted or vertices.dtype != buffer.layout.dtype:
                continue
            changed = True

            def put() -> None:
                if not buffer.add(key, vertices, protected):  # noqa: B023
                    self._former = None  # its slots are needed
                    buffer.add(key, vertices, wanted)  # noqa: B023
                buffer.send(canvas)

            budget.spend(put, vertices.nbytes)
            self.failed.discard(key)
        else:
            self.more = client.ready
        budget.end()
        return changed

    # ------------------------------------------------------------------ drawing

    def to_draw(self, place: ShownPlace) -> tuple[ShownPlace, list[NodeKey], list[PlacedNode]]:
        """Return what a frame draws: wanted nodes that are here, or what stands in for them."""
        buffer = self._buffer
        assert buffer is not None
        keys = [key for key in self.wanted if key in buffer]
        self.resident = len(keys)
        roots = {key for key in self.wanted if key.node < place.source.table.roots}
        if self._former is not None:
            former = [key for key in self._former[1] if key in buffer]
            if roots - self.failed <= set(keys) or not former:
                self._former = None
            else:
                place, keys = self._former[0], former
        self._drawn = (place, keys)
        buffer.touch(keys)
        return place, keys, [buffer[key] for key in keys]

    @property
    def drawn(self) -> Drawn | None:
        """What was drawn last."""
        return self._drawn

    @property
    def stands_in(self) -> bool:
        """Whether what is drawn stands in for what is wanted."""
        return self._former is not None

    @property
    def is_complete(self) -> bool:
        """Whether all that is wanted is here and drawn."""
        return self._former is None and self.resident == len(self.wanted)

    def residency(self, place: ShownPlace) -> Residency:
        """Return the nodes of a place, each by its level, 0 the deepest, and its row."""
        buffer, depths = self._buffer, place.source.table.depths
        if buffer is None or not len(depths):
            return Residency()
        deepest, number = int(depths.max()), place.number

        def named(keys: Iterable[Any]) -> frozenset[ChunkKey]:
            return frozenset(
                ChunkKey(deepest - int(depths[key.node]), (key.node,))
                for key in keys
                if key.place == number
            )

        return Residency(named(buffer), named(self.failed))

    @property
    def slots(self) -> tuple[int, int, int]:
        """Slots of the buffer, those in use, and its bytes."""
        buffer = self._buffer
        if buffer is None:
            return 0, 0, 0
        return buffer.slots.capacity, len(buffer.slots), buffer.nbytes

    # ------------------------------------------------------------------ the end

    def clear(self) -> None:
        """Want and draw nothing."""
        self.wanted, self.resident, self.more = [], 0, False
        self._drawn = self._former = None

    def close(self) -> None:
        """Let go of the GPU's memory."""
        self._close_buffer()

    def _close_buffer(self) -> None:
        if self._buffer is not None:
            self._node.set_buffer(None, ())
            self._buffer.close(self._node.canvas)
            self._buffer = None
