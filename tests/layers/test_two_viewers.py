"""One image in two windows, of which one is closed while both wait for pixels."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.loading.loader import default_loader


class Held:
    """An array whose reads wait until they may go on."""

    shape, dtype = (1024, 1024), np.dtype(np.uint8)

    def __init__(self) -> None:
        self.may, self.asked = threading.Event(), threading.Event()

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        self.asked.set()
        assert self.may.wait(60)
        return np.full([s.stop - s.start for s in index], 200, np.uint8)


@pytest.mark.parametrize("closed", [0, 1])
@pytest.mark.parametrize("shared", [True, False])
def test_one_is_closed_while_both_load(
    make_viewer, screenshot, pump, pump_until, closed, shared
) -> None:
    array = Held()
    viewers = [make_viewer(), make_viewer()]
    first = OctreeImage([array], contrast_limits=(0, 255))
    layers = [first, first if shared else OctreeImage([array], contrast_limits=(0, 255))]
    for viewer, layer in zip(viewers, layers, strict=True):
        layer.display.show_loading = False
        viewer.add_layer(layer)
    pump_until(array.asked.is_set)
    clients = default_loader(OctreeConfig()).statistics.clients
    viewers[closed].close()
    pump()
    array.may.set()
    stays, layer = viewers[1 - closed], layers[1 - closed]
    assert layer.wait_until_settled(30)
    assert (screenshot(stays)[100:200, 150:250, :3] == 200).all()
    pump_until(lambda: default_loader(OctreeConfig()).statistics.clients < clients)
    array.may.clear()
    stays.close()  # and then the other one
    array.may.set()
    pump()
