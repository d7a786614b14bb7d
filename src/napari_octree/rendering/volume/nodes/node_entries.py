"""Which brick of the octree lies below which: what is written for each brick that is shown.

Invariants: pure; a function of the bricks that are shown and of those that have failed. A brick is
entered below every coarser brick that it overlaps: one where levels nest, more where they do not.
A brick that could not be loaded may have a slot all the same, for its block of entries: the walk
goes on through it to what is below, and shows its parent where nothing is.

An entry is (slot number, flag, lowest value, highest value), values as the shader samples them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.rendering.volume.nodes.node_geometry import NodeGeometry

PASSAGE, FAILED, ABSENT, LEAF, BRANCH = -2, -1, 0, 1, 2
"""Flags: a failed brick with children, without; nothing; a brick without children, with."""


@dataclass(frozen=True, eq=False)
class NodeEntries:
    """The entries of all bricks, and where each belongs.

    Attributes
    ----------
    geometry : NodeGeometry
    levels, tiles : (N,), (N, 3) int64
        Which bricks. Failed ones first: where two are entered in one place the last one stays,
        and of a failed brick an older version may be shown.
    entries : (N, 4) float32
    child, owner, local : (M,), (M,), (M, 3) int64
        Below which bricks they lie: position of the brick, slot of the coarser one (0 for none,
        above the coarsest level), and place in that one's block of entries.
    """

    geometry: NodeGeometry
    levels: IntArray
    tiles: IntArray
    entries: np.ndarray
    child: IntArray
    owner: IntArray
    local: IntArray

    @classmethod
    def of(
        cls,
        geometry: NodeGeometry,
        keys: Sequence[ChunkKey],
        slots: IntArray,
        ranges: FloatArray,
        failed: Sequence[ChunkKey] = (),
        failed_slots: IntArray | None = None,
    ) -> NodeEntries:
        """Find out which bricks lie below which.

        Parameters
        ----------
        geometry : NodeGeometry
        keys : sequence of ChunkKey
            The bricks that are shown.
        slots : (N,) int64
            Their slots in the atlas, counted from 1 on.
        ranges : (N, 2) float
            Lowest and highest value of each.
        failed : sequence of ChunkKey
            Bricks that could not be loaded, marked where their coarser ones are reached.
        failed_slots : (M,) int64, optional
            Their slots; 0 for those without.
        """
        if failed_slots is None:
            failed_slots = np.zeros(len(failed), np.int64)
        levels, tiles = _arrays([*failed, *keys])
        all_slots = np.r_[failed_slots, slots].astype(np.int64)
        walked = np.flatnonzero(np.r_[failed_slots > 0, np.ones(len(keys), np.bool_)])
        owners = _Owners(geometry, levels[walked], tiles[walked])
        child, nth, local = owners.below(levels, tiles)
        has_children = np.zeros(len(levels), np.bool_)
        has_children[walked[nth[nth >= 0]]] = True
        entries = np.zeros((len(levels), 4), np.float32)
        entries[:, 0] = all_slots
        shown = np.arange(len(levels)) >= len(failed)
        entries[:, 1] = np.where(
            shown,
            np.where(has_children, BRANCH, LEAF),
            np.where(has_children, PASSAGE, FAILED),
        )
        entries[len(failed) :, 2:] = ranges
        owner = np.r_[all_slots[walked], 0][nth]
        return cls(geometry, levels, tiles, entries, child, owner, local)


class _Owners:
    """The bricks that have a block of entries, to be looked up.

    Parameters
    ----------
    geometry : NodeGeometry
    levels, tiles : (N,), (N, 3) int64
    """

    def __init__(self, geometry: NodeGeometry, levels: IntArray, tiles: IntArray) -> None:
        self._geometry = geometry
        names = _names(geometry, levels, tiles)
        self._order = np.argsort(names)
        self._names = names[self._order]

    def below(self, levels: IntArray, tiles: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Where bricks are entered.

        Returns
        -------
        child, owner, local : (N,), (N,), (N, 3) int64
            A position among the bricks asked for, one among those that have a block (-1: above
            all) and the place in it. As often as a brick overlaps bricks that have one.
        """
        geometry = self._geometry
        child, owner, local = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [tiles[:0]]
        for level in np.unique(levels):
            mine = np.flatnonzero(levels == level)
            if level == len(geometry.pitch) - 1:
                child.append(mine)
                owner.append(np.full(len(mine), -1))
                local.append(tiles[mine])
                continue
            if not len(self._names):
                continue
            own, parents = geometry.parents(level, tiles[mine])
            wanted = _names(geometry, np.full(len(parents), level + 1), parents)
            place = np.minimum(np.searchsorted(self._names, wanted), len(self._names) - 1)
            shown = self._names[place] == wanted
            within = tiles[mine][own] - geometry.first_child(level, parents)
            shown &= ((within >= 0) & (within < geometry.block)).all(axis=1)
            child.append(mine[own[shown]])
            owner.append(self._order[place[shown]])
            local.append(within[shown])
        return np.concatenate(child), np.concatenate(owner), np.concatenate(local)


def _arrays(keys: Sequence[ChunkKey]) -> tuple[IntArray, IntArray]:
    """Levels (N,) and indices (N, 3)."""
    levels = np.fromiter((key.level for key in keys), np.int64, len(keys))
    return levels, np.array([key.index for key in keys], np.int64).reshape(-1, 3)


def _names(geometry: NodeGeometry, levels: IntArray, tiles: IntArray) -> IntArray:
    """A number for each brick."""
    _, rows, columns = (int(n) + 1 for n in geometry.last.max(axis=0))
    number: IntArray = ((levels << 20 | tiles[:, 0]) * rows + tiles[:, 1]) * columns + tiles[:, 2]
    return number
