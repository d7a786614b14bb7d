"""Orthographic and perspective matrices from octree coordinates to clip space."""

from __future__ import annotations

import numpy as np

from napari_octree.octree import VolumeView

CANVAS = (800.0, 600.0)


def look_at(eye, target):
    forward = np.subtract(target, eye)
    forward = forward / np.linalg.norm(forward)
    # Not parallel to any view used here.
    side = np.cross(forward, (0.1, 1.0, 0.02))
    side /= np.linalg.norm(side)
    matrix = np.eye(4)
    matrix[0, :3], matrix[1, :3], matrix[2, :3] = side, np.cross(side, forward), -forward
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return matrix


def perspective(target, distance, direction=(0.62, 0.6, 0.5), fov=45.0, **others):
    """A camera at `distance` from its target."""
    eye = np.add(target, distance * np.array(direction) / np.linalg.norm(direction))
    t = 1 / np.tan(np.radians(fov) / 2)
    near, far = distance / 1e3, distance * 1e4
    lens = np.diag([t * CANVAS[1] / CANVAS[0], t, (far + near) / (near - far), 0.0])
    lens[2, 3], lens[3, 2] = 2 * far * near / (near - far), -1.0
    return _view(lens @ look_at(eye, target), target, others)


def orthographic(target, width, direction=(0.62, 0.6, 0.5), **others):
    """A camera whose canvas shows `width` octree units across."""
    eye = np.add(target, np.array(direction))
    height = width * CANVAS[1] / CANVAS[0]
    lens = np.diag([2 / width, 2 / height, 1e-9, 1.0])
    return _view(lens @ look_at(eye, target), target, others)


def _view(matrix, target, others):
    rows = tuple(tuple(map(float, row)) for row in matrix)
    return VolumeView(rows, CANVAS, tuple(map(float, target)), **others)
