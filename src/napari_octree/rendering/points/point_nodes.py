"""Nodes of a set of points on their way from the source to the GPU.

Invariants: GUI thread only; a node is named by what it shows: the set, the slab and the layout of
its vertices have a number in common, so that what was uploaded for one is not taken for another.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_octree.layers.points.slab import Slab
from napari_octree.loading.request import TileRequest
from napari_octree.octree.chunk_key import Tier
from napari_octree.octree.level import FloatArray
from napari_octree.octree.points.point_tree import QUOTA
from napari_octree.rendering.points.vertex_layout import VertexLayout

if TYPE_CHECKING:
    from napari_octree.layers.points.octree_points import OctreePoints


class NodeKey(NamedTuple):
    """A node as it is shown.

    Attributes
    ----------
    place : int
        Of which set, in which slab and layout.
    node : int
        Its row in the table.
    """

    place: int
    node: int


class ShownPlace:
    """One set, slab and layout, as it is drawn.

    Parameters
    ----------
    number : int
    layer : OctreePoints
    slab : Slab
    layout : VertexLayout
    size : float
        Of points, where rescaling depends on it; else 0.
    """

    def __init__(
        self, number: int, layer: OctreePoints, slab: Slab, layout: VertexLayout, size: float
    ) -> None:
        self.number = number
        self.source = source = layer.points_source
        self.slab, self.layout, self.size = slab, layout, size
        self._level = source.level(layout.read_columns)
        self._requests: dict[int, TileRequest] = {}

    def box(self, nodes: np.ndarray) -> tuple[FloatArray, FloatArray]:
        """Return the middles of nodes and half of their sides: (n, 3) each, (x, y, z)."""
        table, displayed = self.source.table, list(reversed(self.slab.displayed))
        middle, half = np.zeros((len(nodes), 3)), np.ones((len(nodes), 3))
        lows, highs = table.lows[nodes][:, displayed], table.highs[nodes][:, displayed]
        middle[:, : len(displayed)] = (lows + highs) / 2
        half[:, : len(displayed)] = np.maximum((highs - lows) / 2, 2.0**-500)
        return middle, half

    def request(self, node: int) -> TileRequest:
        """Ask for a node; the same object as long as this place is shown."""
        known = self._requests.get(node)
        if known is None:
            middle, half = self.box(np.array([node]))
            finish = functools.partial(
                self.layout.encode, slab=self.slab, origin=middle[0], half=half[0], size=self.size
            )
            is_root = node < self.source.table.roots
            known = self._requests[node] = TileRequest(
                NodeKey(self.number, node),
                self._level,
                self.source.region(node),
                (0,),
                (QUOTA,),
                finish,
                Tier.OVERVIEW if is_root else Tier.IDEAL,
                2 if is_root else 0,
            )
        return known


class Places:
    """Numbers what is shown, and remembers the last few."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._next = 0
        self.current: ShownPlace | None = None

    def find(
        self, layer: OctreePoints, slab: Slab, layout: VertexLayout, size: float
    ) -> ShownPlace:
        """Return the place of what a layer shows now."""
        size = size if layout.rescales else 0.0
        name = (layer.points_source.key, layer.reloads, _cause(slab, layout), layout, size)
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = self._next
            self._next += 1
        current = self.current
        if current is None or current.number != number or current.slab != slab:
            current = self.current = ShownPlace(number, layer, slab, layout, size)
        return current


def _cause(slab: Slab, layout: VertexLayout) -> Hashable:
    """Return what of a slab changes vertices."""
    return slab if layout.rescales else (slab.displayed, slab.low, slab.high)


def keys_of(place: ShownPlace, nodes: Iterable[int]) -> list[NodeKey]:
    """Name some nodes of a place."""
    return [NodeKey(place.number, int(node)) for node in nodes]
