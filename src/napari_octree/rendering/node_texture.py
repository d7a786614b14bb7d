"""The octree as the GPU reads it: which brick lies below which, in one small texture.

Invariants
----------
* The entries are a pure function of the bricks that are shown; the texture is written whole or
  not at all.
* Every slot of the atlas has a block of entries, one per child that the brick in the slot may
  have. Block 0, whose slot holds no brick, has the bricks of the coarsest level.
* A brick is entered below every coarser brick that it overlaps: one where levels nest, more where
  they do not. Walking down from any place therefore finds the finest brick shown there
  whose coarser ones are shown too; where a child is absent, its parent stands in.
* A brick that could not be loaded may have a slot all the same, for its block of entries: the walk
  goes on through it to what is below, and shows its parent where nothing is.

An entry is (slot number, flag, lowest value, highest value); the flag is 0 for absent, 1 for a
leaf, 2 for a brick with children; for one that has failed -1, or -2 if it has children. Values are
as the shader samples them. Axis order (z, y, x).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from vispy.gloo import Texture3D

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.octree import Octree

CHILD_SLACK = 2.0**-8
"""In bricks: rounding of float32 when the shader computes the first child of a brick."""

PASSAGE, FAILED, ABSENT, LEAF, BRANCH = -2, -1, 0, 1, 2

MAX_LEVELS = 24
"""As in bricks.glsl."""


@dataclass(frozen=True, eq=False)
class NodeGeometry:
    """How bricks of neighbouring levels lie on each other; what the shader is told of it.

    Attributes
    ----------
    octree : Octree
        Of three axes.
    pitch, translation : (levels, 3) float64
        Size of a brick and place of the first, octree coordinates.
    last : (levels, 3) int64
        Index of the last brick.
    ratio, shift : (levels, 3) float64
        Brick j of level + 1 begins at ``j * ratio + shift`` in bricks of the level.
    block : (3,) int64
        Most children per axis.
    """

    octree: Octree
    pitch: FloatArray
    translation: FloatArray
    last: IntArray
    ratio: FloatArray
    shift: FloatArray
    block: IntArray

    @classmethod
    def of(cls, octree: Octree) -> NodeGeometry:
        """Compute the geometry of an octree.

        Raises
        ------
        ValueError
            It has not three axes, or more levels than the shader can walk.
        """
        if len(octree.extent) != 3 or len(octree.levels) > MAX_LEVELS:
            raise ValueError(
                f"a volume needs 3 axes and at most {MAX_LEVELS} levels, not "
                f"{len(octree.extent)} and {len(octree.levels)}"
            )
        pitch = np.array([level.pitch for level in octree.levels])
        translation = np.array([level.transform.translation for level in octree.levels])
        last = np.array([level.grid_shape for level in octree.levels], np.int64) - 1
        ratio, shift = np.ones_like(pitch), np.zeros_like(pitch)
        ratio[:-1] = pitch[1:] / pitch[:-1]
        shift[:-1] = (translation[1:] - translation[:-1]) / pitch[:-1]
        # A brick begins up to the slack before a whole child, and ends anywhere.
        block = np.ceil(np.ceil(ratio[:-1] - 2 * CHILD_SLACK) + _fraction(ratio, shift)[:-1])
        widest = np.maximum(block.max(axis=0, initial=1.0).astype(np.int64), last[-1] + 1)
        geometry = cls(octree, pitch, translation, last, ratio, shift, widest)
        for level in range(len(pitch) - 1):
            # The last brick of a level also has the children beyond its own end.
            beyond = last[level] + 1 - geometry.first_child(level, last[level + 1])
            np.maximum(widest, beyond, out=widest)
        return geometry

    def first_child(self, level: int, parents: IntArray) -> IntArray:
        """Index in `level` of the first child of bricks of ``level + 1``; the shader's formula."""
        first = np.floor(parents * self.ratio[level] + self.shift[level] + CHILD_SLACK)
        return np.where(parents > 0, np.maximum(first, 0.0), 0.0).astype(np.int64)

    def parents(self, level: int, tiles: IntArray) -> tuple[IntArray, IntArray]:
        """Bricks of ``level + 1`` that bricks of `level` overlap.

        Returns
        -------
        child, parents : (M,), (M, 3) int64
            Position among `tiles`, and the index of the coarser brick.
        """
        coarse, fine = self.octree.levels[level + 1], self.octree.levels[level]
        child = np.arange(len(tiles))
        columns: list[IntArray] = []
        for axis in range(3):
            start = fine.edges(axis, tiles[:, axis])
            stop = fine.edges(axis, tiles[:, axis] + 1)
            first, last = coarse.tile_ranges(
                axis, start, stop, CHILD_SLACK * self.pitch[level, axis]
            )
            widest = int((last - first).max(initial=1))
            first, last = first[child], last[child]
            steps = np.arange(widest)
            inside = (first[:, None] + steps) < last[:, None]
            rows, nth = np.nonzero(inside)
            child = child[rows]
            columns = [column[rows] for column in columns] + [first[rows] + nth]
        return child, np.stack(columns, axis=1)


def _fraction(ratio: FloatArray, shift: FloatArray) -> FloatArray:
    """1 where bricks of two levels do not nest, else 0."""
    nested = np.isclose(ratio, np.round(ratio), atol=1e-9) & np.isclose(
        shift, np.round(shift), atol=1e-9
    )
    return np.where(nested, 0.0, 1.0)


def node_entries(
    geometry: NodeGeometry,
    keys: Sequence[ChunkKey],
    slots: IntArray,
    ranges: FloatArray,
    grid: tuple[int, int, int],
    failed: Sequence[ChunkKey] = (),
    failed_slots: IntArray | None = None,
) -> np.ndarray:
    """The texels of the node texture.

    Parameters
    ----------
    geometry : NodeGeometry
    keys : sequence of ChunkKey
        The bricks that are shown.
    slots : (N,) int64
        Their slots in the atlas, counted from 1 on.
    ranges : (N, 2) float
        Lowest and highest value of each.
    grid : (z, y, x)
        Slots of the atlas per axis.
    failed : sequence of ChunkKey
        Bricks that could not be loaded, none of which is shown: marked where their coarser ones
        are reached.
    failed_slots : (M,) int64, optional
        Their slots; 0 for those without.

    Returns
    -------
    (grid z * block z, grid y * block y, grid x * block x, 4) float32
    """
    block = geometry.block
    shape = np.array(grid) * block
    entries = np.zeros((*shape, 4), np.float32)
    if failed_slots is None:
        failed_slots = np.zeros(len(failed), np.int64)
    if not len(keys) and not len(failed):
        return entries
    through = np.flatnonzero(failed_slots)
    walked = _Sorted(geometry, [*keys, *(failed[int(n)] for n in through)])
    owner_slots = np.r_[0, slots, failed_slots[through]]
    place_of_owner = np.stack(np.unravel_index(owner_slots, grid), axis=1)
    # Failed ones first: a brick of which an older version is shown stays.
    children, owners, where = walked.below([*failed, *keys])
    has_children = np.zeros(len(owner_slots), np.bool_)
    has_children[owners] = True
    flags = np.full(len(failed) + len(keys), FAILED)
    flags[through[has_children[len(keys) + 1 :]]] = PASSAGE
    flags[len(failed) :] = np.where(has_children[1 : len(keys) + 1], BRANCH, LEAF)
    of_all = np.zeros((len(flags), 4), np.float32)
    of_all[:, 0] = np.r_[failed_slots, slots]
    of_all[:, 1] = flags
    of_all[len(failed) :, 2:] = ranges
    # By level, coarsest last; where two are entered in one place the last one stays.
    order = np.argsort(children, kind="stable")
    z, y, x = (place_of_owner[owners[order]] * block + where[order]).T
    entries[z, y, x] = of_all[children[order]]
    return entries


class _Sorted:
    """The bricks that have a block of entries, to be looked up.

    Parameters
    ----------
    geometry : NodeGeometry
    keys : sequence of ChunkKey
    """

    def __init__(self, geometry: NodeGeometry, keys: Sequence[ChunkKey]) -> None:
        self._geometry = geometry
        names = _names(geometry, *_arrays(keys))
        self._order = np.argsort(names)
        self._names = names[self._order]

    def below(self, keys: Sequence[ChunkKey]) -> tuple[IntArray, IntArray, IntArray]:
        """Where bricks are entered.

        Returns
        -------
        child, owner, local : (N,), (N,), (N, 3) int64
            A position among `keys`, the block (0 the root's, i + 1 that of the i-th brick here)
            and the place in it. A brick is entered as often as it overlaps bricks that have one.
        """
        geometry = self._geometry
        levels, tiles = _arrays(keys)
        child, owner, local = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [tiles[:0]]
        for level in np.unique(levels):
            mine = np.flatnonzero(levels == level)
            if level == len(geometry.pitch) - 1:
                child.append(mine)
                owner.append(np.zeros(len(mine), np.int64))
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
            owner.append(self._order[place[shown]] + 1)
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


class NodeTexture:
    """The texture of an atlas with `grid` slots.

    Parameters
    ----------
    geometry : NodeGeometry
    grid : (z, y, x)
    """

    def __init__(self, geometry: NodeGeometry, grid: tuple[int, int, int]) -> None:
        self.geometry = geometry
        self.grid = grid
        shape = tuple(int(n) for n in np.array(grid) * geometry.block)
        self.texture = Texture3D(
            (*shape, 4), format="rgba", internalformat="rgba32f", interpolation="nearest"
        )
        self.write([], np.zeros(0, np.int64), np.zeros((0, 2)))

    @property
    def nbytes(self) -> int:
        """Bytes of the texture on the GPU."""
        return int(np.prod(self.texture.shape)) * 4

    def write(
        self,
        keys: Sequence[ChunkKey],
        slots: IntArray,
        ranges: FloatArray,
        failed: Sequence[ChunkKey] = (),
        failed_slots: IntArray | None = None,
    ) -> None:
        """Show these bricks, and no others, from the next draw on; see `node_entries`."""
        entries = node_entries(self.geometry, keys, slots, ranges, self.grid, failed, failed_slots)
        self.texture.set_data(entries)
