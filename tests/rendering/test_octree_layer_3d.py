"""3-D in a viewer: equal to stock when settled, and what a user does on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from napari.utils import Colormap

from brick_scene import halved, smooth_volume
from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering.gpu.vram import VRAM
from napari_octree.rendering.volume import texture_atlas_3d
from napari_octree.rendering.volume.quality.motion_quality import TARGET_MS
from napari_octree.rendering.volume.volume_drawing import VolumeDrawing

SIZE = 64
SMALL_BRICKS = OctreeConfig(octree={"brick_size": 16})


def levels_of(volume: np.ndarray, count: int = 3) -> list[np.ndarray]:
    levels = [volume]
    while len(levels) < count:
        levels.append(halved(levels[-1]))
    return levels


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    return (smooth_volume(SIZE) * 60000).astype(np.uint16)


@pytest.fixture(scope="module")
def lent_with_controls() -> bool:
    return False


@pytest.fixture(scope="module")
def lent_canvas_shape() -> tuple[int, int]:
    return (200, 200)


@pytest.fixture
def viewer(lent_viewer: Any) -> Any:
    lent_viewer.dims.ndisplay = 3
    return lent_viewer


@pytest.fixture
def look(viewer: Any, pump: Callable[[], None]) -> Callable[..., None]:
    """Turn and place the camera."""

    def at(centre: tuple[float, ...] = (SIZE / 2,) * 3, zoom: float = 2.1) -> None:
        camera = viewer.scene.camera
        camera.angles, camera.zoom, camera.center = (10, 35, 60), zoom, centre
        pump()

    return at


@pytest.fixture
def shoot(viewer: Any, look: Callable[..., None], screenshot: Any) -> Callable[..., np.ndarray]:
    """Add a layer, look, settle, take the picture, remove the layer."""

    def run(layer: Image, prepare: Callable[[Image], None] = lambda layer: None) -> np.ndarray:
        viewer.add_layer(layer)
        prepare(layer)
        look()
        if isinstance(layer, OctreeImage):
            assert layer.wait_until_settled(30)
            assert layer.progress.ideal == layer.progress.resident > 0
        picture = screenshot(viewer).astype(int)
        viewer.layers.remove(layer)
        return picture

    return run


def assert_equal(stock: np.ndarray, ours: np.ndarray) -> None:
    assert stock.std() > 5, "nothing to compare"
    difference = np.abs(stock - ours).max(axis=-1)
    assert difference.mean() <= 0.01
    assert (difference > 2).mean() <= 0.001


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"scale": (2, 1, 1.5), "rotate": (10, 20, 30)},
        {"affine": [[1, 0.1, 0, 3], [0, 1, 0.2, 0], [0, 0, 1, 1], [0, 0, 0, 1]]},
        {"rendering": "attenuated_mip", "gamma": 0.7, "blending": "additive", "opacity": 0.6},
        {"depiction": "plane", "plane": {"position": (32,) * 3, "normal": (1, 0.4, 0.2)}},
        {
            "scale": (1.5, 1, 1),
            "experimental_clipping_planes": [
                {"position": (32, 32, 32), "normal": (0.2, 1, 0.3), "enabled": True}
            ],
        },
    ],
    ids=lambda keywords: "-".join(keywords) or "plain",
)
def test_equal_to_stock(shoot: Any, volume: np.ndarray, keywords: dict[str, Any]) -> None:
    limits = (5000, 50000)
    stock = shoot(Image(volume, contrast_limits=limits, **keywords))
    layer = OctreeImage(levels_of(volume), config=SMALL_BRICKS, contrast_limits=limits, **keywords)
    assert_equal(stock, shoot(layer))


def test_iso_at_once_where_stock_has_it(shoot: Any, volume: np.ndarray) -> None:
    def whole_range(layer: Image) -> None:
        # Stock takes the slider's range for the type's, and notices only what changes.
        layer.contrast_limits_range = (0, 65535)
        layer.iso_threshold = 30000

    limits = (5000, 50000)
    stock = shoot(Image(volume, contrast_limits=limits, rendering="iso"), whole_range)
    ours = OctreeImage(
        levels_of(volume),
        config=SMALL_BRICKS,
        contrast_limits=limits,
        rendering="iso",
        iso_threshold=30000,
    )
    assert_equal(stock, shoot(ours))


def test_colour_volumes(shoot: Any) -> None:
    grey = smooth_volume(SIZE)
    colour = (np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1) * 255).astype(np.uint8)
    levels = [colour, colour[::2, ::2, ::2].copy()]
    stock = shoot(Image(colour, rgb=True))
    assert_equal(stock, shoot(OctreeImage(levels, rgb=True, config=SMALL_BRICKS)))


def test_signed_and_float_types(shoot: Any) -> None:
    grey = smooth_volume(SIZE)
    signed = (grey * 20000 - 10000).astype(np.int16)
    stock = shoot(Image(signed.astype(np.float32), contrast_limits=(-8000, 8000)))
    ours = OctreeImage([signed], config=SMALL_BRICKS, contrast_limits=(-8000, 8000))
    assert_equal(stock, shoot(ours))
    double = OctreeImage([grey.astype(np.float64)], config=SMALL_BRICKS, contrast_limits=(0, 1))
    assert_equal(shoot(Image(grey, contrast_limits=(0, 1))), shoot(double))


def test_thin_and_flat_data(shoot: Any, volume: np.ndarray) -> None:
    thin = volume[30:37]
    stock = shoot(Image(thin, contrast_limits=(0, 60000), scale=(5, 1, 1)))
    assert_equal(stock, shoot(OctreeImage([thin], contrast_limits=(0, 60000), scale=(5, 1, 1))))


def test_there_and_back(
    viewer: Any, look: Any, pump: Any, volume: np.ndarray, screenshot: Any
) -> None:
    layer = OctreeImage(levels_of(volume), config=SMALL_BRICKS, contrast_limits=(0, 60000))
    viewer.add_layer(layer)
    look()
    assert layer.wait_until_settled(30)
    first = screenshot(viewer)
    viewer.dims.ndisplay = 2
    pump()
    assert layer.wait_until_settled(30)
    (view,) = layer._views
    held = VRAM.held_bytes
    assert held == view.tiles.lease.nbytes > 0, "bricks hold nothing while tiles are shown"
    viewer.dims.ndisplay = 3
    look()
    assert layer.wait_until_settled(30)
    assert (screenshot(viewer) == first).all()


def test_an_atlas_that_grows_shows_what_one_shows_that_did_not(
    viewer: Any, look: Any, volume: np.ndarray, screenshot: Any
) -> None:
    pictures: list[np.ndarray] = []
    for first_zoom in (2.1, 0.4):
        layer = OctreeImage(levels_of(volume), config=SMALL_BRICKS, contrast_limits=(0, 60000))
        viewer.add_layer(layer)
        look(zoom=first_zoom)
        assert layer.wait_until_settled(30)
        (view,) = layer._views
        held = VRAM.held_bytes
        if pictures:
            layers_of_slots = view.node.atlas.grid[0]
            viewer.scene.camera.zoom = 2.1
            # Nothing was drawn between: it grows while the picture is taken, and loses nothing.
            meanwhile = screenshot(viewer)
            assert view.node.atlas.grid[0] > layers_of_slots
            assert VRAM.held_bytes > held
            assert abs(meanwhile[..., :3].mean() - pictures[0][..., :3].mean()) < 2
            assert layer.wait_until_settled(30)
        pictures.append(screenshot(viewer))
        viewer.layers.remove(layer)
    assert pictures[0][..., :3].std() > 5
    assert (pictures[0] == pictures[1]).all()


def test_quiet_when_settled(viewer: Any, look: Any, pump: Any, volume: np.ndarray) -> None:
    layer = OctreeImage(levels_of(volume), config=SMALL_BRICKS, contrast_limits=(0, 60000))
    viewer.add_layer(layer)
    look()
    assert layer.wait_until_settled(30)
    pump()
    (before,) = layer.statistics.views
    pump()
    (after,) = layer.statistics.views
    assert after.frames == before.frames
    layer.contrast_limits = (1000, 30000)
    layer.gamma = 0.5
    pump()
    (changed,) = layer.statistics.views
    assert changed.frames > after.frames
    assert changed.uploads == after.uploads
    assert changed.plans == after.plans


def test_loading_goes_on_between_frames_that_are_expensive(
    viewer: Any, look: Any, pump_until: Any, volume: np.ndarray, monkeypatch: Any
) -> None:
    # As if a frame had taken so long that the next one is far off.
    monkeypatch.setattr(VolumeDrawing, "wait_ms", lambda self, now: 100_000)
    layer = OctreeImage(levels_of(volume), config=SMALL_BRICKS, contrast_limits=(0, 60000))
    viewer.add_layer(layer)
    look()
    (view,) = layer._views
    pump_until(lambda: view.statistics.resident == view.volume.frame.progress.ideal + 9)
    view._patience.stop()
    monkeypatch.undo()
    view.request_frame()
    assert layer.wait_until_settled(30)


def test_what_arrives_waits_after_an_expensive_frame_also_if_it_came_during_that(
    viewer: Any, look: Any, volume: np.ndarray, monkeypatch: Any
) -> None:
    layer = OctreeImage(levels_of(volume), config=SMALL_BRICKS, contrast_limits=(0, 60000))
    viewer.add_layer(layer)
    look()
    assert layer.wait_until_settled(30)
    (view,) = layer._views
    drawing = view.volume
    monkeypatch.setattr(VolumeDrawing, "_loading", True)
    now = time.perf_counter()
    frames = drawing.refinement.frames
    frames.begin(now - 2.001)
    frames.end(now - 2)  # a cheap one
    drawing.prepare(now - 1)  # of which it is not yet told that it has ended
    assert 1000 < drawing.refine(now) < 10_000
    # Where there is no room for more but in a larger atlas, which only a frame makes, none waits.
    monkeypatch.setattr(VolumeDrawing, "more", True)
    assert drawing.refine(now) == 0
    monkeypatch.undo()
    assert drawing.refine(now) == 0  # nothing is to come
    assert layer.wait_until_settled(30)


def test_layers_share_the_gpu_s_memory(
    viewer: Any, look: Any, volume: np.ndarray, monkeypatch: Any, fast_frames: None
) -> None:
    limit = 2 * 2**20
    config = OctreeConfig(octree={"brick_size": 16}, memory={"vram_bytes": limit})
    held: list[int] = []
    take = VRAM.take

    def note(owner: object, nbytes: int) -> None:
        take(owner, nbytes)
        held.append(VRAM.held_bytes)

    def grow(texture: Any, resize: Callable[[], None]) -> bool:
        kept = extend(texture, resize)
        held.append(VRAM.held_bytes + int(np.prod(texture.shape)) * 2)  # for a while both
        return kept

    extend = texture_atlas_3d.extend
    monkeypatch.setattr(VRAM, "take", note)
    monkeypatch.setattr(texture_atlas_3d, "extend", grow)
    layers = [
        OctreeImage(levels_of(volume), config=config, contrast_limits=(0, 60000), name=str(i))
        for i in range(3)
    ]
    for layer in layers:
        viewer.add_layer(layer)
    look(zoom=0.4)
    for layer in layers:
        assert layer.wait_until_settled(30)
        layer.visible = False
    slots = []
    for layer in layers:  # one grows after the other
        layer.visible = True
        look(zoom=2.1)
        assert layer.wait_until_settled(30)
        (view,) = layer.statistics.views
        assert 9 <= view.resident <= view.slots
        slots.append(view.slots)
        layer.visible = False
    assert max(held) <= limit
    kept = [view.slots for layer in layers for view in layer.statistics.views]
    assert kept == slots, "whoever came first keeps what it has"
    assert slots[0] > slots[-1], "and the last has to do with less"


PLACES: dict[str, dict[str, Any]] = {
    "plain": {},
    "scaled": {"scale": (2, 0.5, 1.5), "translate": (-40, 7, 300)},
    "turned": {"rotate": (10, 20, 30), "scale": (1, 3, 1)},
    "mirrored": {"scale": (-1, 1, -2), "shear": (0.2, 0, 0.1)},
    "transposed": {"scale": (3, 1, 2)},
}


@pytest.mark.parametrize("place", PLACES)
def test_picking_tells_what_stock_tells(viewer: Any, look: Any, place: str) -> None:
    rng = np.random.default_rng(0)
    volume = rng.permutation(24 * 40 * 36).reshape(24, 40, 36).astype(np.uint16)
    limits = {"contrast_limits": (0, 30000), **PLACES[place]}
    stock = viewer.add_layer(Image(volume, **limits))
    ours = viewer.add_layer(OctreeImage([volume], config=SMALL_BRICKS, **limits))
    if place == "transposed":
        viewer.dims.order = (2, 0, 1)
    viewer.reset_view()
    look(viewer.scene.camera.center, 2.1)
    ours.locked_data_level = 0
    assert ours.wait_until_settled(30)
    low, high = stock.extent.world
    axes = list(viewer.dims.displayed)
    lines = []
    for _ in range(40):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        where = {"view_direction": direction, "dims_displayed": axes, "world": True}
        lines.append((rng.uniform(low, high), where))
    met = 0
    for mode in ("mip", "minip", "average", "additive", "translucent", "attenuated_mip", "iso"):
        for layer in (stock, ours):
            layer.rendering, layer.iso_threshold = mode, 34000
        for position, where in lines:
            expected, found = (layer.get_value(position, **where) for layer in (stock, ours))
            if expected is None:
                assert found is None
            else:
                assert found == (0, expected)
                met += 1
        for position, where in lines[:5]:
            ends, theirs = (
                layer.get_ray_intersections(position, **where) for layer in (ours, stock)
            )
            np.testing.assert_array_equal(ends[0], theirs[0])
            np.testing.assert_array_equal(ends[1], theirs[1])
    assert met > 100
    outside = np.asarray(high) + 1000
    assert ours.get_value(outside, **lines[0][1]) == stock.get_value(outside, **lines[0][1])


def test_picking_coarser_levels_tells_what_stock_tells_of_them(viewer: Any, look: Any) -> None:
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 60000, (32, 32, 64)).astype(np.uint16)
    levels = [fine, fine[::2, ::2, ::2].copy(), fine[::4, ::4, ::4].copy()]
    limits = {"contrast_limits": (0, 60000), "scale": (2, 2, 1)}
    stock = viewer.add_layer(Image(levels, multiscale=True, **limits))
    ours = viewer.add_layer(OctreeImage(levels, config=SMALL_BRICKS, **limits))
    look((32,) * 3)
    for level in (2, 1):
        stock.locked_data_level = ours.locked_data_level = level
        assert ours.wait_until_settled(30)
        for _ in range(30):
            direction = rng.normal(size=3)
            where = {
                "view_direction": direction / np.linalg.norm(direction),
                "dims_displayed": [0, 1, 2],
                "world": True,
            }
            position = rng.uniform(*stock.extent.world)
            assert ours.get_value(position, **where) == stock.get_value(position, **where)


def test_picking_a_thick_slice_tells_what_stock_tells(viewer: Any, look: Any) -> None:
    rng = np.random.default_rng(0)
    movie = rng.integers(0, 60000, (5, 20, 20, 20)).astype(np.uint16)
    for mode in ("mean", "max", "sum"):
        limits = {"contrast_limits": (0, 60000), "projection_mode": mode, "rendering": "average"}
        stock = viewer.add_layer(Image(movie, **limits))
        ours = viewer.add_layer(OctreeImage([movie], config=SMALL_BRICKS, **limits))
        viewer.dims.set_point(0, 2)
        viewer.dims.thickness = (3, 0, 0, 0)
        look((10,) * 3)
        assert ours.wait_until_settled(30)
        for _ in range(5):
            direction = np.r_[0, rng.normal(size=3)]
            where = {
                "view_direction": direction / np.linalg.norm(direction),
                "dims_displayed": [1, 2, 3],
                "world": True,
            }
            position = np.r_[2, rng.uniform(0, 20, 3)]
            _, value = ours.get_value(position, **where)
            assert value == pytest.approx(stock.get_value(position, **where), rel=1e-6)
        viewer.layers.clear()


def test_moving_is_coarse_and_resting_full(
    viewer: Any, look: Any, pump: Any, pump_until: Any, volume: np.ndarray, screenshot: Any
) -> None:
    layer = OctreeImage(levels_of(volume), config=SMALL_BRICKS, contrast_limits=(0, 60000))
    viewer.add_layer(layer)
    look()
    assert layer.wait_until_settled(30)
    still = screenshot(viewer)
    pump()  # the frame of the screenshot tells what it cost when it is over
    (view,) = layer._views
    node = view.node
    held = VRAM.held_bytes - node.pictures.reduced.nbytes  # a slow machine has used it before
    view.volume.refinement.quality.drawn(16 * TARGET_MS)  # as on a machine that draws slowly
    viewer.scene.camera.angles = (0, 20, 40)
    pump_until(lambda: node.pictures.pixel_size > 1)
    coarse = screenshot(viewer)  # of what is on the screen; of another view it would wait
    assert node.pictures.pixel_size > 1
    assert node.pictures.step_factor > 1
    assert not layer.settled
    assert VRAM.held_bytes == held + node.pictures.reduced.nbytes
    pump_until(lambda: layer.settled)
    full = screenshot(viewer)
    assert full[..., :3].max() > 100
    assert (np.abs(coarse.astype(int) - full).max(axis=-1) > 30).mean() < 0.05
    look()
    assert layer.wait_until_settled(30)
    assert node.pictures.pixel_size == node.pictures.step_factor == 1
    assert (screenshot(viewer) == still).all()
    pump()
    before = view.statistics.frames
    pump()
    assert view.statistics.frames == before


def test_what_is_settled_is_not_drawn_coarsely_again(
    viewer: Any, look: Any, volume: np.ndarray, screenshot: Any
) -> None:
    layer = OctreeImage(levels_of(volume), config=SMALL_BRICKS, contrast_limits=(0, 60000))
    viewer.add_layer(layer)
    look()
    assert layer.wait_until_settled(30)
    still = screenshot(viewer)
    (view,) = layer._views
    view.volume._rested = False  # as where frames were fast, until one took long
    view.volume.refinement.quality.drawn(16 * TARGET_MS)
    assert layer.settled
    assert (screenshot(viewer) == still).all()
    assert layer.settled


@pytest.fixture
def half_empty() -> list[np.ndarray]:
    """Voxels in the upper half only; below it the background, which is not 0.

    They rise along each axis: where all are alike a surface has no normal, and is lit by chance.
    """
    rise = 20 * np.indices((SIZE,) * 3, np.uint16).sum(axis=0, dtype=np.uint16)
    volume = (smooth_volume(SIZE, seed=3) * 50000).astype(np.uint16) + 9000 + rise
    volume[SIZE // 2 - 8 :] = 700
    return levels_of(volume)


@pytest.mark.parametrize(
    "keywords",
    [
        {"rendering": "mip", "colormap": "viridis"},
        {"rendering": "additive", "colormap": "magenta"},
        {"rendering": "translucent", "colormap": Colormap([[0, 0, 0, 0], [1, 0.5, 0, 0.3]])},
        {"rendering": "iso", "iso_threshold": 8000},
    ],
    ids=lambda keywords: keywords["rendering"],
)
def test_what_the_limits_hide_is_not_fetched_finely(
    viewer: Any,
    look: Callable[..., None],
    screenshot: Any,
    half_empty: list[np.ndarray],
    keywords: dict[str, Any],
) -> None:
    pictures, bricks = [], []
    for skip_empty in (True, False):
        config = OctreeConfig(octree={"brick_size": 16}, render={"skip_empty": skip_empty})
        layer = OctreeImage(half_empty, config=config, contrast_limits=(800, 60000), **keywords)
        viewer.add_layer(layer)
        look()
        assert layer.wait_until_settled(30)
        pictures.append(screenshot(viewer))
        bricks.append(layer.progress.ideal)
        if skip_empty:
            # What is shown again is fetched again.
            layer.contrast_limits = (600, 60000)
            layer.iso_threshold = 650
            assert layer.wait_until_settled(30)
            assert layer.progress.ideal == 64
        viewer.layers.remove(layer)
    # A ray may begin its steps elsewhere and so find the very edge of a surface elsewhere.
    most = 1 if layer.rendering == "iso" else 0
    np.testing.assert_allclose(*[picture.astype(int) for picture in pictures], rtol=0, atol=most)
    assert pictures[0].std() > 5
    # Of 64 bricks a half, which four coarser ones replace.
    assert bricks == [36, 64]


def test_what_every_value_changes_is_fetched_finely(
    viewer: Any, look: Callable[..., None], half_empty: list[np.ndarray]
) -> None:
    layer = OctreeImage(half_empty, config=SMALL_BRICKS, contrast_limits=(800, 60000))
    viewer.add_layer(layer)
    look()
    for rendering in ("average", "minip", "translucent"):  # grey is opaque where it is black
        layer.rendering = rendering
        assert layer.wait_until_settled(30)
        assert layer.progress.ideal == 64
