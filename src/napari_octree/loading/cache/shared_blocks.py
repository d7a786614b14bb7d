"""What a source that is computed from another one shares with the loader: chunks in RAM.

Invariants: any thread; never blocks for longer than the loader's lock is held; what is kept
counts against `ram_bytes`, and goes as any chunk does. So a storage chunk that was read to
compute a coarser level is not read again when the user zooms in, nor the levels in between.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from napari_octree.loading.chunk_id import ChunkId
from napari_octree.sources.protocol import Region

if TYPE_CHECKING:
    from napari_octree.loading.dispatcher import Dispatcher


class SharedBlocks:
    """A `sources.protocol.BlockStore` that is the loader's own cache.

    Parameters
    ----------
    dispatcher : Dispatcher
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def find(self, storage: Hashable, region: Region) -> tuple[np.ndarray | None] | None:
        """Return a chunk's pixels (None: fill value) in a tuple of one, None if not at hand."""
        cached = self._dispatcher.cache.peek(ChunkId(storage, region))
        return None if cached is None else (cached.pixels,)

    def keep(
        self, storage: Hashable, region: Region, pixels: np.ndarray | None, seconds: float
    ) -> None:
        """Have a chunk that took `seconds`; whoever waits for it need not read it."""
        chunk_id = ChunkId(storage, region)
        self._dispatcher.change(lambda scheduler, _: scheduler.found(chunk_id, pixels, seconds))
