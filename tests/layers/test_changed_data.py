"""Data that are assigned are shown as they are now, whatever was kept of their place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.loading.testing import SimulatedSource


class FarArray(SimulatedSource):
    """Chunks of one value, which may change."""

    def __init__(self, url: str, value: int) -> None:
        super().__init__((200, 200), (50, 50), key=url, dtype=np.uint8)
        self.ndim, self.size = 2, 200 * 200
        self.value = value

    def __getitem__(self, index: Any) -> np.ndarray:
        raise AssertionError("it is read by its chunks")

    def pixels_at(self, region: Any) -> np.ndarray:
        return np.full([stop - start for start, stop in region], self.value, np.uint8)


@pytest.mark.parametrize("same_object", [True, False])
@pytest.mark.parametrize("disk_bytes", [0, 2**24])
def test_an_array_that_is_assigned_again_is_read_again(
    viewer: Any, screenshot: Any, tmp_path: Path, same_object: bool, disk_bytes: int
) -> None:
    config = OctreeConfig(memory={"disk_bytes": disk_bytes, "disk_path": tmp_path / "disk"})
    url = f"https://example.org/{tmp_path.name}/0"
    array = FarArray(url, 50)
    layer = OctreeImage([array], config=config, contrast_limits=(0, 255))
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[..., 0].max() == 50
    if same_object:
        array.value = 200
    else:
        array = FarArray(url, 200)  # as an address that is opened anew
    layer.data = [array]
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[..., 0].max() == 200
    viewer.layers.clear()
    layer.loader.close()


def test_nothing_of_former_data_is_taken_for_the_new_ones(
    viewer: Any, recording_array: Any, read_log: Any
) -> None:
    former, new = (np.full((60, 80), value, np.uint8) for value in (200, 100))
    layer = OctreeImage([recording_array(former, (64, 64))], contrast_limits=(0, 255))
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    assert layer._slice.image.raw.max() == 200
    read_log.hold()
    layer.data = [recording_array(new, (64, 64))]
    assert layer._slice.image.raw.max() == 0
    assert layer.get_value((30, 40))[1] is None
    read_log.release()
    assert layer.wait_until_settled(30)
    assert layer._slice.image.raw.max() == 100


def test_copies_of_a_layer_whose_data_were_assigned_read_nothing(
    viewer: Any, recording_array: Any, read_log: Any
) -> None:
    layer = OctreeImage([np.zeros((60, 80), np.uint8)], contrast_limits=(0, 255))
    viewer.add_layer(layer)
    told = []
    layer.events.data.connect(lambda event: told.append(event.value))
    layer.data = [recording_array(np.full((60, 80), 7, np.uint8), (64, 64))]
    assert layer.wait_until_settled(30)
    assert copy.deepcopy(layer.data) is layer.data
    assert told == [layer.data]
    with pytest.raises(TypeError, match="not read as a whole"):
        np.asarray(layer.data)
    assert read_log.in_gui_thread == []
