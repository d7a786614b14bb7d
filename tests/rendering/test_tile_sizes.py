"""Tiles of several sizes in one atlas, atlases of several textures, tiles that go band by band."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage, OctreeLabels
from napari_octree.layers.slices.slice_key import TileKey
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.rendering import _vispy
from napari_octree.rendering.gpu.vram import VRAM
from napari_octree.rendering.tiles import tile_uploads
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.tiles.atlas.tile_slots import TileSlots

EQUAL_TILES = OctreeConfig(octree={"tile_size": 256})


def noise(side: int, dtype: str = "u1") -> np.ndarray:
    return np.random.default_rng(side).integers(60, 255, (side, side)).astype(dtype)


def halved(data: np.ndarray, levels: int) -> list[np.ndarray]:
    found = [data]
    for _ in range(levels - 1):
        found.append(found[-1][::2, ::2].copy())
    return found


def atlas_of(layer: Any) -> TextureAtlas2D:
    return layer._views[0].tiles.node.atlas


def key(number: int) -> TileKey:
    return TileKey("place", ChunkKey(0, (number, 0)))  # type: ignore[arg-type]


def add(slots: TileSlots, number: int, protected: Any = ()) -> Any:
    return slots.add(key(number), (1, 1), True, protected)


def test_a_large_tile_takes_a_block_and_gives_it_back() -> None:
    slots = TileSlots((4, 5), pages=2)
    for number in range(40):
        add(slots, number)
    slots.touch(np.array([7, 1]))  # the first block of the first page is drawn now
    slot, evicted = slots.add_block(key(100), (2, 2), (2, 2), ())
    assert slots.members(slot.number).tolist() == [3, 4, 8, 9]
    assert evicted == [key(n) for n in (3, 4, 8, 9)]
    assert key(100) not in slots
    slots.finish(key(100), True)
    assert slots[key(100)].number == 3
    protected = {key(100), *(key(n) for n in range(40))}
    assert add(slots, 41, protected) == (None, None)
    assert add(slots, 41, protected - {key(100)})[1] == key(100)
    assert {add(slots, n, protected)[0].number for n in (42, 43, 44)} == {4, 8, 9}
    assert add(slots, 45, {*protected, *map(key, range(41, 45))}) == (None, None)


def test_of_protected_tiles_a_large_one_displaces_the_fewest() -> None:
    slots = TileSlots((2, 4))
    for number in range(8):
        add(slots, number)
    protected = {key(n) for n in (0, 1, 2)}
    slot, evicted = slots.add_block(key(9), (2, 2), (2, 2), protected)
    assert slot.number == 2
    assert evicted == [key(n) for n in (2, 3, 6, 7)]
    slots.finish(key(9), True)
    slots.add_block(key(9), (2, 2), (2, 2), {key(9)})  # a newer version, elsewhere
    assert slots[key(9)].number == 2
    assert slots.finish(key(9), True).number == 0
    assert slots.add_block(key(10), (3, 3), (3, 3), ()) == (None, [])


def look(viewer: Any, zoom: float, y: float, x: float) -> None:
    viewer.scene.camera.zoom = zoom
    viewer.scene.camera.center = (0, y, x)


def shown(viewer: Any, screenshot: Any, layer: Any, zoom: float, at: float = 1000.37) -> Any:
    look(viewer, zoom, at, at)
    screenshot(viewer)
    assert layer.wait_until_settled(30)
    return screenshot(viewer)


def other_tiles(viewer: Any, screenshot: Any, make: Callable[..., Any], zooms: Any) -> list[Any]:
    """What stock-sized tiles show: the truth here."""
    layer = viewer.add_layer(make(config=EQUAL_TILES))
    pictures = [shown(viewer, screenshot, layer, zoom) for zoom in zooms]
    viewer.layers.clear()
    return pictures


def test_a_coarsest_level_in_memory_is_one_tile_beside_others(viewer, screenshot) -> None:
    levels, zooms = halved(noise(2048, "u2"), 2), (0.213, 0.567, 1.13)

    def make(config: Any = None) -> OctreeImage:
        return OctreeImage(levels, config=config, contrast_limits=(0, 255))

    truth = other_tiles(viewer, screenshot, make, zooms)
    layer = viewer.add_layer(make())
    for zoom, expected in zip(zooms, truth, strict=True):
        np.testing.assert_array_equal(shown(viewer, screenshot, layer, zoom), expected)
    octree = layer.octree_slice.octree
    assert octree.coarsest.grid_shape == (1, 1)
    assert octree.levels[0].tile_shape == (256, 256)
    atlas = atlas_of(layer)
    (root,) = (slot for tile, slot in atlas.slots._slots.items() if tile.chunk.level == 1)
    assert root.shape == (1024 + 2 * atlas.apron,) * 2
    assert len(atlas.slots.members(root.number)) == 16
    assert len({slot.shape for slot in atlas.slots._slots.values()}) > 1


def test_a_tile_is_a_chunk_or_a_part_of_one(recording_array) -> None:
    def side(chunk: int | tuple[int, int]) -> int:
        chunks = (chunk, chunk) if isinstance(chunk, int) else chunk
        layer = OctreeImage([recording_array(np.zeros((9000, 9000), "u1"), chunks)])
        return layer.octree_slice.octree.levels[0].tile_shape[0]

    sides = {64: 256, 100: 300, 256: 256, 300: 300, 512: 512, 1000: 500, 2048: 512, 1031: 256}
    assert {chunk: side(chunk) for chunk in sides} == sides
    assert side((1, 9000)) == side((9000, 9000)) == side((512, 256)) == 256


def test_a_coarsest_level_of_several_chunks_is_several_tiles(recording_array) -> None:
    def grid(chunk: int) -> tuple[int, ...]:
        levels = [recording_array(a, (chunk, chunk)) for a in halved(noise(1600), 2)]
        return OctreeImage(levels).octree_slice.octree.coarsest.grid_shape

    assert grid(256) == (4, 4)
    assert grid(800) == (1, 1)


@pytest.mark.parametrize("kind", ["image", "outlines"])
def test_where_a_texture_cannot_be_large_there_are_several(
    viewer, screenshot, monkeypatch, kind
) -> None:
    levels, zooms = halved(noise(2048) // (1 if kind == "image" else 40), 3), (0.313, 1.13)

    def make(config: Any = None) -> Any:
        config = config or OctreeConfig(octree={"tile_size": 64})
        if kind == "image":
            return OctreeImage(levels, config=config, contrast_limits=(0, 255))
        layer = OctreeLabels(levels, config=config)
        layer.contour = 2
        return layer

    truth = other_tiles(viewer, screenshot, make, zooms)
    monkeypatch.setattr(_vispy, "get_max_texture_sizes", lambda: (450, 450))
    layer = viewer.add_layer(make())
    for zoom, expected in zip(zooms, truth, strict=True):
        np.testing.assert_array_equal(shown(viewer, screenshot, layer, zoom), expected)
    assert layer.data_level == 0
    atlas = atlas_of(layer)
    assert max(atlas.extent) <= 450
    assert len(atlas.pages) > 1
    assert len(set((layer._views[0].tiles.frame.picture.quads.pages).tolist())) > 1
    assert layer._views[0].tiles.lease.nbytes == atlas.nbytes
    held = VRAM.held_bytes
    viewer.layers.clear()
    assert VRAM.held_bytes <= held - atlas.nbytes


def test_a_large_tile_goes_band_by_band_and_is_shown_whole(
    viewer, screenshot, monkeypatch, pump
) -> None:
    monkeypatch.setattr(tile_uploads, "BAND_BYTES", 2**14)
    budget = OctreeConfig(render={"upload_ms": 0.001, "upload_ms_moving": 0.001})
    layer = viewer.add_layer(OctreeImage(noise(1500), config=budget, contrast_limits=(0, 255)))
    seen = []
    while not layer.settled:
        canvas = viewer.window._qt_viewer.canvas._scene_canvas
        canvas.update()
        pump()
        seen.append(layer._views[0].tiles.frame._uploads.busy)
    assert sum(seen) > 10  # a band a frame
    (view,) = layer.statistics.views
    assert view.uploads >= 1500**2 / 2**14
    picture = shown(viewer, screenshot, layer, 1.13)
    viewer.layers.clear()
    layer = viewer.add_layer(
        OctreeImage(noise(1500), config=EQUAL_TILES, contrast_limits=(0, 255))
    )
    np.testing.assert_array_equal(shown(viewer, screenshot, layer, 1.13), picture)


def test_many_small_images_keep_to_the_limit(viewer, screenshot) -> None:
    limit, held = 24 * 2**20, VRAM.held_bytes
    config = OctreeConfig(memory={"vram_bytes": limit + held})
    data = noise(1000)
    layers = [
        viewer.add_layer(
            OctreeImage(
                data,
                config=config,
                contrast_limits=(0, 255),
                translate=(1100 * (n // 8), 1100 * (n % 8)),
            )
        )
        for n in range(64)
    ]
    viewer.reset_view()
    for layer in layers:
        assert layer.wait_until_settled(60)
    assert VRAM.held_bytes - held <= limit
    whole = [layer._views[0].tiles.slices.is_whole for layer in layers]
    assert 0 < sum(whole) < 64  # 64 images of a million bytes do not fit
    picture = screenshot(viewer)[..., :3].max(axis=-1)
    assert (picture > 60).mean() > 0.4  # those without a texture of their own are seen too
