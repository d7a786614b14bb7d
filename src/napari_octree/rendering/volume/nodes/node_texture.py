"""The octree as the GPU reads it: which brick lies below which, in two small textures.

Invariants
----------
* What is in them is a pure function of the bricks that are shown; each is written whole or not
  at all.
* Every slot of the atlas has a block of entries (`node_entries`), one per child that the brick in
  the slot may have. Block 0, whose slot holds no brick, has the bricks of the coarsest level.
* Walking down from any place therefore finds the finest brick shown there whose coarser ones are
  shown too; where a child is absent, its parent stands in.
* The table (`node_table`) says where such a walk stands after the upper levels.

Axis order (z, y, x).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from vispy.gloo import Texture3D

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.rendering.volume.nodes.node_entries import NodeEntries
from napari_octree.rendering.volume.nodes.node_geometry import NodeGeometry
from napari_octree.rendering.volume.nodes.node_table import node_table


def node_texels(nodes: NodeEntries, grid: tuple[int, int, int]) -> np.ndarray:
    """The blocks of entries of an atlas with `grid` slots (z, y, x).

    Returns
    -------
    (grid z * block z, grid y * block y, grid x * block x, 4) float32
    """
    block = nodes.geometry.block
    texels = np.zeros((*(np.array(grid) * block), 4), np.float32)
    # In order: where two are entered in one place the last one stays.
    order = np.argsort(nodes.child, kind="stable")
    owners = np.stack(np.unravel_index(nodes.owner[order], grid), axis=1)
    z, y, x = (owners * block + nodes.local[order]).T
    texels[z, y, x] = nodes.entries[nodes.child[order]]
    return texels


class NodeTexture:
    """The textures of an atlas with `grid` slots.

    Parameters
    ----------
    geometry : NodeGeometry
    grid : (z, y, x)
    """

    def __init__(self, geometry: NodeGeometry, grid: tuple[int, int, int]) -> None:
        self.geometry = geometry
        self.grid = grid
        self.entries = _texture(np.array(grid) * geometry.block)
        self.table = _texture(geometry.last[geometry.table_level] + 1)
        self.write([], np.zeros(0, np.int64), np.zeros((0, 2)))

    def extend(self, grid: tuple[int, int, int]) -> None:
        """Go with an atlas that has grown to `grid`; nothing is shown until `write`."""
        self.grid = grid
        self.entries.resize((*map(int, np.array(grid) * self.geometry.block), 4))
        self.write([], np.zeros(0, np.int64), np.zeros((0, 2)))

    @property
    def textures(self) -> tuple[Texture3D, Texture3D]:
        """All that is on the GPU."""
        return self.entries, self.table

    @property
    def nbytes(self) -> int:
        """Bytes on the GPU."""
        return sum(int(np.prod(texture.shape)) * 4 for texture in self.textures)

    def write(
        self,
        keys: Sequence[ChunkKey],
        slots: IntArray,
        ranges: FloatArray,
        failed: Sequence[ChunkKey] = (),
        failed_slots: IntArray | None = None,
    ) -> None:
        """Show these bricks, and no others, from the next draw on; see `NodeEntries.of`."""
        nodes = NodeEntries.of(self.geometry, keys, slots, ranges, failed, failed_slots)
        self.entries.set_data(node_texels(nodes, self.grid))
        self.table.set_data(node_table(nodes))


def _texture(shape: IntArray) -> Texture3D:
    return Texture3D(
        (*map(int, shape), 4), format="rgba", internalformat="rgba32f", interpolation="nearest"
    )
