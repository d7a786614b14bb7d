"""Chunks read in the browse of `benchmarks.compare`: on a virtual clock, without a window.

Everything but napari and GL is real: the view and its motion, the plan, the wishes, the loader.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from benchmarks.compare.cameras import (
    CANVAS_SHAPE,
    PAN_PIXELS,
    PAN_STEP_PIXELS,
    REVISIT_STEPS,
    STEP_MS,
    ZOOM_STEPS,
    Camera,
    geometric,
)

from napari_octree.config import OctreeConfig
from napari_octree.layers.data.image_pyramid import ImagePyramid
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.loading import ChunkLoader, Pace
from napari_octree.loading.dispatcher import Dispatcher
from napari_octree.loading.testing import SimulatedSource, VirtualClock, VirtualExecutor
from napari_octree.octree.transform import infer_level_transforms
from napari_octree.rendering.gpu.atlas_slots import AtlasSlots
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.tiles.atlas.tile_borders import TileBorders
from napari_octree.rendering.tiles.tile_frame import TileFrame, TileInputs
from napari_octree.rendering.view.tracked_view import TrackedView
from napari_octree.sources import as_level_sources

SIZE, CHUNK, SIDE, APRON = 16384, 256, 40, 1
SHAPES = [(SIZE >> level, SIZE >> level) for level in range(7)]
FRAME_S = 0.016
LOOKS_S = 1.0
"""How long the user looks at where each journey has led."""
SETTLED_S = 0.08
"""From there, and two rounds of reads, to the final picture: the view has to come to rest."""


class Store(VirtualExecutor):
    """Every read takes as long, however many are under way; each has to be wished for."""

    def __init__(self, clock: VirtualClock, latency_s: float, busy_s: float) -> None:
        super().__init__()
        self.clock, self.latency_s, self.busy_s = clock, latency_s, busy_s
        self.scheduler: Any = None

    def read(self, storage: Any, region: Any, done: Any) -> Any:
        read = super().read(storage, region, done)
        assert self.scheduler.working_set.chunks[storage.key, region].tiles

        def end() -> None:
            self.finish(read, self.latency_s, self.busy_s)

        self.clock.call_at(read, self.clock.time + self.latency_s, end)
        return read


class Atlas:
    """Slots without a texture."""

    def __init__(self) -> None:
        self.slots: AtlasSlots[Any] = AtlasSlots(SIDE * SIDE)
        slot = CHUNK + 2 * APRON
        self.apron, self.slot_bytes = APRON, slot * slot * 2
        self.borders = TileBorders((SIDE, SIDE), (slot, slot), self.apron)
        self.encoding = SimpleNamespace(texel_bytes=2, is_scaled=False, encode=lambda block: block)

    def room(self, octree: Any) -> int:
        return self.slots.capacity

    def takes_a_block(self, tile: np.ndarray) -> bool:
        return False

    def page_of(self, numbers: np.ndarray) -> None:
        return None

    def begin(self) -> None:
        """Nothing is to be bound."""

    def end(self) -> None:
        """Nothing was bound."""

    def add(self, key: Any, tile: np.ndarray, complete: bool, protected: Any) -> Any:
        slot, evicted = self.slots.add(key, tile.shape[:2], complete, protected)
        if slot is not None:
            self.borders.fill(slot.number, *slot.shape)
        return slot, evicted


class Browser:
    """A user in front of a canvas."""

    def __init__(self, latency_s: float, busy_s: float) -> None:
        self.latency_s = latency_s
        self.clock = VirtualClock()
        store = Store(self.clock, latency_s, busy_s)
        dispatcher = Dispatcher(self.clock, seed=0, processors=1)
        store.scheduler = dispatcher.scheduler
        config = OctreeConfig(memory={"ram_bytes": 2**30})
        self.loader = ChunkLoader(config, dispatcher=dispatcher, executor=store)
        self.levels = [
            SimulatedSource(shape, (CHUNK, CHUNK), key=f"image/{level}")
            for level, shape in enumerate(SHAPES)
        ]
        transforms = tuple(infer_level_transforms(SHAPES))
        pyramid = ImagePyramid(as_level_sources(self.levels), transforms, False, CHUNK)
        self.slice = OctreeSlice(pyramid, SliceKey(0, (0, 1), (None, None)))
        self.client = self.loader.open(lambda: None)
        self.tracked = TrackedView()
        self.frame = TileFrame(self.client, config, UploadBudget(lambda: None, lambda: 0.0))
        self.atlas: Any = Atlas()

    def look(self, camera: Camera) -> None:
        """Draw a frame."""
        (y, x, zoom), (height, width) = camera, CANVAS_SHAPE
        to_viewbox = np.diag([zoom, zoom, 1.0, 1.0])
        to_viewbox[3, :2] = width / 2 - (x + 0.5) * zoom, height / 2 - (y + 0.5) * zoom
        matrices: Any = SimpleNamespace(
            to_viewbox=to_viewbox, size=(width, height), pixel_scale=1.0
        )
        tracked = self.tracked
        tracked.see(matrices, self.slice, True, self.clock.time)
        self.client.pace, view = tracked.pace, tracked.view
        inputs = TileInputs(self.slice, view, 5.0, margin_texels=1.0, moving=tracked.moving)
        self.frame.prepare(self.atlas, inputs)

    def go(self, cameras: Iterable[Camera]) -> int:
        """Follow a journey, look at where it has led, and return how many chunks were read."""
        before = self.reads
        for camera in cameras:
            self.clock.advance(STEP_MS / 1000)
            self.look(camera)
        stopped = self.clock.time
        settled_s = None
        while self.clock.time < stopped + LOOKS_S:
            self.clock.advance(FRAME_S)
            rests = stopped + self.tracked.rest_ms / 1000
            if self.clock.time >= rests and self.tracked.moving:
                self.client.pace = Pace.STEADY
                self.frame.rest(self.tracked.rest())
            self.look(camera)
            if self.frame.settled and settled_s is None:
                settled_s = self.clock.time - stopped
        assert settled_s is not None
        self.settled_s = settled_s
        assert self.frame.settled
        return self.reads - before

    def browse(self, cameras: Iterable[Camera]) -> int:
        """As `go`; the final picture has to come in time."""
        read = self.go(cameras)
        assert self.settled_s < SETTLED_S + 2 * self.latency_s
        return read

    @property
    def reads(self) -> int:
        return sum(len(level.reads) for level in self.levels)


@pytest.mark.parametrize(("latency_s", "of_zoom"), [(0.002, 80), (0.05, 50)])
def test_the_scripted_browse_is_thrifty(latency_s: float, of_zoom: int) -> None:
    """Bounds are a little above today's reads, which time does not change."""
    browser = Browser(latency_s, 0.001)
    overview = (SIZE / 2, SIZE / 2, 0.95 * CANVAS_SHAPE[0] / SIZE)
    place = (0.317 * SIZE, 0.554 * SIZE, 1.0)
    pan = [
        (place[0], place[1] + moved, 1.0)
        for moved in range(PAN_STEP_PIXELS, PAN_PIXELS + 1, PAN_STEP_PIXELS)
    ]
    browser.browse([overview])
    assert browser.browse(geometric(overview, place, ZOOM_STEPS)) <= of_zoom
    assert browser.browse(pan) <= 40
    assert browser.browse(geometric(pan[-1], overview, ZOOM_STEPS)) <= 2
    assert browser.browse(geometric(overview, place, REVISIT_STEPS)) == 0
    reads = [region for level in browser.levels for region in level.reads]
    keys = [level.key for level in browser.levels for _ in level.reads]
    assert len(set(zip(keys, reads, strict=True))) == browser.reads  # none was read twice
    browser.loader.close()


@pytest.mark.parametrize("latency_s", [0.05, 0.3])
def test_a_jump_waits_for_nothing_and_many_are_a_move(latency_s: float) -> None:
    """A jump is read at once; of a row of jumps only the first and the last are read."""
    browser = Browser(latency_s, 0.001)
    fine = browser.levels[0].reads
    browser.go([(2000.0, 2000.0, 1.0)])
    before = len(fine)
    browser.look((12000.0, 3000.0, 1.0))
    rounds = 0
    while not browser.frame.settled:
        browser.clock.advance(latency_s)
        browser.look((12000.0, 3000.0, 1.0))
        rounds += 1
    assert rounds <= 2
    once = len(fine) - before
    browser.go([(12000.0, 3000.0, 1.0)])
    before = len(fine)
    places = [(2000.0 + 1300 * n, 12000.0 - 1300 * n, 1.0) for n in range(8)]
    for camera in places:
        browser.look(camera)
        browser.clock.advance(0.075)
    assert len(fine) - before <= 1.5 * once
    browser.go(places[-1:])
    assert len(fine) - before <= 3.5 * once  # with the ring around the last


@pytest.mark.parametrize(
    ("place", "seen", "ahead", "gap"), [((12000, 3000), 16, 4, 40), ((8064, 8064), 15, 10, 84)]
)
def test_only_what_a_short_move_shows_is_read_ahead(
    place: tuple[int, int], seen: int, ahead: int, gap: int
) -> None:
    """Beside a view that rests: the tiles whose edges are so few pixels away, and no others."""
    browser = Browser(0.05, 0.001)
    browser.go([(*place, 1.0)])
    gaps = [
        max(
            max(start - (center + pixels // 2), center - pixels // 2 - stop, 0)
            for (start, stop), center, pixels in zip(region, place, CANVAS_SHAPE, strict=True)
        )
        for region in browser.levels[0].reads
    ]
    assert sorted(gaps) == [0] * seen + [gap] * ahead
    browser.loader.close()


def test_a_jump_to_another_zoom_is_read_at_once_and_a_notch_is_not() -> None:
    browser = Browser(0.05, 0.001)
    fine = browser.levels[0].reads
    browser.go([(8000.0, 8000.0, 0.4)])
    browser.look((8000.0, 8000.0, 0.6))
    browser.clock.advance(0.09)
    assert not fine  # it may be the first notch of a long zoom
    browser.go([(8000.0, 8000.0, 0.2)])
    browser.look((8000.0, 8000.0, 1.0))
    browser.clock.advance(0.09)
    assert fine
