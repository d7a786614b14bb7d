"""TileRequests: what one 2-D view wants of the loader, and what its atlas must keep for it.

Invariants: GUI thread only. The loader is told of the whole working set at once, best first, less
what is resident for good; a request stays the same object as long as it is on the list. The loader
is not told of what is at hand (`loading.at_hand`): frames make it, and none of it is made ahead.
`protected` is all of the working set that is to be drawn, of whatever slice: put together when it
is asked for, which is when something is uploaded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, cast

from napari_octree.config import OctreeConfig
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey, TileKey
from napari_octree.loading.at_hand import is_at_hand, region_is_at_hand
from napari_octree.loading.request import TileRequest
from napari_octree.octree.chunk_key import ChunkKey, Tier, Wish
from napari_octree.octree.cover.intersection import OctreeIntersection
from napari_octree.octree.motion import Motion
from napari_octree.octree.policy import EXPLORE, QUALITY, Policy
from napari_octree.octree.wish_list import wish_list
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D

if TYPE_CHECKING:
    import numpy as np

    from napari_octree.loading.loader import LoaderClient
    from napari_octree.rendering.gpu.texture_encoding import TextureEncoding

RequestName = tuple[ChunkKey, Tier, int, int]

MOST_BUFFERED = 64
"""Slices each way that are looked at to tell how many are in RAM."""


class TileRequests:
    """The working set of one view after the other.

    Parameters
    ----------
    client : LoaderClient
    config : OctreeConfig

    Attributes
    ----------
    at_hand : deque of TileRequest
        Tiles that the frames are to make, best first.
    """

    def __init__(self, client: LoaderClient, config: OctreeConfig) -> None:
        self._client = client
        self.at_hand: deque[TileRequest] = deque()
        self._refused: set[TileKey] = set()
        self._told = self._calculated = False
        self._prefetch = config.render.prefetch
        self._wishes: tuple[Wish, ...] = ()
        self._requests: dict[RequestName, TileRequest] = {}
        self._wanted: set[TileKey] = set()
        self._shown: tuple[SliceKey, Collection[ChunkKey]] | None = None
        self._protected: set[TileKey] = set()
        self._asked_moving = False
        self.scroll_axis: int | None = None
        self.moving = False
        self.sending: TileKey | None = None  # is not to be asked for: the GPU has a part of it
        self.follow(EXPLORE)

    def configure(self, config: OctreeConfig) -> None:
        """Wish by other settings from the next `ask` on."""
        self._prefetch = config.render.prefetch
        self.follow(self.policy)

    def follow(self, policy: Policy) -> None:
        """Wish by this policy from the next `ask` on."""
        self._asked_moving = False
        self.policy = self._moving_policy = self._resting_policy = policy
        if policy == EXPLORE:
            # Levels are not guessed: a zoom shows coarser tiles until it ends, and reads few.
            self._moving_policy = replace(
                policy, ring=0, slices=self._prefetch.slices, neighbour_levels=False
            )
            # Of the ring only what a short move shows: most views are left for quite other places.
            self._resting_policy = replace(
                self._moving_policy, ring=self._prefetch.ring, probable=0.1
            )

    def ask(
        self,
        octree_slice: OctreeSlice,
        intersection: OctreeIntersection,
        motion: Motion,
        atlas: TextureAtlas2D,
        overview_only: bool,
        kept: Collection[TileKey],
    ) -> None:
        """Replace what the loader has been told.

        Parameters
        ----------
        octree_slice : OctreeSlice
        intersection : OctreeIntersection
        motion : Motion
            Directs what is read ahead.
        atlas : TextureAtlas2D
            What is in it for good is not asked for.
        overview_only : bool
            The view changes too quickly for anything else; the rest is protected all the same.
        kept : collection of TileKey
            Protected too, if there is room for it.
        """
        policy = self._moving_policy if self.moving else self._resting_policy
        if octree_slice.is_one_tile and self._is_made_by_frames(octree_slice, atlas):
            policy = QUALITY  # other slices are too, when their turn comes: nothing is read ahead
        elif not octree_slice.overview_is_cheap:
            policy = replace(policy, most_ahead=0)
        slots, octree = atlas.slots, octree_slice.octree
        room = atlas.room(octree)
        root = 1 + slots.capacity - room  # slots that a tile of the coarsest level takes
        self._wishes = wish_list(octree, intersection, policy, motion, room)
        places = self._places(octree_slice)
        # Hundreds, in every frame that shows other tiles: what is there already costs a look-up.
        wishes = [wish for wish in self._wishes if wish.slice_offset in places]
        # Plain pairs, which equal `TileKey`s, are made in a fifth of the time.
        keys = cast(
            "list[TileKey]", [(places[wish.slice_offset].key, wish.key) for wish in wishes]
        )
        # Tiers follow one another. Slices ahead may have half of the atlas.
        first, last = (
            bisect_left(wishes, tier, key=attrgetter("tier"))
            for tier in (Tier.AHEAD, Tier.PREFETCH)
        )
        most = first + max(slots.capacity // 2 + 1 - first, 0) // root
        del wishes[most:last], keys[most:last]
        protected = set(keys[: min(last, most)])
        requests: dict[RequestName, TileRequest] = {}
        for key, wish in zip(keys, wishes, strict=True):
            slot = slots.get(key)
            if (slot is not None and slot.complete) or key == self.sending:
                continue
            if overview_only and wish.tier is not Tier.OVERVIEW:
                continue
            name = (wish.key, wish.tier, wish.relative_level, wish.slice_offset)
            request = self._requests.get(name)
            if request is None:
                of_slice = places[wish.slice_offset]
                request = of_slice.tile_request(wish, atlas.apron, atlas.encoding.encode)
            requests[name] = request
        if len(kept) + len(protected) + 2 * (root - 1) <= slots.capacity:
            protected.update(kept)
        self._protected = self._wanted = protected
        self._shown = None
        self._requests = requests
        self._asked_moving = self.moving
        self._calculated = atlas.encoding.is_scaled
        self._share_out()

    def _is_made_by_frames(self, octree_slice: OctreeSlice, atlas: TextureAtlas2D) -> bool:
        """Whether the one tile of a slice is at hand."""
        box = [(0, n) for n in octree_slice.octree.extent]
        region = octree_slice.region(0, box)
        return region_is_at_hand(octree_slice.sources[0], region, atlas.encoding.is_scaled)

    def foresee(
        self,
        octree_slice: OctreeSlice,
        intersection: OctreeIntersection,
        apron: int,
        encoding: TextureEncoding,
    ) -> None:
        """Tell the loader of what a view will show, before there is an atlas.

        Parameters
        ----------
        octree_slice : OctreeSlice
        intersection : OctreeIntersection
        apron : int
        encoding : TextureEncoding
            As the atlas will have them.
        """
        self._calculated = encoding.is_scaled
        self._requests = {
            (wish.key, wish.tier, wish.relative_level, 0): octree_slice.tile_request(
                wish, apron, encoding.encode
            )
            for wish in wish_list(octree_slice.octree, intersection, self._moving_policy)
            if wish.tier.awaited
        }
        self._share_out()

    def _share_out(self) -> None:
        """Tell the loader of what is not at hand."""
        self.at_hand.clear()
        others = []
        for request in self._requests.values():
            if request.key in self._refused or not is_at_hand(request, self._calculated):
                others.append(request)
            elif request.tier.awaited:
                self.at_hand.append(request)
        if others or self._told or not self.at_hand:
            self._told = bool(others)
            self._client.replace(others)

    def refuse(self, request: TileRequest) -> None:
        """Leave a tile that seemed to be at hand to the loader."""
        self._refused.add(cast(TileKey, request.key))
        self._share_out()

    @property
    def protected(self) -> set[TileKey]:
        """Tiles that must not be evicted."""
        if self._shown is not None:
            place, shown = self._shown
            self._protected = self._wanted.union(
                cast("Iterable[TileKey]", zip(repeat(place), shown))
            )
            self._shown = None
        return self._protected

    def let_be(self, place: SliceKey, shown: Collection[ChunkKey], capacity: int) -> bool:
        """Keep the list as it is, while the view moves over tiles that are all there.

        What else there is to wish for around them can wait for the view to rest, or to come to
        something that is not there.

        Parameters
        ----------
        place : SliceKey
        shown : collection of ChunkKey
            Protected from now on, besides what was asked for last.
        capacity : int
            Slots of the atlas that are left for tiles of one slot each.

        Returns
        -------
        bool
            False: `ask` has to be called.
        """
        if not (self.moving and self._asked_moving):
            return False
        if len(self._wanted) + len(shown) >= capacity:
            return False
        self._shown = (place, shown)
        return True

    def _places(self, present: OctreeSlice) -> dict[int, OctreeSlice]:
        """The slices that are wished for, as far as the data reach."""
        places, axis = {0: present}, self.scroll_axis
        for offset in {wish.slice_offset for wish in self._wishes} - {0}:
            moved = None if axis is None else present.moved(axis, offset)
            if moved is not None:
                places[offset] = moved
        return places

    def renew(self) -> None:
        """Make new requests from now on: those so far are for another atlas or slice."""
        self._requests.clear()
        self._refused.clear()
        self._asked_moving = False

    def want_nothing(self) -> None:
        """Take everything off the loader's list."""
        if self._told:
            self._told = False
            self._client.replace([])
        self._wishes = ()
        self.at_hand.clear()
        self._asked_moving = False

    def buffered(self, present: OctreeSlice | None) -> tuple[int, int] | None:
        """Positions of the slider last moved whose slices are in RAM around the present one."""
        axis = self.scroll_axis
        if axis is None or present is None or present.key.ranges[axis] is None:
            return None
        ideal = [wish for wish in self._wishes if not (wish.relative_level or wish.slice_offset)]

        def in_ram(steps: int) -> bool:
            there = present.moved(axis, steps)
            return there is not None and all(
                self._client.at_hand(there.tile_request(wish, 0, _as_is)) for wish in ideal
            )

        before, after = (
            next((n for n in range(1, MOST_BUFFERED) if not in_ram(sign * n)), MOST_BUFFERED) - 1
            for sign in (-1, 1)
        )
        position = present.key.position(axis)
        return position - before, position + after + 1


def _as_is(block: np.ndarray) -> np.ndarray:
    return block
