"""BrickRequests: what one 3-D view wants of the loader, and what its atlas must keep for it.

Invariants: GUI thread only. The loader is told of the whole selection at once, best first, less
what is resident for good, then of what a moving slider is likely to show next; a request stays the
same object as long as it is on the list. `protected` is all that is to be drawn, of whatever
slice, with the coarsest bricks that were seen before, and never more than the atlas holds.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from napari_octree.config import OctreeConfig
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import TileKey
from napari_octree.loading.request import TileRequest
from napari_octree.octree.bricks.selection import BrickSelection, in_other_slices
from napari_octree.octree.chunk_key import ChunkKey, Tier
from napari_octree.octree.motion import AT_REST, Motion
from napari_octree.octree.policy import EXPLORE, Policy
from napari_octree.rendering.volume.brick_encoding import APRON
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D

if TYPE_CHECKING:
    from napari_octree.loading.loader import LoaderClient

RequestName = tuple[ChunkKey, Tier, int, int]


def max_nodes(capacity: int) -> int:
    """How many of an atlas' slots a selection may fill.

    An eighth keeps what was seen before, and the coarsest bricks of the former and of the next
    slices.
    """
    return max(capacity - capacity // 8, 1)


def roots_kept(capacity: int) -> int:
    """How many coarsest bricks out of view an atlas keeps for when they come into view again.

    Half of what a selection leaves free: the other half is for slices that are loaded ahead.
    """
    free = capacity - max_nodes(capacity)
    return free - free // 2


def room_for(bricks: int) -> int:
    """Slots with which a selection may have so many bricks."""
    return bricks + bricks // 7 + 1


class BrickRequests:
    """The working set of one view after the other.

    Parameters
    ----------
    client : LoaderClient
    config : OctreeConfig

    Attributes
    ----------
    scroll_axis : int or None
        The data axis whose slider was moved last.
    motion : Motion
        Of that slider.
    policy : Policy
        Which of the slices there are loaded ahead.
    """

    def __init__(self, client: LoaderClient, config: OctreeConfig) -> None:
        self._client = client
        self._slices = config.render.prefetch.slices
        self._requests: dict[RequestName, TileRequest] = {}
        self._asked = False
        self.protected: set[TileKey] = set()
        self.scroll_axis: int | None = None
        self.motion: Motion = AT_REST
        self.policy: Policy = EXPLORE

    def configure(self, config: OctreeConfig) -> None:
        """Wish by other settings from the next `ask` on."""
        self._slices = config.render.prefetch.slices

    def ask(
        self, octree_slice: OctreeSlice, selection: BrickSelection, atlas: TextureAtlas3D
    ) -> None:
        """Replace what the loader has been told.

        Parameters
        ----------
        octree_slice : OctreeSlice
        selection : BrickSelection
        atlas : TextureAtlas3D
            What is in it for good is not asked for.
        """
        slots, encoding = atlas.slots, atlas.encoding
        policy = self._policy(octree_slice, selection, slots.capacity)
        slices: dict[int, OctreeSlice | None] = {0: octree_slice}
        requests: dict[RequestName, TileRequest] = {}
        protected: set[TileKey] = set()
        for wish in (*selection.wishes, *in_other_slices(selection, self.motion, policy)):
            offset, tier = wish.slice_offset, wish.tier
            if offset not in slices:
                axis = self.scroll_axis
                slices[offset] = None if axis is None else octree_slice.moved(axis, offset)
            of_slice = slices[offset]
            if of_slice is None:  # beyond the data
                continue
            brick = TileKey(of_slice.key, wish.key)
            if tier is not Tier.PREFETCH:
                protected.add(brick)
            slot = slots.get(brick)
            if slot is not None and slot.complete:
                continue
            name = (wish.key, tier, wish.relative_level, offset)
            requests[name] = self._requests.get(name) or of_slice.tile_request(
                wish, APRON, encoding.encode, encoding.nbytes
            )
        protected |= self._out_of_view(octree_slice, len(selection), protected, atlas)
        self.protected, self._requests, self._asked = protected, requests, True
        self._client.replace(list(requests.values()))

    def _policy(
        self, octree_slice: OctreeSlice, selection: BrickSelection, capacity: int
    ) -> Policy:
        policy = self.policy
        if policy == EXPLORE:
            policy = replace(policy, slices=self._slices)
        # Half of what the selection leaves free: the former slice may still stand in.
        roots = sum(wish.tier is Tier.OVERVIEW for wish in selection.wishes)
        room = (capacity - max_nodes(capacity)) // 2 // max(roots, 1)
        most = min(policy.most_ahead, room) if octree_slice.overview_is_cheap else 0
        return replace(policy, most_ahead=most)

    def _out_of_view(
        self,
        octree_slice: OctreeSlice,
        bricks: int,
        selected: set[TileKey],
        atlas: TextureAtlas3D,
    ) -> set[TileKey]:
        """Return coarsest bricks that are resident: a view that turns to them has no hole."""
        root, place = octree_slice.octree.coarsest, octree_slice.key
        kept: set[TileKey] = set()
        capacity = atlas.slots.capacity
        most = roots_kept(capacity)
        if not capacity < min(room_for(bricks), atlas.most):  # it grows before it is full
            most = max(min(most, capacity - len(selected)), 0)
        # No more are looked at than may be selected and kept together, however many there are.
        for index in islice(np.ndindex(*root.grid_shape), len(selected) + most):
            brick = TileKey(place, ChunkKey(root.index, index))
            if len(kept) < most and brick in atlas.slots and brick not in selected:
                kept.add(brick)
        return kept

    def renew(self) -> None:
        """Make new requests from now on: those so far are for another atlas or slice."""
        self._requests.clear()

    def want_nothing(self) -> None:
        """Take everything off the loader's list."""
        if self._asked:
            self._client.replace([])
        self._asked = False
        self.protected = set()
