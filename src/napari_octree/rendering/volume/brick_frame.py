"""What one viewer shows of one layer in 3-D: from a view to the bricks of the octree on the GPU.

Invariants: GUI thread only. A frame selects bricks only if the view has changed, a brick that is
refined turns out to be empty, or there is less memory than the selection needs, or more where it
had too little; it uploads in the order of the selection until its milliseconds are spent, and a
brick too large for them goes slab by slab over several frames. What is selected is never evicted.
Only selected bricks are shown, so a settled picture does not depend on what was seen before; but
until the coarsest bricks of another slice are there, those of the former one stay, and `stale`
says so. Nothing here knows napari: the atlas, the loader's client and the layer's slice are handed
in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from napari_octree.config import OctreeConfig
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import TileKey
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.octree.bricks.selection import BrickSelection, select_bricks
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.motion import Motion
from napari_octree.octree.policy import Policy
from napari_octree.octree.view import VolumeView
from napari_octree.rendering.drawing import FrameInputs
from napari_octree.rendering.gpu.atlas_slots import AtlasSlots
from napari_octree.rendering.gpu.upload_budget import UploadBudget
from napari_octree.rendering.volume.brick_requests import BrickRequests, max_nodes, room_for
from napari_octree.rendering.volume.brick_uploads import BrickUploads
from napari_octree.rendering.volume.nodes.shown_bricks import ShownBricks
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D

if TYPE_CHECKING:
    from collections.abc import Set

    from napari_octree.loading.loader import LoaderClient

SOON_CLEARED = 32 * 2**20
"""Bytes of an atlas that no picture needs to wait for."""


@dataclass(frozen=True, eq=False)
class BrickInputs(FrameInputs[VolumeView]):
    """What a 3-D frame shows, and how much it may do.

    Attributes
    ----------
    unseen : float
        Texture values up to this leave no trace. A brick of one such value, apron included, is
        taken for empty.
    hurried : bool
        Frames are late as it is: an atlas that should grow, which takes a moment, does so later.
    """

    unseen: float = -math.inf
    hurried: bool = False


class BrickFrame:
    """Selections and uploads for one view after the other.

    Parameters
    ----------
    client : LoaderClient
    config : OctreeConfig
    budget : UploadBudget
    """

    def __init__(self, client: LoaderClient, config: OctreeConfig, budget: UploadBudget) -> None:
        self._client = client
        self._config = config
        self._atlas: TextureAtlas3D | None = None
        self._slice: OctreeSlice | None = None
        self._planned: tuple[VolumeView, int | None] | None = None
        self._selection: BrickSelection | None = None
        self._requests = BrickRequests(client, config)
        self._told = False  # the loader, of what is expected
        self._uploads = BrickUploads(client, budget)
        self._empty: set[ChunkKey] = set()  # as the selection was told
        self._unseen = -math.inf
        self._uploaded = False
        self._room = 0  # bricks that the selection might have
        self.plans = 0
        self.shown: ShownBricks | None = None

    # ------------------------------------------------------------------- frame

    def expect(self, scroll_axis: int | None, motion: Motion, policy: Policy) -> None:
        """Load ahead what a slider that moves so is likely to show next, by this policy.

        From the next frame on, or from `wish`.
        """
        requests, expected = self._requests, (scroll_axis, motion, policy)
        if expected != (requests.scroll_axis, requests.motion, requests.policy):
            requests.scroll_axis, requests.motion, requests.policy = expected
            self._told = False

    def wish(self) -> None:
        """Tell the loader what is expected, if it does not know."""
        if self._told or self._planned is None:
            return
        assert self._slice is not None
        assert self._selection is not None
        assert self._atlas is not None
        self._requests.ask(self._slice, self._selection, self._atlas)
        self._told = True

    def prepare(self, atlas: TextureAtlas3D, inputs: BrickInputs) -> bool:
        """Do a frame's work.

        Parameters
        ----------
        atlas : TextureAtlas3D
            Another one than before means that nothing is resident any more.
        inputs : BrickInputs

        Returns
        -------
        bool
            Whether `shown` has changed.
        """
        octree_slice, view, unseen = inputs.octree_slice, inputs.view, inputs.unseen
        if atlas is not self._atlas:
            self._atlas = atlas
            self._start_over()
        if octree_slice is not self._slice:
            if self._slice is not None and octree_slice is not None:  # with better sources now?
                bricks = cast("AtlasSlots[TileKey]", atlas.slots)
                bricks.outdate(octree_slice.outdated(self._slice, bricks))
            self._slice = octree_slice
            self._uploads.forgive(self._atlas)
            self._requests.renew()
            self._planned = None
        if octree_slice is None or view is None:
            return self._show_nothing()
        former, self._unseen = self._unseen, unseen
        planned = self._plan(octree_slice, view, inputs.locked_level)
        self.wish()
        if not inputs.hurried:
            planned |= self._grow()
        uploaded = self._uploads.take(atlas, self._requests.protected, inputs.upload_ms)
        uploaded = uploaded or self._uploaded
        self._uploaded = False
        if (uploaded or unseen != former) and self._is_outdated(octree_slice):
            self._planned = None
            planned = self._plan(octree_slice, view, inputs.locked_level)
        return self._show(octree_slice) if planned or uploaded else False

    def upload(self, upload_ms: float) -> None:
        """Upload finished bricks between two frames: the next one shows them.

        Until then nothing may be drawn, since what is shown may have lost its slot.
        """
        if self._selection is not None and self._atlas is not None:
            self._uploaded |= self._uploads.take(self._atlas, self._requests.protected, upload_ms)

    def configure(self, config: OctreeConfig) -> None:
        """Go by other settings from the next frame on, which asks for everything again."""
        self._config = config
        self._requests.configure(config)
        self.forget()

    def pause(self) -> None:
        """Want nothing until the next frame, which selects anew."""
        self._requests.want_nothing()
        self._planned = None
        self._uploads.more = False

    def forget(self) -> None:
        """Ask for everything again in the next frame (failed reads are to be tried again)."""
        self._client.replace([])
        self._uploads.forgive(self._atlas)
        self._planned = None

    def replan(self) -> None:
        """Select anew in the next frame: the atlas may hold more than before."""
        self._planned = None

    def _start_over(self) -> None:
        """Nothing is resident any more."""
        self.shown = None
        self._uploads.drop()
        self._requests.renew()  # it may hold other texels
        self.forget()

    def _show_nothing(self) -> bool:
        shown = self.shown is not None
        self._requests.want_nothing()
        self._selection, self._planned, self.shown = None, None, None
        self._uploads.more = False
        return shown

    def _plan(self, octree_slice: OctreeSlice, view: VolumeView, locked_level: int | None) -> bool:
        assert self._atlas is not None
        room = max_nodes(self._atlas.most)
        if self._planned == (view, locked_level) and self._suits(room):
            return False
        self._planned, self._room = (view, locked_level), room
        self._empty = self._without_trace(octree_slice)
        selection = select_bricks(
            octree_slice.octree,
            view,
            room,
            level_bias=self._config.render.level_bias,
            locked_level=locked_level,
            empty=self._empty,
        )
        self.plans += 1
        self._selection = selection
        self._requests.ask(octree_slice, selection, self._atlas)
        self._told = True
        return True

    def _suits(self, room: int) -> bool:
        """Whether the selection is as good as any, now that it may have so many bricks.

        Others may have taken the memory that the atlas was to grow into, or have let go of what it
        was too coarse for want of.
        """
        selection = self._selection
        if selection is None:
            return True
        fits = room >= min(len(selection), self._room)
        return fits and (selection.complete or room <= self._room)

    def _grow(self) -> bool:
        """Have room for the selection, once what is shown covers the view.

        A larger atlas is there only after its memory has been cleared: no first picture waits for
        that. Returns whether what was resident has been lost.
        """
        atlas, selection, octree_slice = self._atlas, self._selection, self._slice
        assert atlas is not None
        assert selection is not None
        assert octree_slice is not None
        wanted = room_for(len(selection))
        covers = self.shown is not None and self.shown.covers
        waits = not covers and len(atlas.slots) < atlas.slots.capacity
        if waits and wanted * atlas.encoding.nbytes > SOON_CLEARED:
            return False
        planned, capacity = self._planned, atlas.slots.capacity
        if atlas.reserve(wanted):
            if atlas.slots.capacity > capacity:  # which there is room to load ahead in
                self._told = False
                self.wish()
            return False
        self._start_over()
        self._planned = planned
        self._requests.ask(octree_slice, selection, atlas)
        return True

    def _without_trace(self, octree_slice: OctreeSlice) -> set[ChunkKey]:
        """Resident bricks in which nothing would be seen."""
        return {
            brick.chunk
            for brick, value in self._uploads.uniform.items()
            if value <= self._unseen and brick.place == octree_slice.key
        }

    def _is_outdated(self, octree_slice: OctreeSlice) -> bool:
        """Whether the selection would go less far below a brick, or further."""
        assert self._selection is not None
        told, now = self._empty, self._without_trace(octree_slice)
        less = not (now - told).isdisjoint(self._selection.ancestors)
        return less or not (told - now).isdisjoint(self._selection.leaves)

    # ------------------------------------------------------------------- shown

    def _show(self, octree_slice: OctreeSlice) -> bool:
        """Compose the octree of what is selected and resident."""
        assert self._atlas is not None
        assert self._selection is not None
        atlas, former = self._atlas, self.shown
        absent = {*self._uploads.hollow, self._uploads.unfinished}
        selected = (*self._selection.ancestors, *self._selection.leaves)
        keys = [
            key
            for key in selected
            if (brick := TileKey(octree_slice.key, key)) in atlas.slots and brick not in absent
        ]
        top = octree_slice.octree.coarsest.index
        coarsest = {key for key in selected if key.level == top}
        gone = {brick.chunk for brick in self._uploads.failed if brick.place == octree_slice.key}
        # What could not be loaded will not come: what lies below it is shown without.
        arrived = coarsest <= {*keys, *gone} and (bool(keys) or not self._client.pending)
        if former is not None and former.octree_slice.key != octree_slice.key and not arrived:
            if former.octree_slice.octree != octree_slice.octree:
                former = self.shown = None
            else:
                octree_slice = former.octree_slice
                place = octree_slice.key
                keys = [key for key in former.keys if TileKey(place, key) in atlas.slots]
        failed = [
            brick.chunk
            for brick in self._uploads.failed - {TileKey(octree_slice.key, key) for key in keys}
            if brick.place == octree_slice.key
        ]
        slots, failed_slots = (
            self._numbers(octree_slice, keys),
            self._numbers(octree_slice, failed),
        )
        ranges = atlas.value_ranges(slots)
        covers = coarsest <= {*keys, *failed}
        shown = ShownBricks(octree_slice, keys, slots, ranges, failed, failed_slots, covers)
        drawn = {TileKey(octree_slice.key, key) for key in keys}
        rewritten = not self._uploads.written.isdisjoint(drawn)
        self._uploads.written.clear()
        if former is not None and shown.shows_as(former) and not rewritten:
            return False  # what has come was only loaded ahead
        self.shown = shown
        return True

    def _numbers(self, octree_slice: OctreeSlice, keys: list[ChunkKey]) -> np.ndarray:
        """The slots of bricks that are drawn now; 0 for those without."""
        assert self._atlas is not None
        atlas = self._atlas
        slots = [atlas.slots.get(TileKey(octree_slice.key, key)) for key in keys]
        drawn = [slot.number for slot in slots if slot is not None]
        atlas.slots.touch(np.array(drawn, np.int64))
        numbers = (0 if slot is None else atlas.number(slot) for slot in slots)
        return np.fromiter(numbers, np.int64, len(slots))

    # ------------------------------------------------------------------- state

    @property
    def stale(self) -> bool:
        """What is shown belongs to another slice than the one asked for."""
        if self.shown is None or self._slice is None:
            return False
        return self.shown.octree_slice.key != self._slice.key

    @property
    def more(self) -> bool:
        """Bricks are ready, or half uploaded, that did not fit in the last frame's budget."""
        return self._uploads.more

    @property
    def level(self) -> int:
        """The finest level of the last selection (0 before any)."""
        if self._selection is None:
            return 0
        return min((key.level for key in self._selection.leaves), default=0)

    @property
    def progress(self) -> OctreeProgress:
        """Of the leaves of the last selection."""
        if self._selection is None or self._slice is None or self._atlas is None:
            return OctreeProgress()
        bricks = [TileKey(self._slice.key, key) for key in self._selection.leaves]
        shown = set() if self.stale or self.shown is None else set(self.shown.keys)
        resident = sum(brick.chunk in shown for brick in bricks)
        failed = sum(brick in self._uploads.failed for brick in bricks)
        return OctreeProgress(len(bricks), resident, len(bricks) - resident - failed, failed)

    @property
    def failed(self) -> Set[TileKey]:
        """Bricks, of any slice, that could not be read."""
        return self._uploads.failed

    @property
    def settled(self) -> bool:
        """Every selected brick is shown, and no better version is to come."""
        if self._selection is None:
            return self._slice is None
        if self._planned is None:  # the next frame selects anew
            return False
        if self.stale or self._uploads.more or self.shown is None or self._client.pending:
            return False
        return len(self.shown.keys) == len(self._selection)

    @property
    def stuck(self) -> bool:
        """Not settled, and nothing is on its way: reads have failed."""
        if not self._uploads.failed or self.settled:
            return False
        client = self._client
        return not (client.pending or client.ready or self._uploads.more or self._uploaded)
