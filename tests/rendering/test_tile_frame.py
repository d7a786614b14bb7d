"""Frames without a window: a recorded client, an atlas without a GPU, random user journeys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frame_fakes import TILE, Atlas, Client
from napari_octree.config import OctreeConfig
from napari_octree.layers.data.image_pyramid import ImagePyramid
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.loading.request import TileState
from napari_octree.octree.chunk_key import Tier
from napari_octree.octree.motion import AT_REST
from napari_octree.octree.policy import EXPLORE, PLAY, QUALITY
from napari_octree.octree.transform import infer_level_transforms
from napari_octree.octree.view import View
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.tiles.tile_frame import TileFrame, TileInputs
from napari_octree.sources import as_level_sources

SHAPES = [(1000, 1300), (500, 650), (250, 325), (125, 163)]


class Stored(np.ndarray):
    """Not a plain array: what is of one is at hand, and would not be asked of the client."""


def octree_slice(max_overview: int = 200) -> OctreeSlice:
    arrays = [np.zeros(shape, np.uint8).view(Stored) for shape in SHAPES]
    pyramid = ImagePyramid(
        as_level_sources(arrays),
        tuple(infer_level_transforms(SHAPES)),
        False,
        TILE,
        max_overview,
    )
    return OctreeSlice(pyramid, SliceKey(0, (0, 1), (None, None)))


def view(y: float, x: float, pixel: float, size: int = 200) -> View:
    return View.of_box((y, x), (y + size * pixel, x + size * pixel), pixel)


class Setting:
    """A frame with everything around it."""

    def __init__(self, side: int = 16) -> None:
        self.client, self.slice = Client(), octree_slice()
        self.atlas = Atlas(side, self.upload)
        self.now = 0.0
        self.budget = UploadBudget(lambda: None, lambda: self.now)
        self.frame = TileFrame(self.client, OctreeConfig(), self.budget)

    def upload(self) -> None:
        self.now += 0.001  # a millisecond per tile

    def prepare(self, at: View | None, upload_ms: float = 1e6) -> bool:
        return self.frame.prepare(self.atlas, TileInputs(self.slice, at, upload_ms))

    def load(self, at: View) -> None:
        self.prepare(at)
        self.client.finish(10_000)
        self.prepare(at)


def area(rectangles: np.ndarray) -> float:
    sizes = rectangles[:, 2:] - rectangles[:, :2]
    return float((sizes[:, 0] * sizes[:, 1]).sum())


def test_a_view_loads_and_settles() -> None:
    s = Setting()
    s.prepare(view(100, 100, 1))
    assert not s.frame.settled
    assert s.frame.progress.resident == 0
    s.client.finish(10_000)
    assert s.prepare(view(100, 100, 1))
    assert s.frame.settled
    progress = s.frame.progress
    assert progress.ideal == progress.resident > 0
    assert len(s.frame.picture.quads.rectangles) == progress.ideal


def test_an_unchanged_view_plans_and_uploads_nothing() -> None:
    s = Setting()
    s.load(view(100, 100, 1))
    plans, quads = s.frame.plans, s.frame.picture.quads
    assert not s.prepare(view(100, 100, 1))
    assert not s.prepare(view(100.01, 100.02, 1))
    assert s.frame.plans == plans
    assert s.frame.picture.quads is quads


def test_uploads_follow_the_budget_and_say_that_more_is_left() -> None:
    s = Setting()
    s.prepare(view(100, 100, 1))
    s.client.finish(10_000)
    s.prepare(view(100, 100, 1), upload_ms=1.0)  # calibrates: one tile
    before = len(s.atlas.slots)
    s.prepare(view(100, 100, 1), upload_ms=5.5)
    assert len(s.atlas.slots) - before == 5
    assert s.frame.more
    assert not s.frame.settled


@settings(max_examples=40, deadline=None)
@given(
    journey=st.lists(
        st.tuples(
            st.floats(-100, 1000),
            st.floats(-100, 1300),
            st.floats(0.3, 9),
            st.integers(0, 30),
            st.sampled_from([0.5, 3.0, 100.0]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_never_blank_after_the_overview_and_never_twice(journey: list[Any]) -> None:
    s = Setting(side=12)
    s.load(view(0, 0, 10))  # zoomed out: the overview arrives
    for y, x, pixel, finished, budget in journey:
        at = view(y, x, pixel)
        s.prepare(at, budget)
        s.client.finish(finished)
        s.prepare(at, budget)
        shown = s.frame.picture.cover
        assert shown is not None
        assert not len(shown.blank)
        wanted = s.slice.octree.levels[s.frame.level].bounds(s.frame._intersection.tiles)
        assert np.isclose(area(shown.rectangles), area(wanted), rtol=1e-9)
        resident = set(s.atlas.slots)
        assert all((s.slice.key, chunk) in resident for chunk in shown.chunks)


def test_moving_over_what_is_there_tells_the_loader_nothing() -> None:
    s = Setting(side=24)
    s.load(view(100, 100, 1, size=400))

    def move(y: float, size: int = 100) -> int:
        before = s.client.told
        s.frame.prepare(s.atlas, TileInputs(s.slice, view(y, 150, 1, size), 1e6, moving=True))
        planned = s.frame._intersection.chunks
        assert {(s.slice.key, chunk) for chunk in planned} <= s.frame._requests.protected
        assert s.frame.picture.cover.complete
        return s.client.told - before

    assert move(150) == 1  # nothing may be read around where the view was
    assert [move(y) for y in range(160, 380, 20)] == [0] * 11
    told = s.client.told
    s.frame.rest(AT_REST)
    assert s.client.told == told + 1
    s.load(view(360, 150, 1, size=100))
    before = s.client.told
    s.frame.prepare(s.atlas, TileInputs(s.slice, view(450, 150, 1), 1e6, moving=True))
    assert s.client.told == before + 1  # there are tiles to load
    s.client.finish(3)
    s.frame.prepare(s.atlas, TileInputs(s.slice, view(449, 150, 1), 1e6, moving=True))
    before = s.client.told
    s.frame.prepare(s.atlas, TileInputs(s.slice, view(360, 150, 1, size=100), 1e6, moving=True))
    assert s.client.told == before + 1  # what the former view waits for is wished no longer


def test_going_back_uploads_nothing() -> None:
    s = Setting()
    s.load(view(100, 100, 1))
    s.load(view(500, 900, 1))
    uploads = s.budget.uploads
    s.load(view(100, 100, 1))
    assert s.budget.uploads == uploads
    assert s.frame.settled


def test_zooming_out_shows_what_is_there_at_once() -> None:
    s = Setting()
    s.load(view(100, 100, 1))
    s.prepare(view(50, 50, 2))
    assert not len(s.frame.picture.cover.blank)
    assert s.frame.picture.cover.relative_levels.min() < 0  # finer tiles stand in


def test_failed_tiles_are_counted_and_leave_the_overview() -> None:
    s = Setting()
    s.load(view(0, 0, 10))
    at = view(100, 100, 1)
    s.prepare(at)
    s.client.finish(10_000, TileState.FAILED)
    s.prepare(at)
    assert s.frame.stuck
    assert not s.frame.settled
    assert s.frame.progress.failed == s.frame.progress.ideal
    assert not len(s.frame.picture.cover.blank)


def test_another_atlas_asks_for_everything_again() -> None:
    s = Setting()
    s.load(view(100, 100, 1))
    s.atlas = Atlas()
    s.prepare(view(100, 100, 1))
    assert not s.frame.settled
    s.client.finish(10_000)
    s.prepare(view(100, 100, 1))
    assert s.frame.settled


@pytest.mark.parametrize("outside", [view(-9000, 0, 1), view(5000, 5000, 1)])
def test_nothing_in_view_is_settled_and_draws_nothing(outside: View) -> None:
    s = Setting()
    s.load(outside)
    assert s.frame.settled
    assert not len(s.frame.picture.quads.rectangles)


def test_outside_of_the_slices_nothing_is_drawn() -> None:
    s = Setting()
    s.load(view(100, 100, 1))
    s.slice = None
    s.prepare(None)
    assert s.frame.picture.quads is None
    assert s.frame.settled
    assert s.client.listed == {}


def test_what_is_read_ahead_unsettles_nothing() -> None:
    s = Setting()
    s.load(view(100, 100, 1))
    s.frame.rest(AT_REST)
    s.client.finish(10_000, ahead=True)
    assert s.client.ready
    assert s.frame.settled


@pytest.mark.parametrize("side", [3, 4, 5])
@pytest.mark.parametrize("pixel", [0.15, 0.45, 0.9, 1.8, 4.0])
def test_every_view_settles_in_an_atlas_that_holds_the_overview(side: int, pixel: float) -> None:
    setting = Setting(side)
    setting.slice = octree_slice(max_overview=100)
    at = view(333, 471, pixel)
    for _ in range(5):
        setting.load(at)
    assert setting.frame.settled
    assert setting.frame.progress.loading == 0


def test_a_policy_says_what_is_loaded_from_then_on() -> None:
    s, at = Setting(), view(100, 100, 1)
    s.prepare(at)
    explored = {r.key for r in s.client.listed.values()}
    s.frame.follow(QUALITY)
    only = list(s.client.listed.values())
    assert {r.tier for r in only} == {Tier.OVERVIEW, Tier.IDEAL}
    assert {r.key for r in only} < explored
    s.frame.follow(PLAY)
    relative = [r.relative_level for r in s.client.listed.values() if r.tier is Tier.COVERAGE]
    assert relative == sorted(relative, reverse=True)
    assert set(relative) == {1, 2}
    s.frame.follow(EXPLORE)
    assert {r.key for r in s.client.listed.values()} == explored
