"""3-D frames without a window: a recorded client, an atlas without a GPU, random flights."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.config import OctreeConfig
from napari_octree.layers.data.image_pyramid import ImagePyramid
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.loading.request import LoadedTile, TileRequest, TileState
from napari_octree.octree.chunk_key import ChunkKey, Tier
from napari_octree.octree.motion import Motion, Velocity
from napari_octree.octree.policy import EXPLORE
from napari_octree.octree.transform import infer_level_transforms
from napari_octree.octree.view import VolumeView
from napari_octree.rendering.gpu.atlas_slots import AtlasSlots, Slot
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.volume import brick_frame, brick_uploads
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.brick_frame import BrickFrame, BrickInputs
from napari_octree.rendering.volume.brick_requests import max_nodes, room_for
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D, slot_grid
from napari_octree.sources import as_level_sources

BRICK = 16
SIZE = 128
ENCODING = BrickEncoding(texture_encoding(np.dtype(np.uint8)), (BRICK,) * 3)


class Client:
    """A loader whose reads finish when the test says so, in order."""

    def __init__(self) -> None:
        self.listed: dict[Hashable, TileRequest] = {}
        self.done: list[LoadedTile] = []
        self.taken: set[Hashable] = set()

    def replace(self, requests: Sequence[TileRequest]) -> None:
        self.listed = {r.key: r for r in requests}
        # What is wished for RAM only is not handed out.
        wanted = {r.key for r in requests if r.tier is not Tier.PREFETCH}
        self.done = [t for t in self.done if t.key in wanted]
        self.taken &= wanted

    def finish(self, count: int, state: TileState = TileState.LOADED) -> None:
        finished = {t.key for t in self.done} | self.taken
        wanted = [r for r in self.listed.values() if r.tier is not Tier.PREFETCH]
        for request in [r for r in wanted if r.key not in finished][:count]:
            brick = ENCODING.encode(np.zeros((BRICK + 4,) * 3, np.uint8))
            data = None if state is TileState.FAILED else brick
            self.done.append(LoadedTile(request.key, data, state, True))

    def take(self) -> LoadedTile | None:
        if not self.done:
            return None
        self.taken.add(self.done[0].key)
        return self.done.pop(0)

    @property
    def ready(self) -> bool:
        return bool(self.done)

    @property
    def pending(self) -> int:
        waited = {key for key, request in self.listed.items() if request.tier.awaited}
        return len(waited - self.taken)


FIRST_SLOTS = 20
"""Fewer than most views here select: their atlas grows."""


class Atlas:
    """Slots without a texture; it notes what is written."""

    slabs = TextureAtlas3D.slabs
    stage = TextureAtlas3D.stage
    number = TextureAtlas3D.number

    def __init__(self, capacity: int, on_upload: Callable[[], None]) -> None:
        self.on_upload = on_upload
        self.encoding = ENCODING
        self.most = capacity
        self.slots: AtlasSlots[Hashable] = AtlasSlots(min(capacity, FIRST_SLOTS))
        self.written: dict[int, list[slice]] = {}
        self.forgets = False

    def reserve(self, slots: int) -> bool:
        if (wanted := min(slots, self.most)) <= self.slots.capacity:
            return True
        self.slots.extend(wanted)
        if self.forgets:
            self.slots.clear()
            self.written.clear()
        return not self.forgets

    def write(self, slot: Slot, brick: np.ndarray, planes: slice) -> None:
        if planes.start == 0:
            self.written[slot.number] = []
        self.on_upload()
        self.written[slot.number].append(planes)

    def whole(self, number: int) -> bool:
        """All planes of a slot (numbered from 1) have been written."""
        return self.written.get(number - 1, [slice(0, 0)])[-1].stop == BRICK + 4

    def value_ranges(self, numbers: np.ndarray) -> np.ndarray:
        return np.zeros((len(numbers), 2))


def make_slice(time: int = 0, depth: int = SIZE, levels: int = 4) -> OctreeSlice:
    shapes = [(3, depth >> k, SIZE >> k, SIZE >> k) for k in range(levels)]
    arrays = [np.broadcast_to(np.uint8(0), shape) for shape in shapes]
    pyramid = ImagePyramid(
        as_level_sources(arrays),
        tuple(infer_level_transforms(shapes)),
        False,
        256,
        brick_size=BRICK,
    )
    return OctreeSlice(pyramid, SliceKey(0, (1, 2, 3), ((time, time + 1), None, None, None)))


def view(centre: tuple[float, float, float], width: float) -> VolumeView:
    """An orthographic look along z."""
    z, y, x = centre
    s = 2 / width
    matrix = ((0, 0, s, -s * x), (0, s, 0, -s * y), (1e-4, 0, 0, -1e-4 * z), (0, 0, 0, 1.0))
    return VolumeView(matrix, (200.0, 200.0), centre)


class Setting:
    def __init__(self, capacity: int = 300) -> None:
        self.client, self.atlas, self.now = Client(), Atlas(capacity, self.upload), 0.0
        self.slice = make_slice()
        self.ms_per_upload = 1.0
        self.frame = BrickFrame(
            self.client,  # type: ignore[arg-type]
            OctreeConfig(),
            UploadBudget(lambda: None, lambda: self.now),
        )

    def upload(self) -> None:
        self.now += self.ms_per_upload / 1e3

    def prepare(
        self, at: VolumeView | None, upload_ms: float = 1e6, hurried: bool = False
    ) -> bool:
        inputs = BrickInputs(self.slice, at, upload_ms, hurried=hurried)
        return self.frame.prepare(self.atlas, inputs)  # type: ignore[arg-type]

    def load(self, at: VolumeView) -> None:
        self.prepare(at)
        self.client.finish(10_000)
        self.prepare(at)

    @property
    def shown(self) -> set[ChunkKey]:
        return set() if self.frame.shown is None else set(self.frame.shown.keys)

    def check(self) -> None:
        """What always holds: only whole bricks are shown, nothing selected was evicted."""
        shown = self.frame.shown
        if shown is None:
            return
        assert len(set(shown.slots.tolist())) == len(shown.slots)
        for key, number in zip(shown.keys, shown.slots, strict=True):
            slot = self.atlas.slots.get((shown.octree_slice.key, key))
            assert slot is not None
            assert slot.number + 1 == number
            assert self.atlas.whole(int(number))


CENTRE = (SIZE / 2,) * 3


def test_a_view_loads_and_settles() -> None:
    s = Setting()
    s.prepare(view(CENTRE, 150))
    assert not s.frame.settled
    s.client.finish(10_000)
    assert s.prepare(view(CENTRE, 150))
    assert s.frame.settled
    assert s.frame.progress.ideal == s.frame.progress.resident > 0


def test_an_unchanged_view_plans_and_uploads_nothing() -> None:
    s = Setting()
    s.load(view(CENTRE, 150))
    plans, uploads = s.frame.plans, len(s.atlas.written)
    assert not s.prepare(view(CENTRE, 150))
    assert s.frame.plans == plans
    assert len(s.atlas.written) == uploads


def test_never_more_bricks_than_the_atlas_may_hold() -> None:
    s = Setting(capacity=40)
    s.load(view(CENTRE, 50))
    assert s.frame.settled
    assert s.frame.progress.resident <= max_nodes(40)


def test_the_coarsest_brick_keeps_its_slot_whatever_competes() -> None:
    s = Setting(capacity=40)
    s.load(view(CENTRE, 150))
    root = ChunkKey(3, (0, 0, 0))
    slot = s.atlas.slots[s.slice.key, root]
    for x in (16.0, 48.0, 80.0, 112.0):
        s.load(view((64.0, 64.0, x), 40))
        assert s.frame.settled
        assert root in s.shown
        assert s.atlas.slots[s.slice.key, root] == slot
    assert s.atlas.slots.evictions


def test_coarsest_bricks_that_come_into_view_again_are_still_there() -> None:
    """Out of view they made room for finer ones: a volume that was turned back had holes."""
    s = Setting(capacity=48)
    s.slice = make_slice(depth=16, levels=3)  # 4 of the coarsest, and 84 in all
    quarters = [(8.0, y, x) for y in (32.0, 96.0) for x in (32.0, 96.0)]
    s.load(view((8, 64, 64), 150))
    roots = {key for key in s.shown if key.level == 2}
    assert len(roots) == 4
    seen = set()
    for _ in range(2):
        for away in quarters[1:]:
            s.load(view(away, 56))
            seen |= s.shown
            assert len({key for key in s.shown if key.level == 2}) == 1
    assert len(seen) > 48
    for at, width in ((quarters[0], 56), ((8, 64, 64), 150)):
        s.prepare(view(at, width))
        assert {k for k in s.frame._selection.ancestors if k.level == 2} <= s.shown
    assert roots <= s.shown


def test_the_atlas_grows_as_views_need_it_and_keeps_what_it_holds() -> None:
    s = Setting()
    s.load(view(CENTRE, 1000))
    far = s.shown
    assert s.atlas.slots.capacity == FIRST_SLOTS
    numbers = {key: s.atlas.slots[s.slice.key, key].number for key in far}
    s.load(view(CENTRE, 50))
    s.check()
    assert s.frame.settled
    assert FIRST_SLOTS < s.atlas.slots.capacity < s.atlas.most
    assert s.frame.progress.ideal > FIRST_SLOTS
    for key in far & s.shown:
        assert s.atlas.slots[s.slice.key, key].number == numbers[key]
    assert len(s.atlas.written) == len(s.atlas.slots)  # nothing was written twice


def test_no_first_picture_and_no_late_frame_waits_for_a_larger_atlas(monkeypatch: Any) -> None:
    monkeypatch.setattr(brick_frame, "SOON_CLEARED", 0)
    s, near = Setting(), view(CENTRE, 50)
    s.prepare(near)
    s.client.finish(1)
    s.prepare(near)
    assert s.frame.shown is not None
    assert s.frame.shown.covers
    assert s.atlas.slots.capacity == FIRST_SLOTS
    s.client.finish(10_000)
    s.prepare(near, hurried=True)
    assert s.atlas.slots.capacity == len(s.atlas.slots) == FIRST_SLOTS
    assert s.frame.more, "what waits is not lost"
    s.prepare(near)
    assert s.atlas.slots.capacity > FIRST_SLOTS
    s.check()
    assert s.frame.settled
    assert s.client.pending == 0


def test_an_atlas_that_cannot_keep_what_it_holds_is_filled_again() -> None:
    s = Setting()
    s.load(view(CENTRE, 1000))
    assert s.frame.settled
    s.atlas.forgets = True
    s.load(view(CENTRE, 50))
    s.check()
    assert s.frame.settled


def test_a_view_settles_though_others_take_the_memory_that_its_atlas_would_have_grown_into(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(brick_frame, "SOON_CLEARED", 0)
    s, near = Setting(), view(CENTRE, 50)
    s.prepare(near)
    assert len(s.frame._selection or ()) > FIRST_SLOTS
    s.atlas.most = FIRST_SLOTS
    for _ in range(3):
        s.client.finish(10_000)
        s.prepare(near)
    s.check()
    assert s.frame.settled
    assert s.frame.progress.loading == 0
    plans = s.frame.plans
    s.prepare(near)
    assert s.frame.plans == plans


def test_a_view_that_had_too_little_memory_is_refined_as_soon_as_there_is_more() -> None:
    s, near = Setting(capacity=20), view(CENTRE, 50)
    s.load(near)
    assert s.frame.settled
    coarse, plans = len(s.shown), s.frame.plans
    s.atlas.most = 300
    s.load(near)
    s.check()
    assert s.frame.settled
    assert s.frame.plans == plans + 1
    assert len(s.shown) > coarse
    s.atlas.most = 3000
    assert not s.prepare(near), "it has had all that it needs"
    assert s.frame.plans == plans + 1


def test_room_for_is_enough() -> None:
    for bricks in range(1, 500):
        assert max_nodes(room_for(bricks)) >= bricks


def test_uploads_follow_the_budget_and_say_that_more_is_left() -> None:
    s = Setting()
    s.prepare(view(CENTRE, 150))
    s.client.finish(10_000)
    s.prepare(view(CENTRE, 150), upload_ms=1.0)
    before = len(s.atlas.written)
    s.prepare(view(CENTRE, 150), upload_ms=6.5)
    assert 3 <= len(s.atlas.written) - before <= 6
    assert s.frame.more
    assert not s.frame.settled
    s.check()


def test_a_brick_that_exceeds_the_budget_goes_in_slabs(monkeypatch: Any) -> None:
    monkeypatch.setattr(brick_uploads, "SMALLEST_SLAB", 1)
    s = Setting()
    s.load(view(CENTRE, 150))
    s.ms_per_upload = 1.0
    rate = s.frame._uploads._budget.bytes_per_ms
    s.load(view((40, 40, 40), 30))
    brick = ENCODING.nbytes
    limit = 0.4 * brick / rate  # less than half a brick a frame
    s.slice = make_slice(1)
    s.prepare(view(CENTRE, 150), limit)
    s.client.finish(1)
    written = []
    for _ in range(20):
        s.prepare(view(CENTRE, 150), limit)
        written.append([len(v) for v in s.atlas.written.values()])
        s.check()
        if not s.frame.more:
            break
    assert max(max(counts) for counts in written) > 1, "no brick was cut"


def test_the_former_slice_stays_until_the_new_one_is_there() -> None:
    s = Setting()
    s.load(view(CENTRE, 150))
    before = s.shown
    s.slice = make_slice(1)
    s.prepare(view(CENTRE, 150))
    assert s.frame.stale
    assert not s.frame.settled
    assert s.shown == before
    assert s.frame.progress.resident == 0
    s.client.finish(1)  # the coarsest brick
    s.prepare(view(CENTRE, 150))
    assert not s.frame.stale
    assert len(s.shown) == 1
    s.client.finish(10_000)
    s.prepare(view(CENTRE, 150))
    assert s.frame.settled


def steps(view: Setting, tier: Tier) -> set[int]:
    """Slices of which the loader has been told something of this tier."""
    return {
        request.key[0].ranges[0][0]
        for request in view.client.listed.values()
        if request.tier is tier
    }


def test_the_next_slice_is_loaded_ahead_and_found_on_the_gpu() -> None:
    s = Setting()
    s.slice = make_slice(1)
    s.load(view(CENTRE, 150))
    assert not s.client.pending
    s.frame.expect(0, Motion(scroll=Velocity(8.0, 0.1), scrolled=True), EXPLORE)
    s.frame.wish()
    assert steps(s, Tier.AHEAD) == {2}, "slice 3 is beyond the data"
    assert steps(s, Tier.PREFETCH) == {2}
    s.frame.expect(0, Motion(scrolled=True), EXPLORE)
    s.prepare(view(CENTRE, 150))
    assert steps(s, Tier.AHEAD) == {0, 2}
    before = s.frame.shown
    s.client.finish(2)  # of the overviews, which come first
    written = len(s.atlas.written)
    assert not s.prepare(view(CENTRE, 150)), "the picture stays as it is"
    assert len(s.atlas.written) > written
    assert s.frame.settled
    assert s.frame.shown is before
    s.slice = make_slice(2)
    s.prepare(view(CENTRE, 150))
    assert not s.frame.stale
    assert {key.level for key in s.shown} == {3}
    s.check()


def test_without_room_nothing_is_uploaded_ahead() -> None:
    s = Setting(capacity=8)
    s.load(view(CENTRE, 150))
    s.frame.expect(0, Motion(scrolled=True), EXPLORE)
    s.frame.wish()
    assert not steps(s, Tier.AHEAD)
    assert steps(s, Tier.PREFETCH) == {1}


def test_failed_bricks_are_counted_and_end_the_wait() -> None:
    s = Setting()
    s.prepare(view(CENTRE, 150))
    s.client.finish(3)
    s.prepare(view(CENTRE, 150))
    s.client.finish(10_000, TileState.FAILED)
    assert not s.frame.stuck
    s.prepare(view(CENTRE, 150))
    assert s.frame.stuck
    assert not s.frame.settled
    assert s.frame.progress.failed > 0


def test_what_is_below_a_failed_brick_is_shown_and_the_brick_when_it_comes() -> None:
    s = Setting()
    s.prepare(view(CENTRE, 150))
    s.client.finish(1)
    s.client.finish(1, TileState.FAILED)
    s.client.finish(10_000)
    s.prepare(view(CENTRE, 150))
    assert s.frame.shown is not None
    (lost,) = s.frame.shown.failed
    assert lost.level == 2
    assert lost not in s.shown
    (slot,) = s.frame.shown.failed_slots
    assert slot > 0
    assert not s.atlas.whole(int(slot))
    assert len(s.shown) == len(s.frame._selection or ()) - 1
    s.check()
    s.frame.forget()
    s.prepare(view(CENTRE, 150))
    assert s.frame.shown.failed == []
    s.check()
    s.client.finish(1)
    s.prepare(view(CENTRE, 150))
    assert s.frame.settled
    assert lost in s.shown
    s.check()


def test_bricks_that_wait_to_be_shown_are_no_failure() -> None:
    s = Setting()
    s.prepare(view(CENTRE, 150))
    s.client.finish(1)
    s.client.finish(1, TileState.FAILED)
    s.prepare(view(CENTRE, 150))
    s.client.finish(10_000)
    assert s.client.pending
    while s.client.ready:
        assert not s.frame.stuck
        s.prepare(view(CENTRE, 150), 3.0)
    assert s.frame.stuck
    s.slice = make_slice(1)
    s.prepare(view(CENTRE, 150))
    assert not s.frame.stuck
    assert not s.frame.progress.failed


def test_leaving_wants_and_shows_nothing() -> None:
    s = Setting()
    s.load(view(CENTRE, 150))
    s.prepare(None)
    assert s.frame.shown is None
    assert not s.client.listed


@settings(max_examples=40, deadline=None)
@given(
    flight=st.lists(
        st.tuples(
            st.tuples(*[st.floats(-20, SIZE + 20)] * 3),
            st.floats(10, 300),
            st.integers(0, 40),
            st.sampled_from([0.5, 3.0, 100.0]),
            st.integers(0, 2),
            st.sampled_from([20, 60, 300]),
        ),
        min_size=1,
        max_size=12,
    ),
    capacity=st.sampled_from([20, 60, 300]),
)
def test_a_flight_never_blanks_and_never_shows_half_a_brick(
    flight: list[Any], capacity: int
) -> None:
    s = Setting(capacity)
    s.load(view(CENTRE, 300))
    nothing_yet = False  # a view past the data shows nothing that could stand in for a new slice
    for centre, width, finished, budget, time, room in flight:
        s.atlas.most = max(room, s.atlas.slots.capacity)  # others take memory, and give it back
        nothing_yet &= not s.shown
        if time != s.slice.key.ranges[0][0]:  # type: ignore[index]
            s.slice = make_slice(time)
            nothing_yet |= not s.shown
        at = view(centre, width)
        s.frame.expect(0, Motion(scroll=Velocity(finished - 20, 4.0), scrolled=True), EXPLORE)
        s.prepare(at, budget)
        s.client.finish(finished)
        s.prepare(at, budget)
        s.check()
        if s.frame._selection is not None and len(s.frame._selection):
            assert s.shown or nothing_yet, "the coarsest brick is always there"
    s.client.finish(10_000)
    for _ in range(2000):
        s.prepare(at, 100.0)
        if not s.frame.more:
            break
    assert s.frame.settled


@pytest.mark.parametrize("bricks", [1, 9, 73, 585, 10**9])
@pytest.mark.parametrize("vram", [2**16, 2**22, 2**26, 2**28])
def test_slot_grid_keeps_within_the_budget_and_uses_it(bricks: int, vram: int) -> None:
    for shape in [(16, 64, 64), (64,) * 3]:
        encoding = BrickEncoding(texture_encoding(np.dtype(np.uint16)), shape)
        grid = slot_grid(encoding, bricks, vram, 2048)
        slots = int(np.prod(grid))
        assert slots * encoding.nbytes <= max(vram, 2 * encoding.nbytes)
        assert all(n * t <= 2048 for n, t in zip(grid, encoding.slot_shape, strict=True))
        limit = min(bricks + 1, vram // encoding.nbytes)
        assert slots >= max(0.9 * limit, 2) or slots >= 0.9 * (2048 // 68) ** 3


def test_below_a_brick_that_turns_out_empty_nothing_is_fetched() -> None:
    it, at = Setting(), view((64.0,) * 3, 230.0)
    it.frame.prepare(it.atlas, BrickInputs(it.slice, at, 1e6, unseen=0.0))  # type: ignore[arg-type]
    assert len(it.client.listed) > 60
    it.client.finish(1)
    it.frame.prepare(it.atlas, BrickInputs(it.slice, at, 1e6, unseen=0.0))  # type: ignore[arg-type]
    assert not it.client.listed
    assert it.frame.settled
    assert {key.level for key in it.shown} == {3}
    # What becomes visible again is wanted again.
    it.frame.prepare(it.atlas, BrickInputs(it.slice, at, 1e6, unseen=-1.0))  # type: ignore[arg-type]
    assert len(it.client.listed) > 60


def test_what_is_uploaded_between_frames_is_shown_from_the_next_one_on() -> None:
    s = Setting(capacity=40)
    s.load(view(CENTRE, 50))
    there = view((40, 40, 40), 50)
    s.prepare(there)
    before = s.shown
    s.client.finish(5)
    s.frame.upload(1e6)
    assert s.shown == before
    assert s.prepare(there), "some of what was shown has lost its slot"
    s.check()
    assert len(s.shown - before) >= 1


def test_a_brick_that_comes_again_with_other_voxels_changes_what_is_shown() -> None:
    s, at = Setting(), view(CENTRE, 150)
    s.load(at)
    s.atlas.slots.outdate(list(s.atlas.slots)[-1:])
    s.frame.replan()
    assert not s.prepare(at)
    s.client.taken.clear()  # it is handed out again
    s.client.finish(1)
    assert s.prepare(at)
    assert s.frame.settled


def test_a_brick_that_comes_again_over_frames_stays_in_the_picture() -> None:
    s, at = Setting(), view(CENTRE, 150)
    s.load(at)
    before, slots = s.shown, s.frame.shown.slots.tolist()
    s.atlas.slots.outdate(list(s.atlas.slots))
    s.frame.replan()
    limit = 1.5 * ENCODING.nbytes / s.frame._uploads._budget.bytes_per_ms
    s.prepare(at, limit)
    s.client.taken.clear()  # all are handed out again
    s.client.finish(10_000)
    in_part = 0
    while not s.frame.settled:
        s.prepare(at, limit)
        in_part += s.frame._uploads._upload is not None
        assert s.shown == before
        assert s.frame.shown.slots.tolist() == slots
    assert in_part > 1, "each frame ended with a whole brick"


def test_the_former_slice_goes_when_the_coarsest_brick_of_the_new_one_failed() -> None:
    """Once: the former one stayed for good, though all else of the new one was there."""
    s = Setting()
    s.load(view(CENTRE, 150))
    s.slice = make_slice(1)
    s.prepare(view(CENTRE, 150))
    s.client.finish(1, TileState.FAILED)  # the coarsest brick
    s.prepare(view(CENTRE, 150))
    assert s.frame.stale  # nothing else is there yet
    s.client.finish(10_000)
    s.prepare(view(CENTRE, 150))
    assert not s.frame.stale
    assert len(s.shown) == len(s.frame._selection or ()) - 1
    assert s.frame.progress.failed == 0  # it is no ideal brick


def test_the_former_slice_goes_when_all_of_the_new_one_failed() -> None:
    s = Setting()
    s.load(view(CENTRE, 150))
    s.slice = make_slice(1)
    s.prepare(view(CENTRE, 150))
    s.client.finish(10_000, TileState.FAILED)
    s.prepare(view(CENTRE, 150))
    assert not s.frame.stale  # a picture of another time point would be wrong
    assert not s.shown
    assert s.frame.stuck
