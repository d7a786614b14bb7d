"""What is in memory and small is shown by the frame itself: no thread, no second frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from vispy import gloo

from counted_calls import calls_of
from frame_fakes import Atlas, Client
from napari_octree import OctreeConfig, OctreeImage, OctreeLabels
from napari_octree.layers.data.image_pyramid import ImagePyramid
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.loading.at_hand import region_is_at_hand
from napari_octree.loading.executors.threads import ThreadExecutor
from napari_octree.octree.motion import AT_REST, Motion, Velocity
from napari_octree.octree.transform import LevelTransform
from napari_octree.octree.view import View
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.tiles.tile_frame import TileFrame, TileInputs
from napari_octree.sources import as_level_sources

TILES = OctreeConfig(
    octree={"tile_size": 64}, render={"upload_ms": 1000, "upload_ms_moving": 1000}
)


@pytest.fixture
def jobs(monkeypatch) -> list[str]:
    """What threads have been given to do."""
    given: list[str] = []
    for name in ("read", "run"):
        real = getattr(ThreadExecutor, name)

        def noted(self: Any, *args: Any, _real: Any = real, _name: str = name) -> Any:
            given.append(_name)
            return _real(self, *args)

        monkeypatch.setattr(ThreadExecutor, name, noted)
    return given


@pytest.fixture
def frames(viewer) -> Iterator[Callable[[], int]]:
    """How many frames the canvas has drawn since it was asked last."""
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    drawn: list[Any] = []
    canvas.events.draw.connect(drawn.append)

    def count() -> int:
        number = len(drawn)
        drawn.clear()
        return number

    yield count
    canvas.events.draw.disconnect(drawn.append)


def stack(dtype: str = "u1") -> np.ndarray:
    planes = np.arange(10, dtype=dtype)[:, None, None] * 20 + 10
    return np.broadcast_to(planes, (10, 200, 300)).copy()


@pytest.mark.parametrize("make", [OctreeImage, OctreeLabels])
@pytest.mark.parametrize("config", [None, TILES], ids=["one tile", "tiles"])
def test_a_step_of_a_slider_is_one_frame_and_no_thread(
    viewer, frames, jobs, screenshot, pump, let_rest, make, config
) -> None:
    keywords = {"contrast_limits": (0, 255)} if make is OctreeImage else {}
    layer = make(stack(), config=config, **keywords)
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    let_rest(layer)
    shown = set()
    for plane in (7, 2, 3):
        told: list[Any] = []
        layer.events.loaded.connect(told.append)
        frames()
        viewer.dims.set_current_step(0, plane)
        pump()
        assert frames() == 1
        assert layer.settled
        shown.add(tuple(screenshot(viewer)[100, 150]))
        assert not told, "no sign of loading"
        let_rest(layer)
        assert frames() == 1  # that of the screenshot
        assert layer.overview[0, 0] == 10 + 20 * plane
    assert len(shown) == 3
    assert not jobs


def test_a_layer_is_there_in_its_first_frame(viewer, frames, jobs, pump, let_rest) -> None:
    viewer.add_layer(OctreeImage(np.zeros((50, 50), np.uint8)))
    pump()
    let_rest(viewer.layers[0])
    frames()
    layer = viewer.add_layer(OctreeImage(stack()[0], contrast_limits=(0, 255)))
    assert layer.thumbnail[..., :3].any()
    while not frames():
        pump()
    assert layer.settled
    assert not jobs
    (view,) = layer.statistics.views
    assert view.frames == 1
    assert view.vram_bytes == 200 * 300


def test_what_a_store_holds_is_read_by_threads(viewer, jobs, recording_array) -> None:
    layer = viewer.add_layer(OctreeImage([recording_array(stack()[0], (64, 64))]))
    assert layer.wait_until_settled(30)
    assert jobs


def typed(scene: np.ndarray, dtype: str) -> np.ndarray:
    """The scene over most of a type, which may have any byte order."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return scene.astype(kind)
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    return (low + scene * 0.99 * (float(high) - float(low))).astype(kind)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", ">i2", "i1", "<i4", ">u8", ">f4", "f8"])
def test_one_tile_of_any_type_is_drawn_as_stock_draws_it(compare, scene, dtype) -> None:
    data = typed(scene, dtype)
    low, high = (float(value) for value in np.quantile(data, [0.1, 0.9]))
    assert compare(data, config=OctreeConfig(), contrast_limits=(low, high)).max() == 0


@pytest.mark.parametrize("channels", [3, 4])
def test_one_tile_of_colours(compare, scene, channels) -> None:
    rgba = np.stack([scene, scene[::-1], scene[:, ::-1], 1 - scene], axis=-1)[..., :channels]
    data = (rgba * 255).astype(np.uint8)
    assert compare(data, config=OctreeConfig(), rgb=True).max() == 0


@pytest.mark.parametrize("interpolation", ["linear", "cubic", "lanczos", "custom"])
def test_one_tile_through_a_filter(compare, scene, interpolation) -> None:
    """Also at the image's edges, where a tile of several would have an apron."""
    kernel = np.full((1, 5), 0.2, np.float32)
    keywords: dict[str, Any] = {"interpolation2d": interpolation}
    if interpolation == "custom":
        keywords["custom_interpolation_kernel_2d"] = kernel
    corners = [(256.2, 255.7), (690.3, 880.2), (3.2, 4.7)]
    data = (scene * 255).astype(np.uint8)
    difference = compare(
        data, corners, 3.2, config=OctreeConfig(), contrast_limits=(0, 255), **keywords
    )
    assert difference.max() <= 1


def test_limits_beyond_float32_give_one_tile_other_texels(compare, scene) -> None:
    data = (2**40 + scene * 1000).astype(np.int64)
    limits = (2.0**40 + 100, 2.0**40 + 900)
    far = compare(data, config=OctreeConfig(), contrast_limits=limits)
    assert np.count_nonzero(far > 1) == 0


def plane(array: np.ndarray, tile: int | None = None, z: int | None = None) -> OctreeSlice:
    shapes = tuple(LevelTransform((1.0,) * array.ndim, (0.0,) * array.ndim) for _ in range(1))
    pyramid = ImagePyramid(as_level_sources([array]), shapes, False, tile)
    ranges = (None, None) if z is None else ((z, z + 1), None, None)
    displayed = tuple(range(array.ndim))[-2:]
    return OctreeSlice(pyramid, SliceKey(0, displayed, ranges))


class Stored(np.ndarray):
    """Its slicing may be anybody's code."""


def mapped(folder: Any) -> np.ndarray:
    path = folder / "pixels"
    np.zeros((100, 100), np.uint8).tofile(path)
    return np.memmap(path, np.uint8, "r", shape=(100, 100))


@pytest.mark.parametrize(
    ("make", "is_one"),
    [
        (lambda _: np.zeros((300, 200), np.uint16), True),
        (lambda _: np.zeros((300, 200), ">f8"), True),
        (lambda _: np.zeros((2048, 2048), np.uint8), True),
        (lambda _: np.zeros((2049, 2048), np.uint8), False),
        (lambda _: np.zeros((2, 4097), np.uint8), False),
        (lambda _: np.zeros((300, 200), np.uint8).view(Stored), False),
        (lambda _: np.zeros((600, 500, 4), np.uint8)[..., 0], True),
        # Each of these pixels costs a cache line.
        (lambda _: np.zeros((600, 500, 100), np.uint8)[..., 0], False),
        (mapped, False),
        (lambda folder: mapped(folder)[10:, 10:], False),
    ],
)
def test_what_is_small_and_in_memory_is_one_tile(tmp_path, make, is_one) -> None:
    found = plane(make(tmp_path))
    assert found.is_one_tile == is_one
    if is_one:
        assert [level.grid_shape for level in found.octree.levels] == [(1, 1)]
    assert not plane(make(tmp_path), tile=256).is_one_tile


def test_a_budget_holds_however_much_is_at_hand() -> None:
    clock = SimpleNamespace(now=0.0)
    budget = UploadBudget(lambda: None, lambda: clock.now)
    client: Any = Client()

    def upload() -> None:
        clock.now += 2e-3

    frame = TileFrame(client, TILES, budget)
    atlas: Any = Atlas(on_upload=upload)
    octree_slice = plane(np.zeros((640, 640), np.uint8), tile=64)
    view = View.of_box((0, 0), (630, 630), 1.0)
    counts = []
    while True:
        before = budget.uploads
        frame.prepare(atlas, TileInputs(octree_slice, view, 5.0))
        counts.append(budget.uploads - before)
        if not frame.more:
            break
        assert not frame.settled
    assert sum(counts) == 100
    assert max(counts[1:]) == 2  # of 2 ms each in 5
    assert frame.settled
    assert not client.listed


def test_what_cannot_be_made_is_left_to_the_loader() -> None:
    budget, client = UploadBudget(lambda: None), Client()
    frame, atlas = TileFrame(client, TILES, budget), Atlas()  # type: ignore[arg-type]

    def encode(pixels: np.ndarray) -> np.ndarray:
        raise ValueError("no such conversion")

    atlas.encoding.encode = encode
    octree_slice = plane(np.zeros((100, 100), np.uint8), tile=64)
    inputs = TileInputs(octree_slice, View.of_box((0, 0), (100, 100), 1.0), 1e6)
    frame.prepare(atlas, inputs)  # type: ignore[arg-type]
    assert len(client.listed) == 4
    assert not frame.settled
    assert not frame.more
    frame.rest(AT_REST)
    assert len(client.listed) == 4
    client.finish(4)
    frame.prepare(atlas, inputs)  # type: ignore[arg-type]
    assert frame.settled


def test_nothing_is_looked_for_ahead_of_what_is_at_hand() -> None:
    """A step of a slider has all of its frame to show the plane."""
    slices = [plane(np.zeros((16, 200, 200), np.uint8), z=z) for z in range(4)]
    frame = TileFrame(Client(), OctreeConfig(), UploadBudget(lambda: None))  # type: ignore[arg-type]
    motion = Motion(scroll=Velocity(20.0, 4.0), scrolled=True)
    view = replace(View.of_box((0, 0), (200, 200), 1.0), motion=motion)
    atlas = Atlas()

    def step(octree_slice: OctreeSlice) -> int:
        moved = TileInputs(octree_slice, view, 1e6, scroll_axis=0, moving=True)
        return calls_of(lambda: frame.prepare(atlas, moved))  # type: ignore[arg-type]

    calls = min(step(octree_slice) for octree_slice in slices)
    assert frame.settled
    assert calls <= 420
    assert calls_of(lambda: frame.rest(replace(motion, scroll=Velocity(0.0, 4.0)))) <= 80


@pytest.mark.parametrize(
    "make",
    [
        mapped,
        lambda _: np.zeros((100, 100), np.uint8).view(Stored),
        lambda _: np.ma.zeros((100, 100), np.uint8),
        lambda _: da.zeros((100, 100), dtype=np.uint8),
        lambda _: zarr.zeros((100, 100), dtype=np.uint8, store=zarr.storage.MemoryStore()),
        lambda _: np.zeros((2049, 2048), np.uint8),
    ],
)
def test_no_other_array_is_read_by_a_frame(tmp_path, make) -> None:
    (source,) = as_level_sources([make(tmp_path)])
    assert not region_is_at_hand(source, tuple((0, n) for n in source.shape))


def test_a_thick_slice_is_projected_by_a_thread() -> None:
    array = np.zeros((400, 200, 200), np.float32)
    thin = plane(array, z=3)
    assert thin.is_one_tile
    key = thin.key._replace(ranges=((0, 300), None, None))
    budget, client = UploadBudget(lambda: None), Client()
    frame, atlas = TileFrame(client, TILES, budget), Atlas()  # type: ignore[arg-type]
    view = View.of_box((0, 0), (100, 100), 1.0)
    frame.prepare(atlas, TileInputs(thin.at(key), view, 1e6))  # type: ignore[arg-type]
    assert len(client.listed) == 1
    frame.prepare(atlas, TileInputs(thin, view, 1e6))  # type: ignore[arg-type]
    assert frame.settled


def test_refreshing_a_large_array_blanks_nothing(viewer, screenshot, pump, let_rest) -> None:
    data = np.full((1500, 1500), 100, np.uint8)
    slow = {"upload_ms": 0.05, "upload_ms_moving": 0.05}
    config = OctreeConfig(octree={"tile_size": 64}, render=slow)
    layer = viewer.add_layer(OctreeImage(data, config=config, contrast_limits=(0, 255)))
    viewer.scene.camera.zoom = 1.3
    viewer.scene.camera.center = (0, 700, 700)
    assert layer.wait_until_settled(30)
    seen = []
    canvas = viewer.window._qt_viewer.canvas._scene_canvas

    def look(event: Any) -> None:
        pixels = gloo.read_pixels()[..., 0]
        seen.append((int(pixels.min()), int(pixels.max())))

    for value in (150, 200):  # the second time what the first has shown stays
        data[:] = value
        layer.refresh()
        layer.refresh()
        canvas.events.draw.connect(look, position="last")
        assert not layer.settled
        assert layer.wait_until_settled(30)
        canvas.events.draw.disconnect(look)
        assert len(seen) > 2, "it takes several frames"
        assert min(low for low, _ in seen) >= value - 50, "something was blank"
        assert seen[-1] == (value, value)
        seen.clear()


def test_what_takes_long_to_convert_is_left_to_a_thread() -> None:
    budget, client = UploadBudget(lambda: None), Client()
    frame, atlas = TileFrame(client, TILES, budget), Atlas()  # type: ignore[arg-type]
    octree_slice = plane(np.zeros((600, 600), np.float32))
    inputs = TileInputs(octree_slice, View.of_box((0, 0), (600, 600), 1.0), 1e6)
    atlas.encoding.is_scaled = True
    frame.prepare(atlas, inputs)  # type: ignore[arg-type]
    assert len(client.listed) == 1
    atlas.encoding.is_scaled = False
    frame.forget()
    frame.prepare(atlas, inputs)  # type: ignore[arg-type]
    assert frame.settled
