"""The upper levels of the octree in one table: a single fetch instead of a walk down to them.

Invariants: pure. A texel stands for one brick of `NodeGeometry.table_level`, which lies in one
brick of each coarser level, and says where a walk stands that has come to it. A walk reads several
arrays at every level, which took up to a third of a frame; volumes of up to 16 bricks a side need
none.

A texel is (slot number, flag + FLAGS * level of the brick in that slot, lowest, highest value).
The flag is that of the place: ABSENT, nothing is loaded; LEAF, the brick shows the whole of its
own place; BRANCH, it has children, and the walk goes on below the table; OCTANT, the brick stands
in where one of its children is absent; WALK, a brick has failed on the way: walk from the root.
"""

from __future__ import annotations

import numpy as np

from napari_octree.rendering.volume.nodes.node_entries import ABSENT, BRANCH, NodeEntries

OCTANT, WALK, FLAGS = 3, 4, 8
"""As in bricks.glsl."""


def node_table(nodes: NodeEntries) -> np.ndarray:
    """The texels of the table.

    Returns
    -------
    (z, y, x, 4) float32
        As many as `table_level` has bricks.
    """
    geometry = nodes.geometry
    coarsest = len(geometry.pitch) - 1
    table = np.zeros((*(geometry.last[geometry.table_level] + 1), 4), np.float32)
    table[..., 1] = ABSENT + FLAGS * coarsest
    walking = np.ones(table.shape[:3], np.bool_)
    for level in range(coarsest, geometry.table_level - 1, -1):
        mine = nodes.levels == level
        bricks = np.zeros((*(geometry.last[level] + 1), 4), np.float32)
        bricks[tuple(nodes.tiles[mine].T)] = nodes.entries[mine]
        there = bricks[np.ix_(*geometry.above(level))]
        flag = there[..., 1].copy()
        there[..., 1] += FLAGS * level
        table[walking & (flag < ABSENT), 1] = WALK + FLAGS * coarsest
        if level < coarsest:
            table[walking & (flag == ABSENT), 1] = OCTANT + FLAGS * (level + 1)
        shown = walking & (flag > ABSENT)
        table[shown] = there[shown]
        walking &= flag == BRANCH
    return table
