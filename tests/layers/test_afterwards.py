"""Layers are collected whenever it suits Python: also while a thread holds the loader's lock."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.loading.loader import default_loader


def use_and_drop(array: Any, pump: Callable[[], None]) -> weakref.ref[OctreeImage]:
    layer = OctreeImage([array])
    overview = layer._overview
    assert MAIN_LOOP.run_until(lambda: overview.settled, 30)
    pump()
    return weakref.ref(layer)


def test_a_layer_may_be_collected_within_the_loader(
    qapp, recording_array, pump, pump_until
) -> None:
    loader = default_loader(OctreeConfig())
    gc.collect()  # of what other tests have left
    pump()
    before = loader.statistics
    gone = use_and_drop(recording_array(np.zeros((300, 300), np.uint8), (100, 100)), pump)
    assert loader.statistics.cached_bytes > before.cached_bytes
    with loader._dispatcher.lock:  # as if the collector had struck there
        gc.collect()
        assert gone() is None
    pump_until(lambda: loader.statistics.cached_bytes == before.cached_bytes)
    pump_until(lambda: loader.statistics.clients == before.clients)


def test_what_waits_for_the_event_loop_keeps_no_layer(qapp) -> None:
    """A script that never runs the loop may open thousands."""
    layer = OctreeImage([np.zeros((4, 64, 64), np.uint8)])
    gone = weakref.ref(layer)
    del layer
    gc.collect()
    assert gone() is None
