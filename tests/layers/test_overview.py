"""Only the overview of the slice last asked for is taken."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_octree import OctreeImage
from napari_octree.layers.slices.overview import OverviewLoader
from napari_octree.loading.request import LoadedTile, TileState
from napari_octree.loading.scheduling.tile_chunks import GridMemo
from napari_octree.loading.testing import SimulatedSource


class Client:
    """Hands out what it is given."""

    def __init__(self) -> None:
        self.finished: list[LoadedTile] = []

    def open(self, wake: Any) -> Client:
        return self

    def replace(self, requests: Any) -> None: ...
    def close(self) -> None: ...

    def take(self) -> LoadedTile | None:
        return self.finished.pop(0) if self.finished else None


def test_an_overview_that_comes_after_the_slider_has_left_is_not_taken(qapp) -> None:
    client: Any = Client()
    loaded: list[Any] = []
    overview = OverviewLoader(client, lambda key, pixels: loaded.append((key, pixels[0, 0])))
    first = OctreeImage([np.zeros((5, 64, 64), np.uint8)]).octree_slice
    assert first is not None
    second = first.moved(0, 1)
    assert second is not None
    overview.request(first)
    overview.request(second)
    for value, octree_slice in enumerate((first, second)):
        pixels = np.full((64, 64), value, np.uint8)
        client.finished.append(LoadedTile(octree_slice.key, pixels, TileState.LOADED, True))
    overview._collect()
    assert loaded == [(second.key, 1)]
    assert overview.settled


def test_an_overview_is_asked_for_from_the_middle_outward(qapp) -> None:
    layer = OctreeImage([SimulatedSource((300, 700), (100, 100))])
    assert layer.octree_slice is not None
    first = GridMemo().chunk_ids(layer.octree_slice.overview_request())[0]
    assert first.region == ((100, 200), (300, 400))
