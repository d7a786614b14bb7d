"""What a 3-D view makes of boxes: whether it sees them and how large their voxels look.

Invariants: pure; orthographic and perspective views alike; boxes are culled by the four sides of
the canvas, the plane of the eye and the clipping planes, never by near and far planes (napari's
degenerate in float32) and never wrongly: a box that is seen is never culled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_octree.octree.level import FloatArray
from napari_octree.octree.view import VolumeView


@dataclass(frozen=True, eq=False)
class Projection:
    """A view's matrix, taken apart.

    Attributes
    ----------
    ends : (6, P + 1) float64
        Times a box's starts and stops, plus `offsets`: for each of the planes that bound the
        view, the plane's equation (positive inside) at the box's innermost corner; and in
        the last column clip *w* at the corner nearest to the eye.
    offsets : (P + 1,) float64
    pixels : (3,) float64
        Framebuffer pixels that a unit along each axis spans where w = 1.
    nearest_w : float
        Least *w* that counts: that of half a level-0 pixel before the eye.
    focus : (3,) float64
        Octree coordinates.
    focus_pixels : (3,) float64
        Framebuffer pixels that a unit along each axis spans at the depth of the focus.
    eye : (3,) float64 or None
        Octree coordinates; None in orthographic views.
    reach : float
        Half the diagonal of the canvas, framebuffer pixels.
    """

    ends: FloatArray
    offsets: FloatArray
    pixels: FloatArray
    nearest_w: float
    focus: FloatArray
    focus_pixels: FloatArray
    eye: FloatArray | None
    reach: float

    @classmethod
    def of(cls, view: VolumeView) -> Projection:
        """Take a view's matrix apart (frustum planes as Gribb and Hartmann derive them)."""
        matrix = np.array(view.matrix, np.float64)
        x, y, _, w = matrix
        planes = [w + x, w - x, w + y, w - y]
        if w[:3].any():
            planes.append(w)
        for position, normal in view.clipping_planes:
            planes.append(np.array([*normal, -float(np.dot(normal, position))]))
        half = np.array(view.canvas_size) / 2
        pixels = np.hypot(x[:3] * half[0], y[:3] * half[1])
        nearest_w = max(float(np.abs(w[:3]).sum()) / 2, np.finfo(np.float64).tiny)
        focus = np.array(view.focus, np.float64)
        focus_w = max(float(w[:3] @ focus + w[3]), nearest_w)
        normals = np.array([*planes, w]).T
        low, high = np.minimum(normals[:3], 0), np.maximum(normals[:3], 0)
        # The greatest value of a linear function in a box takes the stop of each axis along which
        # it rises and the start of the others; the least value (of w) the other way round.
        ends = np.concatenate([low, high])
        ends[:, -1] = np.concatenate([high[:, -1], low[:, -1]])
        return cls(
            ends,
            normals[3],
            pixels,
            nearest_w,
            focus,
            pixels / focus_w,
            _eye(x, y, w) if w[:3].any() else None,
            float(np.hypot(*half)),
        )

    def see(self, boxes: FloatArray) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Tell which boxes are, at least in part, in view, and how near they come to the eye.

        Parameters
        ----------
        boxes : (N, 6) float64
            Starts and stops in octree coordinates.

        Returns
        -------
        seen : (N,) bool
        depth : (N,) float64
            Clip *w* at the place of each box nearest to the eye, at least `nearest_w`.
        """
        # One row a plane: numpy is several times as quick along rows as along columns.
        ends = self.ends.T @ boxes.T
        ends += self.offsets[:, np.newaxis]
        seen = np.logical_and.reduce(ends[:-1] >= 0, axis=0)
        return seen, np.maximum(ends[-1], self.nearest_w)

    def focus_distance(self, boxes: FloatArray) -> FloatArray:
        """Measure from the focus to boxes, in framebuffer pixels at the focus's depth."""
        gaps = np.maximum(boxes[:, :3] - self.focus, self.focus - boxes[:, 3:])
        np.maximum(gaps, 0.0, out=gaps)
        gaps *= self.focus_pixels
        distance: FloatArray = np.sqrt(np.einsum("ij,ij->i", gaps, gaps))
        return distance


def _eye(x: FloatArray, y: FloatArray, w: FloatArray) -> FloatArray:
    """Find the place where clip x, y and w are all zero."""
    rows = np.array([x, y, w])
    eye: FloatArray = np.linalg.lstsq(rows[:, :3], -rows[:, 3], rcond=None)[0]
    return eye
