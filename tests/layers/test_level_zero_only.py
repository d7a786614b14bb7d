"""One big array without a pyramid: coarser levels are made in workers, from each chunk once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from recording_array import random_pixels

CONFIG = OctreeConfig(memory={"ram_bytes": 200 * 2**20})


def test_each_chunk_is_read_once_at_every_zoom(viewer, recording_array, read_log) -> None:
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
