"""The shared fixtures do what the other tests trust them to do."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.settings import get_settings

from cameras import off_tie_center, tie_distance
from recording_array import random_pixels


def read_in_worker(array):
    thread = threading.Thread(target=lambda: array[0], daemon=True)
    thread.start()
    return thread


def test_reads_are_put_down_to_thread_and_action(recording_array, read_log):
    array = recording_array(np.arange(6), name="six")
    with read_log.during("pan"):
        read_in_worker(array).join()
    assert np.asarray(array).sum() == 15
    first, second = read_log.reads
    assert (first.array, first.index, first.action) == ("six", 0, "pan")
    assert not first.in_gui_thread
    assert (second.index, second.action) == (..., "")
    assert read_log.in_gui_thread == [second]


def test_metadata_is_not_a_read(recording_pyramid, read_log):
    levels = recording_pyramid((8, 64, 64), levels=3, dtype="uint16", chunks=(1, 16, 16))
    assert [level.shape for level in levels] == [(8, 64, 64), (8, 32, 32), (8, 16, 16)]
    assert [(len(level), level.chunks, repr(level)[:4]) for level in levels]
    assert read_log.reads == []


def test_held_reads_pass_one_by_one(recording_array, read_log, pump_until):
    array = recording_array(np.arange(6))
    read_log.hold()
    threads = [read_in_worker(array) for _ in range(3)]
    pump_until(lambda: read_log.waiting == 3)
    read_log.release(1)
    pump_until(lambda: read_log.waiting == 2)
    assert sum(thread.is_alive() for thread in threads) >= 2
    read_log.release()
    for thread in threads:
        thread.join()
    assert array[0] == 0, "the GUI thread is never held"


def test_failure_is_raised_in_the_reader(recording_array, read_log):
    array = recording_array(np.arange(6))
    read_log.failure = lambda read: OSError("gone") if read.index == 1 else None
    assert array[0] == 0
    with pytest.raises(OSError, match="gone"):
        array[1]


def test_settings_are_not_the_users():
    assert "napari-octree-tests-" in str(get_settings().config_path)


@given(
    center=st.floats(-1e4, 1e4),
    pixels=st.integers(1, 1000),
    zoom=st.sampled_from([1, 2, 3, 0.5, 1 / 3, 0.75, 1.7731]),
    texel=st.sampled_from([1.0, 2.0, 0.7]),
)
def test_off_tie_center_keeps_its_distance(center, pixels, zoom, texel):
    moved, _ = off_tie_center((center, 0), zoom, (pixels, 1), (texel, 1), (-0.5, -0.5))
    assert abs(moved - center) <= texel / 2 + 1e-9
    assert tie_distance(moved, pixels, texel, -0.5, zoom) >= 0.5 / (pixels + 1) - 1e-6


def test_screen_pixels_are_where_the_camera_says(make_viewer, look_at, screenshot):
    shape = (120, 160)
    viewer = make_viewer(shape)
    data = random_pixels((500, 600), "uint8")
    viewer.add_image(data, contrast_limits=(0, 255))
    for zoom, center in (
        (1, (250, 300)),
        (2, (100, 100)),
        (0.75, (250, 300)),
        (3, (250.3, 299.8)),
    ):
        look_at(viewer, center, zoom)
        _, *middle = viewer.scene.camera.center
        rows, columns = (
            np.round(c + (np.arange(n) + 0.5 - n / 2) / zoom).astype(int)
            for c, n in zip(middle, shape, strict=True)
        )
        picture = screenshot(viewer)
        assert picture.shape == (*shape, 4)
        np.testing.assert_array_equal(picture[..., 0], data[np.ix_(rows, columns)])
