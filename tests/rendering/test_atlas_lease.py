"""Atlases grow, shrink and are given back; replacing one blanks nothing; the budget is shared."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering.gpu.vram import VRAM, VramLedger
from napari_octree.rendering.tiles.atlas_lease import FIRST_SIDE, AtlasLease
from napari_octree.rendering.tiles.picture.tile_picture import TilePicture


def levels(side: int = 2048) -> list[np.ndarray]:
    data = np.random.default_rng(0).integers(60, 255, (side, side), dtype=np.uint8)
    return [data, data[::2, ::2].copy(), data[::4, ::4].copy()]


def atlas(layer: OctreeImage) -> Any:
    return layer._views[0].tiles.node.atlas


def resize(viewer: Any, pump_until: Any, width: int, height: int) -> None:
    canvas = viewer.window._qt_viewer.canvas
    canvas.native.setFixedSize(width, height)
    pump_until(lambda: tuple(canvas.size) == (height, width))


SMALL_TILES = OctreeConfig(octree={"tile_size": 32}, render={"upload_ms": 0.05})
"""An atlas is soon too small for these, and a frame uploads only a few of them."""


def blank(picture: np.ndarray) -> float:
    """The share of the canvas that nothing was drawn to."""
    return float((picture[..., :3].max(axis=-1) < 30).mean())


@pytest.fixture
def small_start(monkeypatch) -> None:
    """Atlases begin with 4 slots a side, and so have to grow in a window of usual size."""
    from napari_octree.rendering.tiles import atlas_lease

    real = atlas_lease.slots_a_side

    def small(tile, apron, texel, needed, vram, side, least) -> int:
        return min(real(tile, apron, texel, needed, vram, side, least), 4 if needed < 300 else 64)

    monkeypatch.setattr(atlas_lease, "slots_a_side", small)


def replace_atlas(layer: OctreeImage, pictures: Any) -> list[Any]:
    """Ask for an apron of 9 texels, and look until all is there: what was seen meanwhile."""
    layer.custom_interpolation_kernel_2d = np.ones((1, 17)) / 17
    layer.interpolation2d = "custom"
    seen = [pictures()]
    while not layer.settled:
        seen.append(pictures())
    return seen


@pytest.fixture
def settled(viewer) -> OctreeImage:
    layer = viewer.add_layer(OctreeImage(levels(), config=SMALL_TILES, contrast_limits=(0, 255)))
    viewer.scene.camera.zoom = 1.3
    viewer.scene.camera.center = (0, 1000, 1000)
    assert layer.wait_until_settled(30)
    return layer


def test_the_log_tells_what_the_card_holds(viewer, caplog) -> None:
    with caplog.at_level(logging.DEBUG, "napari_octree.rendering"):
        layer = viewer.add_layer(OctreeImage(levels(256), contrast_limits=(0, 255)))
        assert layer.wait_until_settled(30)
    own = [record.message for record in caplog.records if record.name == "napari_octree.rendering"]
    assert any(message.startswith("an atlas of ") for message in own)


def test_another_atlas_blanks_nothing(settled, viewer, screenshot, pump) -> None:
    before, shown = atlas(settled), []

    def look() -> float:
        pump()
        part = blank(screenshot(viewer))
        shown.append(atlas(settled))
        return part

    assert max(replace_atlas(settled, look)) == 0
    assert shown.count(before) > 1  # the former one was drawn for a while
    assert shown[-1] is not before
    assert settled._views[0].tiles.lease.nbytes == atlas(settled).nbytes


def test_at_once_it_would_blank(settled, viewer, screenshot, pump, monkeypatch) -> None:
    stage = TilePicture.stage

    def at_once(self: Any, *new: Any) -> None:
        self.let_go()
        stage(self, *new)

    monkeypatch.setattr(TilePicture, "stage", at_once)

    def look() -> float:
        part = blank(screenshot(viewer))
        pump()
        return part

    assert max(replace_atlas(settled, look)) > 0.5


def test_shrinking_gives_memory_back(make_viewer, pump_until, small_start) -> None:
    viewer = make_viewer((300, 400))
    layer = viewer.add_layer(OctreeImage(levels(), config=SMALL_TILES))
    assert layer.wait_until_settled(30)
    large = layer._views[0].tiles.lease.nbytes
    resize(viewer, pump_until, 60, 60)
    assert layer.wait_until_settled(30)
    pump_until(lambda: layer._views[0].tiles.lease.nbytes < large)
    assert layer.wait_until_settled(30)


def test_layers_and_viewers_share_the_budget(make_viewer, screenshot) -> None:
    limit = 24 * 2**20
    config = OctreeConfig(memory={"vram_bytes": limit})
    held = VRAM.held_bytes
    layers = []
    for viewer in (make_viewer(), make_viewer()):
        for _ in range(3):
            layers.append(viewer.add_layer(OctreeImage(levels(), config=config)))
            assert layers[-1].wait_until_settled(30)
    assert VRAM.held_bytes - held <= limit
    total = sum(view.vram_bytes for each in layers for view in each.statistics.views)
    assert total == VRAM.held_bytes - held
    viewer.layers.clear()
    assert VRAM.held_bytes - held < total


def test_a_canvas_that_needs_more_than_there_is_gets_coarser_tiles(make_viewer) -> None:
    config = OctreeConfig(octree={"tile_size": 32}, memory={"vram_bytes": 2**20})
    viewer = make_viewer((1000, 1400))
    layer = viewer.add_layer(OctreeImage(levels(4096), config=config))
    viewer.scene.camera.zoom = 1.3
    assert layer.wait_until_settled(60)
    assert layer.data_level > 0
    assert layer._views[0].tiles.lease.nbytes <= 2**20


def test_the_first_atlas_grows_once_nobody_waits(
    viewer, recording_array, read_log, screenshot, pump_until, let_rest, monkeypatch
) -> None:
    asked, grow = [], AtlasLease.grow
    monkeypatch.setattr(AtlasLease, "grow", lambda lease, tiles: asked.append(tiles))
    arrays = [recording_array(level, (256, 256), f"{k}") for k, level in enumerate(levels(4096))]
    layer = viewer.add_layer(OctreeImage(arrays, contrast_limits=(0, 255)))
    let_rest(layer)
    (view,) = layer._views
    first, picture = atlas(layer), screenshot(viewer)
    assert asked
    assert first.grid[0] == FIRST_SIDE
    monkeypatch.setattr(AtlasLease, "grow", grow)
    view.request_frame()
    settled = []

    def grown() -> bool:
        settled.append(layer.settled)
        assert (screenshot(viewer) == picture).all()
        return atlas(layer) is not first

    pump_until(grown)
    assert all(settled)
    assert atlas(layer).grid[0] == 4096 // 256
    assert not view.tiles.lease.opening
    assert (screenshot(viewer) == picture).all()
    chunks = [(read.array, str(read.index)) for read in read_log.reads]
    assert len(chunks) == len(set(chunks))  # it was filled from RAM


def test_a_small_image_needs_no_more(viewer, pump, pump_until) -> None:
    layer = viewer.add_layer(OctreeImage(levels(1024)))
    assert layer.wait_until_settled(30)
    pump_until(lambda: not layer._views[0]._rest.running)
    pump()
    assert atlas(layer).grid[0] == FIRST_SIDE


def test_a_view_of_many_tiles_does_not_wait_for_that(make_viewer, look_at, monkeypatch) -> None:
    monkeypatch.setattr(AtlasLease, "grow", lambda lease, tiles: False)
    viewer = make_viewer((600, 800))
    layer = viewer.add_layer(OctreeImage(levels(4096)))
    assert layer.wait_until_settled(30)
    assert layer._views[0].tiles.lease.opening
    look_at(viewer, (2000.3, 2000.4), 0.51)
    assert layer.wait_until_settled(30)
    assert layer.data_level == 0
    assert not layer._views[0].tiles.lease.opening


def test_what_a_viewer_goes_through(viewer, screenshot, pump, look_at) -> None:
    layer = viewer.add_layer(OctreeImage(levels(1024), contrast_limits=(0, 255)))

    def picture() -> np.ndarray:
        look_at(viewer, (500.3, 400.4), 1.3)
        assert layer.wait_until_settled(30)
        return screenshot(viewer)

    before = picture()
    held = VRAM.held_bytes
    viewer.dims.ndisplay = 3
    pump()
    assert layer._views[0].tiles.lease.nbytes == 0  # the tiles' atlas is given back
    assert 0 < VRAM.held_bytes < held  # bricks of one plane take less
    viewer.dims.ndisplay = 2
    assert (picture() == before).all()
    layer.visible = False
    pump()
    layer.visible = True
    assert (picture() == before).all()
    viewer.canvas.grid.enabled = True
    pump()
    viewer.canvas.grid.enabled = False
    assert (picture() == before).all()
    window = viewer.window._qt_window
    window.hide()
    pump()
    window.show()
    assert (picture() == before).all()
    viewer.window._qt_viewer.dockLayerList.setVisible(True)
    viewer.window._qt_viewer.dockLayerList.setFloating(True)
    pump()
    viewer.window._qt_viewer.dockLayerList.setFloating(False)
    viewer.window._qt_viewer.dockLayerList.setVisible(False)
    assert (picture() == before).all()
    assert VRAM.held_bytes == held


def test_changes_of_looks_upload_nothing(viewer, pump) -> None:
    layer = viewer.add_layer(OctreeImage(levels(1024)))  # small: the atlas need not grow
    assert layer.wait_until_settled(30)
    uploads = layer.statistics.views[0].uploads
    for change, values in {
        "contrast_limits": [(10, 20), (0, 200)],
        "gamma": [0.5, 2.0],
        "colormap": ["viridis", "gray"],
        "opacity": [0.4, 1.0],
        "blending": ["additive", "translucent"],
        "interpolation2d": ["linear", "lanczos", "nearest"],
    }.items():
        for value in values:
            setattr(layer, change, value)
            assert layer.wait_until_settled(30)
            pump()
    assert layer.statistics.views[0].uploads == uploads


def test_the_ledger() -> None:
    ledger, one, two = VramLedger(), object(), object()
    ledger.take(one, 60)
    assert ledger.room(two, 100) == 40
    assert ledger.available(two, 100) == 20
    assert ledger.room(one, 100) == 100
    ledger.release(one)
    assert ledger.held_bytes == 0
