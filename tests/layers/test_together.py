"""Layers on one slider that take their time: each as it comes, or all in the same frame."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeImage


class Computed:
    """Planes that are computed as soon as they may be."""

    shape, dtype = (8, 200, 200), np.dtype(np.uint8)

    def __init__(self) -> None:
        self.may = threading.Event()
        self.may.set()

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        assert self.may.wait(30)
        planes = 10 * np.arange(index[0].start, index[0].stop, dtype=np.uint8)
        shape = tuple(s.stop - s.start for s in index)
        return np.broadcast_to(planes[:, None, None], shape).copy()


@pytest.mark.parametrize("together", [False, True])
def test_three_layers_on_one_slider(
    viewer, screenshot, pump, pump_until, monkeypatch, together
) -> None:
    monkeypatch.setattr("napari_octree.rendering.tiles.channel_group.PATIENCE_S", 60.0)
    arrays = [Computed() for _ in range(3)]
    layers = [
        OctreeImage([array], contrast_limits=(0, 255), blending="additive", colormap=colour)
        for array, colour in zip(arrays, ("red", "green", "blue"), strict=True)
    ]
    for layer in layers:
        layer.display.show_loading = False
        layer.display.channel_group = "slider" if together else None
        viewer.add_layer(layer)
    viewer.dims.set_point(0, 1)
    assert all(layer.wait_until_settled(30) for layer in layers)

    def seen() -> list[int]:
        return [int(v) for v in screenshot(viewer)[150, 200, :3]]

    assert seen() == [10, 10, 10]
    for array in arrays:
        array.may.clear()
    viewer.dims.set_point(0, 5)
    pictures: list[Any] = []
    try:
        for number, (array, layer) in enumerate(zip(arrays, layers, strict=True)):
            array.may.set()
            pump_until(lambda layer=layer: layer._overview.settled)
            pump()
            if not together:
                pump_until(lambda number=number: seen()[number] == 50)
            pictures.append(seen())
    finally:
        for array in arrays:
            array.may.set()
    assert all(layer.wait_until_settled(30) for layer in layers)
    assert seen() == [50, 50, 50]
    if together:
        assert pictures[0] == pictures[1] == [0, 0, 0]
        assert pictures[2] in ([0, 0, 0], [50, 50, 50])
    else:
        assert pictures == [[50, 0, 0], [50, 50, 0], [50, 50, 50]]
