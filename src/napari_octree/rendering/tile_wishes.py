"""TileWishes: what one 2-D view wants of the loader, and what its atlas must keep for it.

Invariants: GUI thread only. The loader is told of the whole working set at once, best first, less
what is resident for good; a request stays the same object as long as it is on the list.
`protected` is all of the working set that is to be drawn, of whatever slice.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_octree.config import OctreeConfig
from napari_octree.layers.octree_slice import OctreeSlice, TileKey
from napari_octree.loading.request import TileRequest
from napari_octree.octree.chunk_key import ChunkKey, Tier, Wish
from napari_octree.octree.intersection import OctreeIntersection
from napari_octree.octree.motion import Motion
from napari_octree.octree.policy import EXPLORE, Policy
from napari_octree.octree.wishes import wish_list
from napari_octree.rendering.texture_atlas_2d import TextureAtlas2D

if TYPE_CHECKING:
    import numpy as np

    from napari_octree.loading.client import LoaderClient

RequestName = tuple[ChunkKey, Tier, int, int]

MOST_BUFFERED = 64
"""Slices each way that are looked at to tell how many are in RAM."""


class TileWishes:
    """The working set of one view after the other.

    Parameters
    ----------
    client : LoaderClient
    config : OctreeConfig
    """

    def __init__(self, client: LoaderClient, config: OctreeConfig) -> None:
        self._client = client
        self._prefetch = config.render.prefetch
        self._wishes: tuple[Wish, ...] = ()
        self._requests: dict[RequestName, TileRequest] = {}
        self.protected: set[TileKey] = set()
        self.scroll_axis: int | None = None
        self.moving = False
        self.follow(EXPLORE)

    def follow(self, policy: Policy) -> None:
        """Wish by this policy from the next `ask` on."""
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
        if not octree_slice.overview_is_cheap:
            policy = replace(policy, most_ahead=0)
        slots = atlas.slots
        self._wishes = wish_list(octree_slice.octree, intersection, policy, motion, slots.capacity)
        slices: dict[int, OctreeSlice | None] = {0: octree_slice}
        requests: dict[RequestName, TileRequest] = {}
        protected: set[TileKey] = set()
        # Hundreds of times below, where an enum's own look-up would take most of the time.
        overview, ahead, prefetch = Tier.OVERVIEW, Tier.AHEAD, Tier.PREFETCH
        for wish in self._wishes:
            chunk, tier, above, _, offset = wish
            if offset not in slices:
                axis = self.scroll_axis
                slices[offset] = None if axis is None else octree_slice.moved(axis, offset)
            of_slice = slices[offset]
            if of_slice is None:  # beyond the data
                continue
            key = (of_slice.key, chunk)
            if tier is ahead and 2 * len(protected) > slots.capacity:
                continue
            if tier is not prefetch:
                protected.add(key)
            if overview_only and tier is not overview:
                continue
            slot = slots.get(key)
            if slot is not None and slot.complete:
                continue
            name = (chunk, tier, above, offset)
            request = self._requests.get(name)
            if request is None:
                request = of_slice.tile_request(wish, atlas.apron, atlas.encoding.encode)
            requests[name] = request
        if len(kept) + len(protected) < slots.capacity:
            protected.update(kept)
        self.protected, self._requests = protected, requests
        self._client.replace(list(requests.values()))

    def renew(self) -> None:
        """Make new requests from now on: those so far are for another atlas or slice."""
        self._requests.clear()

    def want_nothing(self) -> None:
        """Take everything off the loader's list."""
        if self._wishes:
            self._client.replace([])
        self._wishes = ()

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
