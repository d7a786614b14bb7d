"""Other settings for a layer that is shown: each applies at once, and the picture stays right."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage, OctreeLabels, OctreePoints
from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.rendering.gpu.vram import VRAM

SMALL = {"octree": {"tile_size": 64, "brick_size": 16}}


def config(**sections: Any) -> OctreeConfig:
    return OctreeConfig(**{**SMALL, **sections})


@pytest.fixture
def layer(lent_viewer, recording_pyramid, look_at) -> Iterator[OctreeImage]:
    layer = OctreeImage(recording_pyramid((1024, 1024), 4), config(), contrast_limits=(0, 255))
    lent_viewer.add_layer(layer)
    look_at(lent_viewer, (511.3, 512.7), 0.93)
    assert layer.wait_until_settled()
    yield layer
    lent_viewer.layers.remove(layer)


def drawing_of(layer: OctreeLayer) -> Any:
    return layer.drawn_views[0].drawing


def test_the_level_bias_changes_the_level_that_is_drawn(layer, lent_viewer, screenshot):
    level, fine = layer.data_level, screenshot(lent_viewer)
    layer.config = config(render={"level_bias": 1})
    assert not layer.settled
    assert layer.wait_until_settled()
    assert layer.data_level == level + 1
    assert (screenshot(lent_viewer) != fine).any()
    layer.config = config()
    assert layer.wait_until_settled()
    np.testing.assert_array_equal(screenshot(lent_viewer), fine)


class CountingArray:
    """Counts the reads that run at the same time."""

    shape, dtype, ndim = (1024, 1024), np.dtype(np.uint8), 2

    def __init__(self) -> None:
        self.lock, self.running, self.most = threading.Lock(), 0, 0
        self.two = threading.Event()
        """The first read waits for the second one."""

    def __getitem__(self, key: Any) -> np.ndarray:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            if self.running == 2:
                self.two.set()
        self.two.wait(30)
        time.sleep(0.002)  # a store's latency
        with self.lock:
            self.running -= 1
        return np.zeros([s.stop - s.start for s in key], np.uint8)


def test_another_loader_reads_from_now_on(lent_viewer):
    array = CountingArray()
    alone = {"octree": {**SMALL["octree"], "loaders": {0: {"num_workers": 1}}}}
    layer = lent_viewer.add_layer(OctreeImage([array], config(), contrast_limits=(0, 1)))
    assert layer.wait_until_settled()
    assert array.most > 1
    layer.config = config(**alone, memory={"ram_bytes": 2**25})
    assert layer.loader.config is layer.config
    assert layer.wait_until_settled()
    array.most = 0
    layer.reload()
    assert layer.wait_until_settled()
    assert array.most == 1
    assert layer.loader.cache.limit_bytes <= 2**25
    lent_viewer.layers.remove(layer)


@pytest.mark.parametrize(
    "changed",
    [
        {"octree": {"tile_size": 128}},
        {"octree": {"tile_size": 64, "reduction": "nearest"}},
        {"render": {"interpolation_apron": 6}},
        {"render": {"fade_ms": 5}},
        {
            "render": {
                "prefetch": {"ring": 0, "slices": 0},
                "upload_ms": 1,
                "collect_when_idle": False,
            }
        },
        {"octree": {"tile_size": 64, "background_pyramid": True}},
    ],
    ids=str,
)
def test_the_picture_is_the_same_with_them(changed, layer, lent_viewer, screenshot):
    before = screenshot(lent_viewer)
    for new in (config(**changed), config()):
        layer.config = new
        assert layer.wait_until_settled()
        np.testing.assert_array_equal(screenshot(lent_viewer), before)


def test_tiles_have_the_new_size(layer):
    layer.config = config(octree={"tile_size": 128})
    assert layer.wait_until_settled()
    assert drawing_of(layer).lease._filled.tile_shape == (128, 128)
    assert layer.data.config is layer.config


def test_a_smaller_bound_of_graphics_memory_holds(layer, lent_viewer, pump_until):
    pump_until(lambda: VRAM.held_bytes > 2**20)  # the first atlas is small, and grows at a rest
    layer.config = config(memory={"vram_bytes": 2**20})
    assert layer.wait_until_settled()
    assert VRAM.held_bytes <= 2**20
    lent_viewer.dims.ndisplay = 3
    layer.config = config()
    assert layer.wait_until_settled()
    lent_viewer.dims.ndisplay = 2


def test_fading_can_be_switched_on_and_off(layer, lent_viewer, look_at):
    for ms in (50, 0):
        layer.config = config(render={"fade_ms": ms})
        assert drawing_of(layer).node.fades is bool(ms)
        look_at(lent_viewer, (300.3, 400.7 + ms), 3.1)
        assert layer.wait_until_settled()


def test_channels_together_can_be_switched_off(layer, lent_viewer):
    layer.display.channel_group = "both"
    assert layer.wait_until_settled()
    assert drawing_of(layer).frame.channel is not None
    layer.config = config(render={"channels_together": False})
    assert layer.wait_until_settled()
    assert drawing_of(layer).frame.channel is None


def test_volumes_labels_and_points_follow_too(lent_viewer, screenshot):
    rng = np.random.default_rng(2)
    volume = rng.integers(0, 255, (48, 48, 48), np.uint8)
    layers = [
        OctreeImage(volume, config()),
        OctreeLabels(volume, config(), translate=(0, 0, 60)),
        OctreePoints(rng.uniform(0, 48, (500, 3)), config(), translate=(0, 60, 0)),
    ]
    for layer in layers:
        lent_viewer.add_layer(layer)
    lent_viewer.dims.ndisplay = 3
    try:
        assert all(layer.wait_until_settled() for layer in layers)
        before = screenshot(lent_viewer)
        new = config(
            loader_defaults={"num_workers": 2},
            octree={"tile_size": 64, "brick_size": 24},
            memory={"vram_bytes": 2**26},
            render={"skip_empty": False},
        )
        for layer in layers:
            layer.config = new
            assert layer.wait_until_settled()
        assert abs(screenshot(lent_viewer).astype(int) - before).max() <= 2
        layers[0].config = config(render={"level_bias": 8})
        assert layers[0].wait_until_settled()
        assert layers[0].drawn_views[0].level == 1
    finally:
        lent_viewer.dims.ndisplay = 2
        for layer in layers:
            lent_viewer.layers.remove(layer)


def test_it_is_followed_where_nothing_is_drawn_too():
    layer = OctreeImage(np.arange(12.0).reshape(3, 4))
    new = OctreeConfig(memory={"ram_bytes": 2**26})
    layer.config = new
    assert layer.config is new
    assert layer.loader.config == new
