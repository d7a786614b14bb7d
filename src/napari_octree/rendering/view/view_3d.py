"""From a node's float64 matrices to the immutable `VolumeView` that bricks are chosen by."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from napari_octree.octree.view import VolumeView
from napari_octree.rendering.gpu.node_matrices import VolumeMatrices

Point = tuple[float, float, float]
HalfSpace = tuple[Point, Point]


def volume_view(
    matrices: VolumeMatrices,
    clipping_planes: np.ndarray | None = None,
    slab: tuple[Sequence[float], Sequence[float], float] | None = None,
    slice_key: Hashable = (),
) -> VolumeView | None:
    """What a view box shows of a node whose coordinates are data coordinates.

    Parameters
    ----------
    matrices : VolumeMatrices
    clipping_planes : (N, 2, 3) array, optional
        Positions and normals, (x, y, z), in coordinates of the scene.
    slab : (position, normal, thickness), optional
        Where only a plane is shown: (z, y, x) in data coordinates; thickness in voxels.
    slice_key
        Handed on.

    Returns
    -------
    VolumeView or None
        None while there is nothing to see: a canvas without size, a transform that flattens the
        volume or is not finite.
    """
    half = np.eye(4)
    half[3, :3] = -0.5
    to_clip = half @ matrices.to_render
    planes: list[HalfSpace] = []
    if clipping_planes is not None:
        # As the visual clips: see there for the half voxel that is missing here.
        planes += [_half_space(matrices.to_scene, *plane) for plane in clipping_planes]
    if slab is not None:
        planes += _slab(*slab)
    if not np.isfinite(to_clip).all() or np.linalg.det(to_clip[:3, :3]) == 0:
        return None
    try:
        return VolumeView(
            _columns(to_clip),
            matrices.size,
            _zyx(matrices.focus + 0.5),
            tuple(planes),
            slice_key,
        )
    except ValueError:  # planes or focus not finite, or no canvas yet
        return None


def _columns(matrix: np.ndarray) -> tuple[tuple[float, float, float, float], ...]:
    """For column vectors, z first."""
    return tuple((float(z), float(y), float(x), float(w)) for x, y, z, w in matrix.T)


def _zyx(xyz: np.ndarray) -> Point:
    x, y, z = (float(v) for v in xyz)
    return z, y, x


def _half_space(to_scene: np.ndarray, position: np.ndarray, normal: np.ndarray) -> HalfSpace:
    gradient = to_scene[:3, :3] @ normal
    offset = (to_scene[3, :3] - position) @ normal
    square = gradient @ gradient
    place = -offset * gradient / square if square else np.zeros(3)
    return _zyx(place), _zyx(gradient)


def _slab(
    position: Sequence[float], normal: Sequence[float], thickness: float
) -> tuple[HalfSpace, HalfSpace]:
    place = np.asarray(position, float) + 0.5
    direction = np.asarray(normal, float)
    length = np.linalg.norm(direction)
    unit = direction / length if length else np.array([1.0, 0.0, 0.0])
    reach = (thickness / 2 + 2) * unit  # and a voxel or two for interpolation

    def point(values: np.ndarray) -> Point:
        z, y, x = (float(v) for v in values)
        return z, y, x

    return (point(place - reach), point(unit)), (point(place + reach), point(-unit))
