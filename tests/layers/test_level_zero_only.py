"""One big array without a pyramid: coarser levels are made in workers, from each chunk once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from recording_array import random_pixels

CONFIG = OctreeConfig(memory={"ram_bytes": 200 * 2**20})


def test_each_chunk_is_read_once_at_every_zoom(
    no_loaders, viewer, recording_array, read_log
) -> None:
    """With memory of its own: a layer with little, left by a test before, would share it."""
    data = random_pixels((4096, 4096), "uint8")
    layer = viewer.add_layer(OctreeImage([recording_array(data, (512, 512))], config=CONFIG))
    assert layer.wait_until_settled(60)
    assert layer.statistics.views[0].level == 2
    for zoom in (0.4, 0.8, 2.0):
        viewer.scene.camera.zoom = zoom
        assert layer.wait_until_settled(60)
    reads = Counter(tuple((s.start, s.stop) for s in read.index) for read in read_log.reads)
    assert len(reads) == 64
    assert set(reads.values()) == {1}
    assert read_log.in_gui_thread == []


@pytest.mark.parametrize("mapped", [False, True])
def test_of_memory_single_pixels_are_taken(viewer, tmp_path, mapped) -> None:
    data = random_pixels((3, 4096, 4096), "uint16")
    if mapped:
        np.save(tmp_path / "stack.npy", data)
        data = np.load(tmp_path / "stack.npy", mmap_mode="r")
    layer = viewer.add_layer(OctreeImage([data]))
    for z in (0, 2):
        viewer.dims.set_point(0, z)
        assert layer.wait_until_settled(60)
        np.testing.assert_array_equal(layer._slice.image.raw, data[z, 1::4, 1::4])


def test_a_mapped_file_is_not_asked_for_a_page_for_each_pixel(viewer, tmp_path) -> None:
    shape = (1100, 1100, 4096)
    stack = np.memmap(tmp_path / "stack.raw", np.uint8, "w+", shape=shape)  # nothing is written
    layer = viewer.add_layer(OctreeImage([stack], contrast_limits=(0, 255)))
    assert not any(layer.octree_slice.is_sampled(level) for level in (0, 1, 2))
    viewer.dims.order = (2, 0, 1)
    assert layer.octree_slice.is_sampled(1)
    assert not layer.octree_slice.is_sampled(0)
    assert layer.wait_until_settled(60)
    assert "a sample" in layer.get_status((550, 550, 0))["value"]


class Endless:
    """Rows of 256 pixels are alike: chunks are made when they are read, and counted."""

    shape, dtype, chunks = (5, 100_000, 100_000), np.dtype(np.uint8), (1, 256, 256)

    def __init__(self) -> None:
        self.reads = 0

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        self.reads += 1
        shape = tuple(s.stop - s.start for s in index)
        rows = np.arange(index[1].start, index[1].stop) // 256 % 200 + 10 * index[0].start
        return np.broadcast_to(rows.astype(np.uint8)[:, None], shape).copy()


def test_a_store_too_large_to_be_read_whole_is_sampled(viewer, screenshot) -> None:
    array = Endless()
    alone = OctreeConfig(render={"prefetch": {"slices": 0}})  # the slice in view is counted
    layer = viewer.add_layer(OctreeImage([array], config=alone, contrast_limits=(0, 255)))
    assert layer.wait_until_settled(60)
    assert 0 < array.reads <= 1024
    shown = screenshot(viewer)[20:-20, 60:-60, 0]
    assert len(np.unique(shown)) > 10
    assert "a sample" in layer.get_status((0, 50_000, 50_000))["value"]
    before = array.reads
    viewer.dims.set_point(0, 3)
    assert layer.wait_until_settled(60)
    assert array.reads - before <= 1024
    np.testing.assert_array_equal(screenshot(viewer)[20:-20, 60:-60, 0], shown + 10)
    viewer.scene.camera.center = (0, 50_000, 50_000)
    viewer.scene.camera.zoom = 0.2  # every pixel is averaged here
    assert layer.wait_until_settled(60)
    assert "a sample" not in layer.get_status((3, 50_000, 50_000))["value"]
    assert array.reads - before <= 4 * 1024


def test_slices_of_one_display_share_their_octree(qapp) -> None:
    layer = OctreeImage([np.zeros((5, 3000, 3000), np.uint8)])
    first = layer.octree_slice
    assert first is not None
    other = first.moved(0, 3)
    assert other is not None
    assert other.key.position(0) == 3
    assert other.octree is first.octree
    assert other.sources is first.sources
    assert first.key.axis_to(other.key) == 0
    assert first.moved(0, 5) is None
    with pytest.raises(ValueError, match="displayed"):
        first.at(type(first.key)(first.key.version, (0, 1), (None, None, (0, 1))))
