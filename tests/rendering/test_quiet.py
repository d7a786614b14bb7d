"""Promise 8: settled means no frames and no timers; what is closed gives back what it held."""

from __future__ import annotations

import gc
import weakref
from time import monotonic
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.loading.loader import default_loader

CONFIG = OctreeConfig(memory={"ram_bytes": 300 * 2**20})
"""A loader of its own, which other tests' layers do not use."""


def levels(recording_array: Any, side: int = 1024) -> list[Any]:
    base = np.arange(side * side, dtype=np.uint32).reshape(side, side).astype(np.uint16)
    return [recording_array(base[:: 2**k, :: 2**k], (256, 256), f"level {k}") for k in range(2)]


def test_settled_means_no_frames(viewer, pump, pump_until, let_rest, recording_array) -> None:
    layer = viewer.add_layer(OctreeImage(levels(recording_array)))
    viewer.scene.camera.zoom *= 2
    let_rest(layer)  # what is read ahead may make the edges of a tile better
    pump()  # a frame that was asked for while another one took what it was for
    frames = layer.statistics.views[0].frames
    end = monotonic() + 1
    pump_until(lambda: monotonic() > end)
    assert layer.statistics.views[0].frames == frames


def show_and_remove(viewer: Any, arrays: list[Any]) -> weakref.ref[OctreeImage]:
    """Apart from the test: pytest's asserts would keep the layer alive in their frame."""
    layer = viewer.add_layer(OctreeImage(arrays, config=CONFIG))
    assert layer.wait_until_settled(30)
    assert layer.loader.statistics.cached_bytes > 0
    parser = layer._views[0].node.canvas.context.shared.parser
    atlas = layer._views[0].tiles.node.atlas.id
    assert parser.get_object(atlas) is not None
    viewer.layers.clear()
    assert parser.get_object(atlas) is None
    return weakref.ref(layer)


def collected(reference: weakref.ref[Any]) -> bool:
    """Whether it is gone: a thread that has just told of a tile may hold it for a moment."""
    gc.collect()
    return reference() is None


def test_a_layer_that_has_gone_frees_everything(
    no_loaders, viewer, pump_until, recording_array
) -> None:
    loader = default_loader(CONFIG)
    before = loader.statistics
    gone = show_and_remove(viewer, levels(recording_array))
    pump_until(lambda: collected(gone))
    # A finalizer only starts what then happens in a thread.
    pump_until(lambda: loader.statistics.clients == before.clients)
    pump_until(lambda: loader.statistics.cached_bytes == before.cached_bytes)
    pump_until(lambda: loader.statistics.in_flight_bytes == 0)
    assert loader.statistics.staged_bytes == 0


def test_a_closed_viewer_ends_its_views(no_loaders, make_viewer, pump, recording_array) -> None:
    first, second = make_viewer(), make_viewer()
    layer = first.add_layer(OctreeImage(levels(recording_array), config=CONFIG))
    second.add_layer(layer)
    assert layer.wait_until_settled(30)
    clients = default_loader(CONFIG).statistics.clients
    second.close()
    pump()
    assert len(layer._views) == 1
    assert default_loader(CONFIG).statistics.clients == clients - 1
    first.scene.camera.zoom *= 2
    assert layer.wait_until_settled(30)


def test_a_viewer_that_showed_the_sign_of_loading_is_freed(
    make_viewer, pump_until, recording_array, read_log
) -> None:
    def show() -> weakref.ref[Any]:
        viewer = make_viewer()
        read_log.hold()
        layer = viewer.add_layer(OctreeImage(levels(recording_array), config=CONFIG))
        pump_until(lambda: layer._views[0]._notice._sign is not None)
        read_log.release()
        assert layer.wait_until_settled(30)
        canvas = weakref.ref(viewer.window._qt_viewer.canvas._scene_canvas)
        viewer.layers.clear()
        viewer.close()
        return canvas

    canvas = show()
    pump_until(lambda: collected(canvas))


@pytest.mark.parametrize("shared", [True, False])
def test_layers_of_one_array_share_its_chunks(
    viewer, recording_array, read_log, let_rest, shared
) -> None:
    arrays = levels(recording_array)
    others = arrays if shared else levels(recording_array)
    first = viewer.add_layer(OctreeImage(arrays, config=CONFIG))
    let_rest(first)
    reads = len(read_log.reads)
    second = viewer.add_layer(OctreeImage(others, config=CONFIG))
    assert second.wait_until_settled(30)
    assert (len(read_log.reads) == reads) is shared


def test_removing_one_keeps_the_chunks_of_the_other(
    viewer, pump, recording_array, read_log, let_rest
) -> None:
    arrays = levels(recording_array)
    first = viewer.add_layer(OctreeImage(arrays, config=CONFIG))
    second = viewer.add_layer(OctreeImage(arrays, config=CONFIG))
    let_rest(first)
    let_rest(second)
    viewer.layers.remove(first)
    del first
    gc.collect()
    pump()
    reads = len(read_log.reads)
    third = viewer.add_layer(OctreeImage(arrays, config=CONFIG))
    assert third.wait_until_settled(30)
    assert len(read_log.reads) == reads
