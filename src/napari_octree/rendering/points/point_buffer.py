"""PointBuffer: the slots of one vertex buffer, and the nodes that lie in them.

Invariants: GUI thread with a current GL context. All slots are as long as the largest node; what
is drawn is never evicted; another layout of vertices is another buffer. Its bytes are noted in
the ledger of the GPU's memory.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from vispy.gloo import VertexBuffer

from napari_octree.rendering import _vispy
from napari_octree.rendering.gpu.atlas_slots import AtlasSlots
from napari_octree.rendering.gpu.vram import VRAM
from napari_octree.rendering.points.vertex_layout import VertexLayout


@dataclass(frozen=True, eq=False)
class PlacedNode:
    """A node in the buffer.

    Attributes
    ----------
    first, count : int
        Its vertices.
    """

    first: int
    count: int


class PointBuffer:
    """A vertex buffer of equal slots.

    Parameters
    ----------
    layout : VertexLayout
    slot : int
        Vertices of a slot.
    capacity : int
        Slots.
    """

    def __init__(self, layout: VertexLayout, slot: int, capacity: int) -> None:
        self.layout, self.slot = layout, slot
        self.slots: AtlasSlots[Hashable] = AtlasSlots(capacity)
        self.buffer = VertexBuffer(np.zeros(max(slot * capacity, 1), layout.dtype))
        VRAM.take(self, self.nbytes)

    @property
    def nbytes(self) -> int:
        """Bytes of the GPU's memory."""
        return self.slot * self.slots.capacity * self.layout.dtype.itemsize

    def __contains__(self, key: Hashable) -> bool:
        return key in self.slots

    def __getitem__(self, key: Hashable) -> PlacedNode:
        slot = self.slots[key]
        return PlacedNode(slot.number * self.slot, slot.shape[0])

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.slots)

    def add(self, key: Hashable, vertices: np.ndarray, protected: Collection[Hashable]) -> bool:
        """Write a node into a slot; False if all hold nodes that are drawn."""
        vertices = vertices[: self.slot]
        slot, _ = self.slots.add(key, (len(vertices),), True, {*protected, key})
        if slot is None:
            return False
        if len(vertices):
            self.buffer.set_subdata(vertices, offset=slot.number * self.slot, copy=False)
        return True

    def touch(self, keys: Collection[Hashable]) -> None:
        """Note what is drawn now."""
        self.slots.touch(np.fromiter(self.slots.numbers(keys), np.int64, len(keys)))

    def send(self, canvas: Any) -> None:
        """Have GL copy what was written."""
        _vispy.share_queue(canvas.context, self.buffer)
        _vispy.flush(canvas.context)

    def close(self, canvas: Any) -> None:
        """Free the memory."""
        VRAM.release(self)
        _vispy.delete_texture(canvas, self.buffer)
