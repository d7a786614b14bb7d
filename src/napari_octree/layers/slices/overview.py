"""The overview of a layer: its coarsest level, held in RAM as napari's slice.

Invariants: only the overview of the newest slice is asked for and accepted; loading happens in
workers, and `on_loaded` is called in the main thread. An overview that is at hand (that of a small
image in memory) needs no worker.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np

from napari_octree.layers.finalizers import when_gone
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.loading.at_hand import is_at_hand, make_at_hand
from napari_octree.loading.loader import ChunkLoader
from napari_octree.loading.request import TileState


class OverviewLoader:
    """Brings the overview of the slice last asked for.

    Parameters
    ----------
    loader : ChunkLoader
    on_loaded : callable
        Gets the slice and its overview, as displayed (main thread).
    """

    def __init__(
        self, loader: ChunkLoader, on_loaded: Callable[[SliceKey, np.ndarray], None]
    ) -> None:
        self._client = loader.open(MAIN_LOOP.poster(self._collect))
        when_gone(self, self._client.close)
        self._on_loaded = on_loaded
        self._wanted: SliceKey | None = None
        self._slice: OctreeSlice | None = None
        ask = weakref.WeakMethod(self._ask)

        def ask_later() -> None:
            if (method := ask()) is not None:
                method()

        self._ask_later = ask_later
        self.settled = True
        self.failed = False

    def request(self, octree_slice: OctreeSlice | None) -> np.ndarray | None:
        """Load the overview of `octree_slice` unless it is loaded or on its way.

        What is at hand is returned at once, and `on_loaded` is not called.

        With sliders the read starts at the next turn of the loop: a viewer that gains a layer
        moves them to the middle, and a slice that is left at once is not worth a read.
        """
        key = octree_slice.key if octree_slice is not None else None
        if key == self._wanted:
            return None
        self._wanted = key
        self.failed = False
        self.settled = octree_slice is None
        self._slice = octree_slice
        overview = None if octree_slice is None else self._at_hand(octree_slice)
        if overview is not None:
            self.settled = True
            self._client.replace([])
        elif octree_slice is not None and any(octree_slice.key.ranges):
            MAIN_LOOP.post(self._ask_later)
        else:
            self._ask()
        return overview

    def _at_hand(self, octree_slice: OctreeSlice) -> np.ndarray | None:
        request = octree_slice.overview_request()
        tile = make_at_hand(request) if is_at_hand(request) else None
        return None if tile is None else tile.data

    def _ask(self) -> None:
        octree_slice = self._slice
        if self.settled and octree_slice is not None:
            return  # another slice has been asked for meanwhile, and was at hand
        if octree_slice is None or octree_slice.key == self._wanted:
            self._client.replace([octree_slice.overview_request()] if octree_slice else [])

    def forget(self) -> None:
        """Load again at the next request."""
        self._wanted = None
        self._client.replace([])

    def follow(self, loader: ChunkLoader) -> None:
        """Load with another loader from now on, also what is on its way."""
        self._client.follow(loader)
        if not self.settled:
            self._ask()

    def pause(self) -> None:
        """Want nothing until the next request; what has arrived stays."""
        if not self.settled:
            self.forget()
            self.settled = True

    def _collect(self) -> None:
        while (tile := self._client.take()) is not None:
            if self._wanted is None or tile.key != self._wanted:
                continue
            if tile.state is TileState.FAILED or tile.data is None:
                self.failed = True
                continue
            self.settled = True
            self._on_loaded(self._wanted, tile.data)

    def close(self) -> None:
        """Stop loading."""
        self._client.close()
