"""Parts of a canvas, drawn one after the other where its tiles do not fit in the atlas at once.

Invariants: pure. Parts are rectangles of view box pixels whose borders are framebuffer pixels, so
that each of those is drawn by exactly one part, whatever the layer's transform is.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np

from napari_octree.octree.view import View
from napari_octree.rendering.gpu.node_matrices import TileMatrices
from napari_octree.rendering.view.view_2d import view_from_matrix

SMALLEST = 16
"""Framebuffer pixels a side below which a part is not divided."""


class Part(NamedTuple):
    """A rectangle of the view box, in framebuffer pixels from its upper left corner."""

    left: int
    top: int
    right: int
    bottom: int

    def halves(self) -> tuple[Part, Part] | None:
        """Two parts of it, along its longer side; None if it is too small."""
        width, height = self.right - self.left, self.bottom - self.top
        if max(width, height) < 2 * SMALLEST:
            return None
        if width >= height:
            middle = (self.left + self.right) // 2
            return self._replace(right=middle), self._replace(left=middle)
        middle = (self.top + self.bottom) // 2
        return self._replace(bottom=middle), self._replace(top=middle)

    @classmethod
    def whole(cls, matrices: TileMatrices) -> Part:
        """All of the view box."""
        width, height = (int(np.ceil(s * matrices.pixel_scale)) for s in matrices.size)
        return cls(0, 0, width, height)

    def view(self, matrices: TileMatrices, slice_key: Hashable) -> View | None:
        """What is seen of the layer in it."""
        scale = matrices.pixel_scale
        to_part = matrices.to_viewbox.copy()
        to_part[:, :2] -= to_part[:, 3:] * np.array([self.left, self.top]) / scale
        size = ((self.right - self.left) / scale, (self.bottom - self.top) / scale)
        return view_from_matrix(to_part, size, scale, slice_key=slice_key)

    def scissor(
        self, matrices: TileMatrices, framebuffer: tuple[int, int]
    ) -> tuple[int, int, int, int]:
        """(x, y, width, height) of it in a framebuffer of that (width, height), y upwards."""
        to_clip = np.linalg.inv(matrices.to_viewbox) @ matrices.to_render
        corners = np.array([[self.left, self.bottom], [self.right, self.top]], float)
        corners /= matrices.pixel_scale
        clip = np.c_[corners, np.zeros(2), np.ones(2)] @ to_clip
        places = np.rint((clip[:, :2] / clip[:, 3:] + 1) / 2 * framebuffer).astype(int)
        (x0, y0), (x1, y1) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
        return x0, y0, x1 - x0, y1 - y0
