"""While it loads a picture has no place twice and none blank, and zooming out asks for nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering import _vispy
from napari_octree.rendering.view import layer_view
from recording_array import random_pixels

CONFIG = OctreeConfig(octree={"tile_size": 64}, loader_defaults={"num_workers": 1})


@pytest.fixture
def held(viewer, look_at, read_log, let_rest):
    """`held(layer, zoom)`: show it with nothing finer than its overview, until reads are released.

    So that it does not depend on threads whether the overview comes first.
    """

    def show(layer: OctreeImage, zoom: float) -> None:
        layer.display.show_loading = False
        layer.visible = False  # the view that napari gives to a first layer is loaded at once
        viewer.add_layer(layer)
        look_at(viewer, (210.3, 230.3), 0.5 ** (len(layer.data) - 1))
        layer.visible = True
        let_rest(layer)
        read_log.hold()
        look_at(viewer, (210.3, 230.3), zoom)

    return show


@pytest.mark.parametrize("blending", ["translucent", "additive", "minimum"])
def test_blending_is_exact_at_every_step(
    viewer, held, screenshot, pump_until, recording_array, read_log, blending
) -> None:
    backdrop = np.tile(np.linspace(0, 1, 500, dtype=np.float32), (500, 1))
    viewer.add_layer(Image(backdrop, colormap="magma", contrast_limits=(0, 1)))
    flat = np.full((512, 512), 120, np.uint8)  # the same at all levels: only overlaps would show
    levels = [recording_array(flat[:: 2**k, :: 2**k], (64, 64), f"level {k}") for k in range(4)]
    layer = OctreeImage(
        levels, CONFIG, contrast_limits=(0, 255), opacity=0.5, blending=blending, colormap="green"
    )
    held(layer, 1.1)
    frame: Any = layer._views[0].tiles.frame
    pump_until(lambda: frame.level == 0)
    pictures, shown = [], set()
    while not layer.settled:
        pictures.append(screenshot(viewer))
        assert not len(frame.picture.cover.blank)
        shown.add(frame.progress.resident)
        read_log.release(1)
        pump_until(lambda: read_log.spent or layer.settled)
    settled = screenshot(viewer)
    assert 0 in shown
    assert len(shown) > 2
    assert settled[150, 200, 1] > 40
    for picture in pictures:
        assert np.abs(picture.astype(int) - settled).max() <= 1


def test_zooming_out_neither_flashes_nor_reads_again(
    viewer, look_at, screenshot, recording_array, read_log
) -> None:
    data = np.maximum(random_pixels((1024, 1024), "uint8"), 60)
    levels = [recording_array(data[:: 2**k, :: 2**k], (64, 64), f"level {k}") for k in range(5)]
    layer = viewer.add_layer(OctreeImage(levels, CONFIG, contrast_limits=(0, 255)))
    look_at(viewer, (500.3, 500.3), 1.0)
    assert layer.wait_until_settled(30)
    read_log.hold()
    for step in range(1, 13):
        look_at(viewer, (500.3, 500.3), 0.8**step)
        rows, columns = (
            (c + (np.arange(n) + 0.5 - n / 2) / 0.8**step)
            for c, n in zip(viewer.scene.camera.center[-2:], (300, 400), strict=True)
        )
        inside = np.logical_and.outer(abs(rows - 511.5) < 510, abs(columns - 511.5) < 510)
        assert screenshot(viewer)[inside][:, 0].min() > 50
    read_log.release()
    for step in range(13, -1, -1):
        look_at(viewer, (500.3, 500.3), 0.8**step)
        assert layer.wait_until_settled(30)
    reads = Counter((read.array, str(read.index)) for read in read_log.reads)
    assert max(reads.values()) == 1


def test_an_atlas_keeps_within_gl_s_limit(viewer, monkeypatch) -> None:
    monkeypatch.setattr(_vispy, "get_max_texture_sizes", lambda: (600, 256))
    assert layer_view._vispy is _vispy
    layer = viewer.add_layer(OctreeImage(random_pixels((2048, 2048), "uint8"), CONFIG))
    viewer.scene.camera.zoom = 1.3
    assert layer.wait_until_settled(30)
    pages = layer._views[0].node.atlas.pages
    assert all(300 < max(page.shape[:2]) <= 600 for page in pages)


def interpolated(level: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """A level at fractional rows and columns of its pixels (areas), bilinear, in float64."""
    (r, s), (c, t) = (np.divmod(places - 0.5, 1) for places in (rows, columns))
    r, c = r.astype(int), c.astype(int)

    def at(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        height, width = level.shape
        return level[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)].astype(float)

    upper = (1 - t) * at(r, c) + t * at(r, c + 1)
    lower = (1 - t) * at(r + 1, c) + t * at(r + 1, c + 1)
    return (1 - s) * upper + s * lower


def test_linear_interpolation_knows_no_borders_while_it_loads(
    viewer, held, screenshot, pump, pump_until, recording_array, read_log
) -> None:
    """Each place is its own level's, interpolated as if that level were one array."""
    data = [random_pixels((512 >> k,) * 2, "uint8", k) for k in range(3)]
    levels = [recording_array(pixels, (64, 64), f"level {k}") for k, pixels in enumerate(data)]
    layer = OctreeImage(levels, CONFIG, contrast_limits=(0, 255), interpolation2d="linear")
    held(layer, 3.2 / 3)
    (view,) = layer._views
    frame = view.tiles.frame
    y, x = (
        center + (np.arange(n) + 0.5 - n / 2) / viewer.scene.camera.zoom + 0.5
        for center, n in zip(viewer.scene.camera.center[-2:], (300, 400), strict=True)
    )
    y, x = np.meshgrid(y, x, indexing="ij")
    mixtures: set[tuple[int, ...]] = set()

    def check() -> None:
        while True:  # until a picture is of what is known
            quads, drawn = frame.picture.quads, frame.picture.cover
            picture = screenshot(viewer)[..., 0].astype(int)
            if frame.picture.quads is quads and drawn is not None:
                break
        mixtures.add(tuple(sorted({chunk.level for chunk in drawn.chunks})))
        slots, place = view.tiles.node.atlas.slots, layer.octree_slice.key
        for rectangle, chunk in zip(drawn.rectangles, drawn.chunks, strict=True):
            y0, x0, y1, x1 = rectangle
            inside = (y > y0) & (y < y1) & (x > x0) & (x < x1)
            factor = 2.0**chunk.level
            rows, columns = y[inside] / factor, x[inside] / factor
            expected = interpolated(data[chunk.level], rows, columns)
            known = np.ones(len(rows), bool)
            if not slots[place, chunk].complete:  # what lies beyond the tile is not there yet
                for places, n in ((rows, chunk.index[0]), (columns, chunk.index[1])):
                    known &= np.abs(places - 64 * n - 32) < 31.5
            wrong = np.abs(picture[inside] - np.round(expected))[known]
            assert wrong.max(initial=0) <= 1, chunk

    while not layer.settled:
        read_log.release(2)
        pump_until(lambda: read_log.spent or layer.settled)
        pump()
        check()
    check()
    assert (0,) in mixtures
    assert any(len(levels) > 1 and 0 in levels for levels in mixtures)
