"""ChannelGroup: the channels of one image in one viewer show each new tile in the same frame.

Invariants: GUI thread only. A round is one draw of the canvas, in which every visible member takes
part once. A tile is shown by all members from the round after the one in which the last of them
got it, so that it does not matter who is drawn first; what was shown stays. Who took no part
in the last round (hidden, removed) is not waited for, nor is a tile that has failed, and no
tile is held back for longer than `PATIENCE_S`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterable
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.octree.chunk_key import ChunkKey

PATIENCE_S = 0.5
"""A tile that has waited so long for the other channels is shown without them."""


class Tiles(Protocol):
    """What a member has of its own layer."""

    def has(self, place: SliceKey, chunk: ChunkKey) -> bool:
        """Whether a tile can be drawn, or can never be, at another layer's place."""
        ...


class ChannelGroup:
    """Who takes part in the rounds of one viewer."""

    def __init__(self) -> None:
        self.members: WeakSet[ChannelMember] = WeakSet()
        self._entered: WeakSet[ChannelMember] = WeakSet()
        self.failed: set[ChunkKey] = set()
        """Tiles that are marked as failed by those that have entered this round."""

    def enter(self, member: ChannelMember) -> None:
        """`member` is drawn now; if it is its second time, a new round has begun."""
        if member in self._entered:
            self.members, self._entered = self._entered, WeakSet()
            self.failed.clear()
            for each in self.members:
                each.fresh.clear()
        self._entered.add(member)


class ChannelMember:
    """One layer's part in its group.

    Parameters
    ----------
    group : ChannelGroup
    tiles : Tiles
    clock : callable
        Seconds; replaced in tests.

    Attributes
    ----------
    fresh : set of ChunkKey
        Tiles that have come in this round.
    more : bool
        All members have what is held back: another round will show it.
    """

    def __init__(
        self, group: ChannelGroup, tiles: Tiles, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.group = group
        self.fresh: set[ChunkKey] = set()
        self.more = False
        self._tiles = tiles
        self._clock = clock
        self._waiting: dict[ChunkKey, float] = {}
        self._shown: Collection[ChunkKey] = ()
        self._place: SliceKey | None = None

    @property
    def wait_ms(self) -> float | None:
        """Until the first tile is shown whatever the others have; None if none is held back."""
        if not self._waiting:
            return None
        return max((min(self._waiting.values()) + PATIENCE_S - self._clock()) * 1e3, 0.0)

    def begin(self) -> None:
        """Take part in a round: before anything that comes in it is added to `fresh`."""
        self.group.enter(self)

    def marked_before(self, failed: Iterable[ChunkKey]) -> frozenset[ChunkKey]:
        """Which of the tiles that have failed here another channel has marked in this round.

        What lies in the same place in several channels is marked once: marks, too, add up.
        """
        failed = frozenset(failed)
        marked = failed & self.group.failed
        self.group.failed |= failed
        return marked

    def hold_back(self, place: SliceKey, ready: Iterable[ChunkKey]) -> frozenset[ChunkKey]:
        """Which of the ideal tiles that one has are not to be shown in this round.

        Parameters
        ----------
        place : SliceKey
        ready : iterable of ChunkKey
            Ideal tiles of the view that can be drawn.
        """
        others = [member for member in self.group.members if member is not self]
        if place != self._place:
            self._place, self._shown, self._waiting = place, (), {}
        ready, now, waiting = list(ready), self._clock(), {}
        self.more = False
        for chunk in ready:
            if chunk in self._shown or not others:
                continue
            present = all(member._tiles.has(place, chunk) for member in others)
            fresh = chunk in self.fresh or any(chunk in member.fresh for member in others)
            since = self._waiting.get(chunk, now)
            if (fresh or not present) and now - since < PATIENCE_S:
                waiting[chunk] = since
                self.more |= present
        self._waiting = waiting
        self._shown = set(ready) - waiting.keys()
        return frozenset(waiting)


_groups: WeakKeyDictionary[Any, dict[Hashable, ChannelGroup]] = WeakKeyDictionary()


def group_of(canvas: Any, name: Hashable) -> ChannelGroup:
    """The group of that name in one viewer's canvas, made when first asked for."""
    return _groups.setdefault(canvas, {}).setdefault(name, ChannelGroup())
