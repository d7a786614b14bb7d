"""VertexLayout: what of a point goes to the GPU, and how a node becomes that.

Invariants: immutable and pure; `encode` runs in workers. Positions are relative to the node and
made in float64, so that float32 holds them whatever the coordinates are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_octree.layers.points.point_look import POSITION, PointLook, relative
from napari_octree.layers.points.slab import Slab

PLACE = "a_place"
VALUES = ("a_face", "a_border", "a_size", "a_filter")
"""The attributes of a point beside its place, in the order of `PointLook.columns`."""


@dataclass(frozen=True)
class VertexLayout:
    """Which values a point brings.

    Attributes
    ----------
    columns : four of (str or None)
        As `PointLook.columns`.
    rescales : bool
        Whether points have sizes of their own because of the slab.
    origins : four floats
        What is taken off the values before float32 holds them.
    """

    columns: tuple[str | None, ...] = (None,) * len(VALUES)
    rescales: bool = False
    origins: tuple[float, ...] = (0.0,) * len(VALUES)

    @classmethod
    def of(cls, look: PointLook, slab: Slab) -> VertexLayout:
        """Return what a look needs."""
        return cls(look.columns, bool(slab.rescale and slab.hidden), look.origins)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes in use beside the place."""
        used = []
        for name, column in zip(VALUES, self.columns, strict=True):
            if column is not None or (name == "a_size" and self.rescales):
                used.append(name)
        return tuple(used)

    @property
    def dtype(self) -> np.dtype:
        """Of a vertex."""
        floats = [(name, np.float32) for name in self.attributes]
        return np.dtype([(PLACE, np.float32, (3,)), *floats])

    @property
    def read_columns(self) -> tuple[str, ...]:
        """What has to be read for it."""
        return tuple(dict.fromkeys([POSITION, *(c for c in self.columns if c is not None)]))

    def encode(
        self, block: np.ndarray, slab: Slab, origin: np.ndarray, half: np.ndarray, size: float
    ) -> np.ndarray:
        """Make the vertices of a node's points.

        Parameters
        ----------
        block : structured array
            With `read_columns`.
        slab : Slab
            Points outside are left out; the others stay in their order.
        origin, half : (3,) float64
            (x, y, z) of the node's centre and half of its sides.
        size : float
            Of points, where rescaling depends on it.
        """
        positions = block[POSITION]
        inside = slab.inside(positions)
        if inside is not None:
            block = block[inside]
            positions = positions[inside]
        vertices = np.zeros(len(block), self.dtype)
        places = vertices[PLACE]
        for axis, displayed in enumerate(reversed(slab.displayed)):
            places[:, axis] = (positions[:, displayed] - origin[axis]) / half[axis]
        for name, column, first in zip(VALUES, self.columns, self.origins, strict=True):
            if column is not None:
                vertices[name] = relative(block[column], first)
        if self.rescales:
            column = self.columns[VALUES.index("a_size")]
            own = np.ones(len(block)) if column is None else block[column].astype(float)
            vertices["a_size"] = own * slab.factors(positions, own * size / 2)
        return vertices
