"""Whom we are compared with: how each makes a layer, and how it says that it is done.

Invariants: a peer is chosen before napari is imported, as stock's way of slicing is read from the
environment; all peers get the same arrays and the same looks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Peer:
    """One way to show images.

    Attributes
    ----------
    name : str
    is_ours : bool
    is_async : bool
        Stock: slices in threads.
    executor : {"threads", "dask"}
        Ours: who reads. "dask" is a cluster of two processes on this machine.
    """

    name: str
    is_ours: bool = False
    is_async: bool = False
    executor: str = "threads"

    def prepare(self) -> None:
        """Set what must be set before napari is imported."""
        os.environ["NAPARI_ASYNC"] = "1" if self.is_async else "0"
        if self.executor == "dask":
            from distributed import Client

            Client(n_workers=2, threads_per_worker=8, dashboard_address=None)

    def add_image(self, viewer: Any, levels: Sequence[Any], **looks: Any) -> Any:
        """Add an image of these levels, finest first."""
        if self.is_ours:
            from napari_octree import OctreeConfig, OctreeImage

            config = OctreeConfig(loader_defaults={"executor": self.executor})
            return viewer.add_layer(OctreeImage(list(levels), config=config, **looks))
        if len(levels) == 1:
            return viewer.add_image(levels[0], multiscale=False, **looks)
        return viewer.add_image(list(levels), multiscale=True, **looks)

    def add_labels(self, viewer: Any, levels: Sequence[Any], **looks: Any) -> Any:
        """Add labels of these levels, finest first."""
        if self.is_ours:
            from napari_octree import OctreeLabels

            return viewer.add_layer(OctreeLabels(list(levels), **looks))
        if len(levels) == 1:
            return viewer.add_labels(levels[0], multiscale=False, **looks)
        return viewer.add_labels(list(levels), multiscale=True, **looks)

    def is_done(self, viewer: Any) -> bool:
        """Whether nothing more is to come of any layer, as the layers say."""
        if self.is_ours:
            return all(layer.settled for layer in viewer.layers)
        busy = viewer._layer_slicer._layers_to_task
        return not busy and all(layer.loaded for layer in viewer.layers)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("stock-sync"),
        Peer("stock-async", is_async=True),
        Peer("ours", is_ours=True),
        Peer("ours-tensorstore", is_ours=True),
        Peer("ours-dask", is_ours=True, executor="dask"),
    )
}
