"""Small parts of 3-D drawing: encoding of bricks, shared memory, motion, views."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vispy.color import get_colormap

from napari_octree.rendering.gpu.clear_colours import NOTHING, clear_share, highest_clear
from napari_octree.rendering.gpu.label_encoding import label_encoding
from napari_octree.rendering.gpu.node_matrices import VolumeMatrices
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.gpu.vram import VramLedger
from napari_octree.rendering.view.view_3d import volume_view
from napari_octree.rendering.volume.brick_encoding import APRON, CELL, EVERYTHING, BrickEncoding
from napari_octree.rendering.volume.quality.motion_quality import (
    FULL,
    LARGEST_PIXEL,
    LONGEST_STEP,
    MOST_REST_MS,
    MOST_SAVING,
    REST_MS,
    TARGET_MS,
    MotionQuality,
    Quality,
)


def encoding(
    dtype: str, shape: tuple[int, int, int] = (64, 64, 64), channels: int = 1
) -> BrickEncoding:
    return BrickEncoding(texture_encoding(np.dtype(dtype), channels), shape)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_ranges_hold_each_cell_and_its_apron(dtype: str) -> None:
    rng = np.random.default_rng(0)
    brick = encoding(dtype)
    top = 1 if dtype == "float32" else np.iinfo(dtype).max
    voxels = (rng.random(brick.slot_shape) * top).astype(dtype)
    record = brick.encode(voxels)
    assert record.flags.c_contiguous
    assert record.nbytes == brick.nbytes
    assert (record["texels"][0] == voxels).all()
    for cell in np.ndindex(brick.cells):
        part = voxels[tuple(slice(c * CELL, (c + 1) * CELL + 2 * APRON) for c in cell)]
        low, high = record["cells"][0][cell]
        assert low == pytest.approx(part.min() / top)
        assert high == pytest.approx(part.max() / top)


@pytest.mark.parametrize("side", [16, 48, 64, 80])
def test_cells_are_those_into_which_the_shader_divides_a_brick(side: int) -> None:
    brick = encoding("uint8", (side, 64, 64))
    count = brick.cells[0]
    for plane in range(side):
        voxels = np.zeros(brick.slot_shape, np.uint8)
        voxels[APRON + plane] = 255
        highest = brick.encode(voxels)["cells"][0, :, 0, 0, 1]
        assert highest[int((plane + 0.5) * count / side)] == 1


LABELS = {
    "uint8": [0, 3, 255],
    "int16": [-32768, -1, 0, 32767],
    "uint32": [0, 256, 2**24 + 1, 2**32 - 1],
    "int64": [-(2**63), -(2**40), 0, 2**53 + 1],
}


@pytest.mark.parametrize("dtype", LABELS)
def test_ranges_of_labels_are_of_labels_not_of_their_bytes(dtype: str) -> None:
    brick = BrickEncoding(label_encoding(np.dtype(dtype)), (32, 32, 32))
    for low, high in combinations(LABELS[dtype], 2):
        voxels = np.full(brick.slot_shape, low, dtype)
        voxels[5, 6, 7] = high
        assert brick.encode(voxels)["cells"][0, 0, 0, 0].tolist() == [
            np.float32(low),
            np.float32(high),
        ]


def test_bricks_at_the_border_repeat_their_last_voxels() -> None:
    brick = encoding("uint8")
    voxels = np.random.default_rng(0).integers(0, 255, (20, 68, 9)).astype(np.uint8)
    texels = brick.encode(voxels)["texels"][0]
    assert (texels[:20, :68, :9] == voxels).all()
    assert (texels[20:, :68, :9] == voxels[-1:]).all()
    assert (texels[:20, :68, 9:] == voxels[:, :, -1:]).all()


def test_what_is_not_known_is_everything() -> None:
    voxels = np.zeros((68, 68, 68), np.float32)
    voxels[0, 0, 0] = np.nan
    voxels[-1, -1, -1] = np.inf
    cells = encoding("float32").encode(voxels)["cells"][0]
    assert cells[0, 0, 0] == pytest.approx(EVERYTHING)
    assert cells[1, 1, 1].tolist() == pytest.approx([0, EVERYTHING[1]])
    assert cells[0, 0, 1].tolist() == [0, 0]
    colour = encoding("uint8", channels=3).encode(np.zeros((68, 68, 68, 3), np.uint8))
    assert (colour["cells"][0] == np.float32(EVERYTHING)).all()


def test_memory_is_shared() -> None:
    ledger, limit = VramLedger(), 1000
    owners = [object() for _ in range(6)]
    for owner in owners:
        ledger.take(owner, ledger.available(owner, limit))
    assert 900 < ledger.held_bytes <= limit
    assert ledger.available(owners[0], limit) >= 250, "what it holds counts as free"
    ledger.release(owners[0])
    assert ledger.available(object(), limit) >= 250


@given(saving=st.floats(0.1, 1000))
def test_a_quality_saves_what_it_is_asked_to(saving: float) -> None:
    quality = Quality.with_saving(saving)
    assert quality.saving == pytest.approx(min(max(saving, 1), MOST_SAVING))
    assert 1 - 1e-6 <= quality.step <= LONGEST_STEP * (1 + 1e-6)
    assert 1 <= quality.pixel_size <= LARGEST_PIXEL * (1 + 1e-6)
    # Neither is spoiled for the other.
    assert 1 / 2.1 < quality.step / quality.pixel_size < 2.1


@given(
    fixed=st.floats(0, 20),
    full=st.floats(0, 1000),
    noise=st.lists(st.floats(0.7, 1.4), min_size=30, max_size=30),
)
def test_moving_frames_come_in_time_and_are_no_coarser_than_needed(
    fixed: float, full: float, noise: list[float]
) -> None:
    quality = MotionQuality()
    quality.drawn(fixed + full)  # at rest
    for factor in noise:
        cost = (fixed + full / quality.moved().saving) * factor
        quality.drawn(cost)
    assert cost <= 2.2 * TARGET_MS
    needed = full / (TARGET_MS - fixed)
    assert quality.moved().saving <= max(2.2 * needed, 1.0)
    assert quality.rested() == FULL


def test_the_first_frame_of_a_move_knows_what_a_frame_costs() -> None:
    quality = MotionQuality()
    quality.drawn(10 * TARGET_MS)
    assert quality.rest_ms == MOST_REST_MS
    assert quality.moved().saving == pytest.approx(10)
    quality.rested()
    quality.drawn(1.0)
    assert quality.moved() == FULL
    assert quality.rest_ms == REST_MS


def matrices(to_render: np.ndarray) -> VolumeMatrices:
    return VolumeMatrices(to_render, np.eye(4), np.array([3.0, 2.0, 1.0]), (200.0, 100.0))


def test_a_view_is_in_octree_coordinates_z_first() -> None:
    to_render = np.diag([0.1, 0.2, 0.3, 1.0])
    to_render[3, :3] = -1, -2, -3
    view = volume_view(matrices(to_render), slice_key="now")
    assert view is not None
    assert view.focus == (1.5, 2.5, 3.5)
    x, y, z = 4.0, 5.0, 6.0
    expected = np.array([x, y, z, 1.0]) @ to_render
    assert np.array(view.matrix) @ [z + 0.5, y + 0.5, x + 0.5, 1] == pytest.approx(expected)


def test_clipping_planes_bound_what_is_seen() -> None:
    to_scene = np.diag([2.0, 3.0, 4.0, 1.0])
    to_scene[3, :3] = 1, 2, 3
    position, normal = np.array([9.0, 14.0, 23.0]), np.array([1.0, 0.5, -0.25])  # x first
    view = volume_view(
        matrices(np.diag([0.1, 0.1, 0.1, 1.0]))._replace(to_scene=to_scene),
        np.array([[position, normal]]),
    )
    assert view is not None
    ((place, direction),) = view.clipping_planes
    for z, y, x in ((5.0, 4.0, 4.1), (5.0, 4.0, 3.9), (5.0, 4.2, 4.0), (5.2, 4.0, 4.0)):
        in_scene = (np.array([x, y, z, 1.0]) @ to_scene)[:3]
        kept = np.dot(np.subtract((z, y, x), place), direction) > 0
        assert kept == ((in_scene - position) @ normal > 0)


def test_a_plane_is_a_slab_between_two_clipping_planes() -> None:
    view = volume_view(
        matrices(np.diag([0.1, 0.1, 0.1, 1.0])), slab=((10, 20, 30), (0, 0, 2.0), 8.0)
    )
    assert view is not None
    for place, inside in ((30.0, True), (35.0, True), (23.0, False), (38.0, False)):
        point = np.array([10.5, 20.5, place + 0.5])
        kept = all((point - p) @ np.array(n) >= 0 for p, n in view.clipping_planes)
        assert kept == inside


def test_no_view_of_what_is_flat_or_not_ready() -> None:
    assert volume_view(matrices(np.diag([0.1, 0.1, 0.0, 1.0]))) is None
    assert volume_view(matrices(np.diag([0.1, 0.1, np.nan, 1.0]))) is None
    assert volume_view(matrices(np.eye(4))._replace(size=(0.0, 0.0))) is None


@given(
    clear=st.floats(0, 1),
    low=st.floats(-10, 10),
    width=st.floats(0.01, 10),
    gamma=st.floats(0.2, 3),
)
def test_values_without_a_colour_are_known_and_no_others(
    clear: float, low: float, width: float, gamma: float
) -> None:
    class ColourMap:
        def map(self, x: np.ndarray) -> np.ndarray:
            return np.repeat((x > clear).astype(float), 4, axis=1)

    value = highest_clear(clear_share(ColourMap()), (low, low + width), gamma)
    position = max((value - low) / width, 0.0) ** gamma
    assert position <= clear + 1e-6
    assert position >= clear - 0.004 - 1e-6


def test_where_the_lowest_colour_shows_nothing_is_passed_by() -> None:
    assert clear_share(get_colormap("viridis")) is None
    assert highest_clear(None, (0, 1), 1.0) == NOTHING
    assert highest_clear(1.0, (1, 0), 1.0) == NOTHING
