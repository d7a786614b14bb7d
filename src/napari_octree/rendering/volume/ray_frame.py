"""Where the rays of a view run: the numbers that the ray caster needs, composed in float64.

Invariants: pure. Places are (x, y, z) here, as the GPU wants them, in octree coordinates relative
to an integer origin near the focus: float32 is exact there, however large the image. Rays
are affine in clip coordinates, in orthographic and perspective views alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_octree.octree.level import FloatArray

_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class RayFrame:
    """Coordinates relative to an origin, and their way to clip space.

    Attributes
    ----------
    origin : (3,) float64
        Whole numbers, octree coordinates (x, y, z).
    focus : (3,) float64
        Relative to the origin.
    extent : (3,) float64
        Of level 0 in voxels, (x, y, z).
    matrix : (4, 4) float64
        To clip space, row-vector convention.
    """

    origin: FloatArray
    focus: FloatArray
    extent: FloatArray
    matrix: FloatArray

    @classmethod
    def of(cls, to_clip: FloatArray, focus: FloatArray, extent: FloatArray) -> RayFrame:
        """Choose the origin of a view.

        Parameters
        ----------
        to_clip : (4, 4) float64
            Octree coordinates (x, y, z, 1) to clip space, row-vector convention.
        focus : (3,) float64
            Where the camera looks (x, y, z), octree coordinates.
        extent : (3,) float64
        """
        origin = np.floor(np.clip(focus, 0, extent))
        return cls(origin, focus - origin, extent, _shift(origin) @ to_clip)

    def uniforms(self) -> dict[str, tuple[float, ...]]:
        """The box, the rays and their depth, by the names that the shader knows them by."""
        near = self.matrix[:, 2] + self.matrix[:, 3]
        vectors = {
            "box_low": -self.origin,
            "box_high": self.extent - self.origin,
            "near": near / max(float(np.linalg.norm(near[:3])), _TINY),
            "depth_z": self.matrix[:, 2],
            "depth_w": self.matrix[:, 3],
            **self._rays(),
        }
        return {name: _floats(vector) for name, vector in vectors.items()}

    def _rays(self) -> dict[str, FloatArray]:
        """Where the rays pass the plane through the focus, and their directions there.

        Both are affine in clip coordinates on a plane of constant depth.
        """
        try:
            inverse = np.linalg.inv(self.matrix)
        except np.linalg.LinAlgError:  # a transform that flattens the volume: nothing to see
            inverse = np.zeros((4, 4))
        clip = np.r_[self.focus, 1.0] @ self.matrix
        depth = float(clip[2] / clip[3]) if clip[3] > 0 else 0.5

        def place(x: float, y: float, z: float) -> FloatArray:
            point = np.array([x, y, z, 1.0]) @ inverse
            return np.asarray(point[:3] / (point[3] or 1.0))

        corners = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
        points = [place(x, y, depth) for x, y in corners]
        sights = [p - place(x, y, -1.0) for p, (x, y) in zip(points, corners, strict=True)]
        length = max(float(np.linalg.norm(sights[0])), _TINY)
        return {
            "ray": points[0],
            "ray_x": points[1] - points[0],
            "ray_y": points[2] - points[0],
            "sight": sights[0] / length,
            "sight_x": (sights[1] - sights[0]) / length,
            "sight_y": (sights[2] - sights[0]) / length,
        }

    def pixel_per_w(self, size: tuple[float, float]) -> float:
        """What a pixel spans, in voxels, per unit of clip w.

        Parameters
        ----------
        size : (width, height)
            Of the view in pixels.
        """
        w = float(np.r_[self.focus, 1.0] @ self.matrix[:, 3])
        across = float(np.linalg.norm(self._rays()["ray_x"]))
        return 2 * across / size[0] / w if w > 0 else 0.0

    def plane(self, position: FloatArray, normal: FloatArray) -> tuple[tuple[float, ...], float]:
        """The unit normal of a plane, and its distance from the origin.

        Parameters
        ----------
        position, normal : (3,) float64
            (x, y, z), in octree coordinates.
        """
        unit = normal / max(float(np.linalg.norm(normal)), _TINY)
        return _floats(unit), float(unit @ (position - self.origin))

    def clipping_plane(
        self, to_scene: FloatArray, position: FloatArray, normal: FloatArray
    ) -> tuple[float, ...]:
        """A plane of the scene as (normal, distance): positive on the side that is kept.

        Parameters
        ----------
        to_scene : (4, 4) float64
            Octree coordinates to those of the plane, row-vector convention.
        position, normal : (3,) float64
            (x, y, z), in coordinates of the scene.
        """
        scene = _shift(self.origin) @ to_scene
        gradient = scene[:3, :3] @ normal
        offset = float((scene[3, :3] - position) @ normal)
        length = max(float(np.linalg.norm(gradient)), _TINY)
        return (*_floats(gradient / length), offset / length)


def _shift(origin: FloatArray) -> FloatArray:
    matrix = np.eye(4)
    matrix[3, :3] = origin
    return matrix


def _floats(vector: FloatArray) -> tuple[float, ...]:
    return tuple(float(v) for v in vector)
