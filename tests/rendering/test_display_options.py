"""What can be seen of the octree itself, by pixels; what is not there is never passed off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zarr
from vispy.gloo import read_pixels

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering.level_colours import LEVEL_COLOURS

CONFIG = OctreeConfig(octree={"tile_size": 64}, loader_defaults={"num_workers": 2})
CENTER, ZOOM = (128.3, 128.3), 1.0
SIGN = (slice(280, 292), slice(8, 20))  # lower left corner of the canvas


def flat_levels(recording_array: Any, side: int = 512, levels: int = 3) -> list[Any]:
    """Levels that tell themselves by their brightness."""
    return [
        recording_array(
            np.full((side >> k, side >> k), 200 - 50 * k, np.uint8), (64, 64), f"level {k}"
        )
        for k in range(levels)
    ]


@pytest.fixture
def show(viewer, look_at):
    def run(data: Any, **keywords: Any) -> OctreeImage:
        layer = OctreeImage(data, config=CONFIG, contrast_limits=(0, 255), **keywords)
        viewer.add_layer(layer)
        look_at(viewer, CENTER, ZOOM)
        return layer

    return run


def fail_level_zero(read_log: Any) -> None:
    # Of a kind that is not tried again and again.
    read_log.failure = lambda read: PermissionError("no") if read.array == "level 0" else None


def test_the_grid_is_where_tiles_end(
    show, viewer, screenshot, recording_array, like_reference
) -> None:
    layer = show(flat_levels(recording_array))
    assert layer.wait_until_settled(30)
    plain = screenshot(viewer)[..., :3].astype(int)
    layer.display.show_grid = True
    changed = np.abs(screenshot(viewer)[..., :3].astype(int) - plain).max(axis=-1) > 20
    columns = np.flatnonzero(changed.mean(axis=0) > 0.5)
    world = CENTER[1] + (columns + 0.5 - 200) / ZOOM + 0.5
    inside = world[(world > 2) & (world < 510)]
    assert len(inside)
    assert np.abs(inside / 64 - np.round(inside / 64)).max() * 64 < 1.5
    assert {64, 128, 192, 256} <= set((np.round(inside / 64) * 64).astype(int))
    like_reference("grid", screenshot(viewer))


def test_the_grid_of_a_stand_in_is_its_own(
    show, viewer, screenshot, recording_array, read_log, pump_until
) -> None:
    fail_level_zero(read_log)
    layer = show(flat_levels(recording_array))
    pump_until(lambda: layer._stuck)
    layer.display.show_grid = True
    picture = screenshot(viewer)
    quads = layer._views[0].tiles.frame.picture.quads
    shown = {tuple(border) for border in quads.marks.borders}
    assert all(y1 - y0 >= 128 and x1 - x0 >= 128 for y0, x0, y1, x1 in shown)
    assert picture.shape == (300, 400, 4)


def colours_in(picture: np.ndarray, levels: int = 3) -> set[int]:
    """The levels whose colour is seen somewhere, outside of the legend."""
    pixels = picture[40:, :, :3].astype(float) / 255
    away = [np.abs(pixels - colour).max(axis=-1).min() for colour in LEVEL_COLOURS[:levels]]
    return {level for level, distance in enumerate(away) if distance < 0.02}


def test_outlines_tell_levels(
    show, viewer, screenshot, recording_array, read_log, pump_until, like_reference
) -> None:
    layer = show(flat_levels(recording_array))
    assert layer.wait_until_settled(30)
    plain = screenshot(viewer).astype(int)
    layer.display.tint_levels = True
    pump_until(lambda: layer._views[0]._legend.legend is not None)
    picture = screenshot(viewer).astype(int)
    assert colours_in(picture) == {0}
    assert layer._views[0]._legend.legend.levels == (0,)
    inside = np.abs(picture - plain).max(axis=-1) == 0
    assert 0.8 < inside.mean() < 0.99, "between the outlines the picture is as it was"
    layer.locked_data_level = 2
    fail_level_zero(read_log)
    assert layer.wait_until_settled(30)
    picture = screenshot(viewer)
    assert colours_in(picture) == {2}
    like_reference("tints", picture[40:])  # fonts differ from machine to machine
    layer.locked_data_level = None
    layer.reload()
    pump_until(lambda: layer._stuck)
    layer.display.show_failed = layer.display.show_loading = False
    shown = colours_in(screenshot(viewer))
    assert shown == set(layer._views[0]._legend.legend.levels)
    assert shown
    assert shown <= {1, 2}, "what stands in for what could not be read"
    layer.display.tint_levels = False
    assert colours_in(screenshot(viewer)) == set()
    assert layer._views[0]._legend.legend.levels == ()


def test_outlines_of_channels_lie_within_one_another(
    show, viewer, screenshot, recording_array, pump_until
) -> None:
    layers = [
        show(flat_levels(recording_array), colormap=colour, blending="additive")
        for colour in ("red", "green")
    ]
    assert all(layer.wait_until_settled(30) for layer in layers)
    layers[0].display.tint_levels = layers[1].display.tint_levels = True
    pump_until(lambda: all(layer._views[0]._legend.legend is not None for layer in layers))
    screenshot(viewer)
    layers[1].locked_data_level = 1  # its tiles meet where every second of the first does
    assert layers[1].wait_until_settled(30)
    assert colours_in(screenshot(viewer)) == {0, 1}
    legend = layers[0]._views[0]._legend.legend
    assert legend is layers[1]._views[0]._legend.legend
    assert legend.levels == (0, 1)
    layers[1].visible = False
    screenshot(viewer)
    assert legend.levels == (0,)


def test_neighbouring_levels_have_colours_that_all_people_tell_apart() -> None:
    # As seen without red, green or blue cones (Machado et al. 2009, linear light left aside).
    lacking = np.array(
        [
            np.eye(3),
            [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
            [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
            [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
        ]
    )
    for seen in lacking:
        colours = LEVEL_COLOURS @ seen.T
        steps = np.linalg.norm(colours - np.roll(colours, 1, axis=0), axis=1)
        assert steps.min() > 0.3


def test_failed_is_hatched_and_shows_the_coarser_level(
    show, viewer, screenshot, recording_array, read_log, pump_until, like_reference
) -> None:
    fail_level_zero(read_log)
    layer = show(flat_levels(recording_array))
    pump_until(lambda: layer._stuck)
    assert not layer.settled
    assert layer.progress.failed == layer.progress.ideal
    picture = screenshot(viewer)[100:200, 100:200, :3].astype(int)
    hatched = (picture[..., 0] > picture[..., 1] + 50).mean()
    assert 0.1 < hatched < 0.3
    coarse = (np.abs(picture - picture[..., :1]).max(axis=-1) == 0) & (picture[..., 0] <= 150)
    assert coarse.mean() > 0.6
    layer.display.show_loading = False
    like_reference("failed", screenshot(viewer))
    layer.display.show_failed = False
    plain = screenshot(viewer)[100:200, 100:200, :3].astype(int)
    assert np.ptp(plain, axis=-1).max() == 0, "the coarser picture, and nothing else"


def test_missing_is_plain(show, viewer, screenshot, like_reference) -> None:
    store = zarr.create_array({}, shape=(512, 512), chunks=(64, 64), dtype="u1", fill_value=90)
    store[:64] = 200
    layer = show([store])
    assert layer.wait_until_settled(30)
    assert layer.progress.failed == 0
    picture = screenshot(viewer)[150:250, 150:250, :3]
    assert (picture == 90).all()
    like_reference("missing", screenshot(viewer))


def test_a_frozen_level_stays(show, viewer, look_at, screenshot, recording_array) -> None:
    layer = show(flat_levels(recording_array))
    assert layer.wait_until_settled(30)
    assert layer.data_level == 0
    layer.display.freeze_level = True
    look_at(viewer, CENTER, ZOOM / 5)
    assert layer.wait_until_settled(30)
    assert layer.data_level == 0
    assert screenshot(viewer)[150, 200, 0] == 200
    layer.display.freeze_level = False
    assert layer.wait_until_settled(30)
    assert layer.data_level == 2
    assert screenshot(viewer)[150, 200, 0] == 100


def test_an_untracked_view_keeps_its_chunks(
    show, viewer, look_at, screenshot, recording_array, read_log, let_rest
) -> None:
    layer = show(flat_levels(recording_array, side=2048, levels=4))
    let_rest(layer)
    layer.display.track_view = False
    reads = len(read_log.reads)
    before = set(layer._views[0].tiles.frame._intersection.chunks)
    look_at(viewer, (1500, 1500), ZOOM)
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[150, 200, :3].max() == 0  # nothing is drawn out there
    assert len(read_log.reads) == reads
    assert set(layer._views[0].tiles.frame._intersection.chunks) == before
    layer.display.track_view = True
    assert layer.wait_until_settled(30)
    assert screenshot(viewer)[150, 200, 0] == 200
    assert ChunkKey(0, (23, 23)) in layer._views[0].tiles.frame._intersection.chunks


def on_screen(viewer: Any, pump_until: Any) -> np.ndarray:
    """What a frame for the screen shows, which a screenshot does not: (height, width, 4)."""
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    frames: list[np.ndarray] = []

    def read(event: Any) -> None:
        frames.append(read_pixels(alpha=True))

    canvas.events.draw.connect(read, position="last")
    canvas.update()
    pump_until(lambda: frames)
    frames.clear()  # it may have been asked for before the dot was due
    canvas.update()
    pump_until(lambda: frames)
    canvas.events.draw.disconnect(read)
    return frames[-1]


def test_a_dot_says_that_something_is_to_come(
    show, viewer, screenshot, recording_array, read_log, pump_until, like_reference
) -> None:
    read_log.hold()
    layer = show(flat_levels(recording_array))
    pump_until(lambda: layer._views[0]._notice.late)
    like_reference("loading", on_screen(viewer, pump_until))
    assert not screenshot(viewer)[SIGN][..., :3].any(), "a picture shows the data only"
    read_log.release()
    assert layer.wait_until_settled(30)
    settled = screenshot(viewer)
    layer.display.show_loading = False
    assert (settled == screenshot(viewer)).all()


def test_no_dot_where_it_is_not_wanted(
    show, viewer, screenshot, recording_array, read_log, pump_until
) -> None:
    fail_level_zero(read_log)
    layer = show(flat_levels(recording_array), visible=True)
    layer.display.show_loading = False
    pump_until(lambda: layer._stuck)
    screenshot(viewer)
    assert not layer._views[0]._notice.late
