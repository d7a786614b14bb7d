"""A slow, obvious ray caster in float64, to judge the GPU's pictures by.

It marches the rays of single pixels through the same cells and with the same lattice of samples,
but takes every value from a function of the place: no atlas, no texture, no float32.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree

Sampler = Callable[[int, np.ndarray], np.ndarray]
"""Values of a level at (N, 3) places (z, y, x) in octree coordinates."""

STEP = 0.8


ATTENUATION = 0.05
OPACITY = 0.2
"""Of the highest value, in `translucent`; that of others is in proportion."""


def _average(value: np.ndarray, weight: np.ndarray) -> float:
    return float(np.average(value, weights=weight))


def _additive(value: np.ndarray, weight: np.ndarray) -> float:
    return float(1 - np.prod((1 - np.clip(value, 0, 1)) ** weight))


def _translucent(value: np.ndarray, weight: np.ndarray) -> float:
    light, clear = 0.0, 1.0
    for v, w in zip(np.clip(value, 0, 1), weight, strict=True):
        alpha = 1 - (1 - OPACITY * v) ** w
        light += clear * alpha * v
        clear *= 1 - alpha
    return light


def _attenuated_mip(value: np.ndarray, weight: np.ndarray) -> float:
    best, passed = 0.0, 0.0
    for v, w in zip(value, weight, strict=True):
        passed += STEP * w * np.clip(v, 0, 1)
        scale = np.exp(-ATTENUATION * (passed - 1))
        if best > scale:
            break
        best = max(best, v * scale)
    return float(best)


BLENDED = {
    "average": _average,
    "additive": _additive,
    "translucent": _translucent,
    "attenuated_mip": _attenuated_mip,
}
"""Modes in which a ray's samples are put together from front to back, with their weights."""


def cell_at(
    octree: Octree, shown: Collection[ChunkKey], place: np.ndarray
) -> tuple[int | None, np.ndarray, np.ndarray]:
    """The level that shows a place (None: nothing does), and the box for which this holds."""
    low, high = np.full(3, -np.inf), np.full(3, np.inf)
    found = None
    for level in reversed(octree.levels):
        pitch, origin = np.array(level.pitch), np.array(level.transform.translation)
        last = np.array(level.grid_shape) - 1
        index = np.clip(np.floor((place - origin) / pitch), 0, last).astype(int)
        start, stop = origin + index * pitch, origin + (index + 1) * pitch
        low = np.maximum(low, np.where(index == 0, -np.inf, start))
        high = np.minimum(high, np.where(index == last, np.inf, stop))
        if ChunkKey(level.index, tuple(int(i) for i in index)) not in shown:
            break
        found = level.index
    return found, low, high


def march(
    octree: Octree,
    shown: Collection[ChunkKey],
    sampler: Sampler,
    origin: np.ndarray,
    direction: np.ndarray,
    mode: str,
    near: float = -np.inf,
) -> float | None:
    """The value of one ray, None where it meets nothing.

    Parameters
    ----------
    origin, direction : (3,) float64
        (z, y, x), octree coordinates; the direction is a unit vector.
    near : float
        Where along the ray it begins at the earliest. The lattice is counted from the sample
        next to `origin`.
    """
    extent = np.array(octree.extent, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (0 - origin) / direction, (extent - origin) / direction
    first = max(float(np.nanmax(np.minimum(a, b))), near)
    end = float(np.nanmin(np.maximum(a, b)))
    steps = np.floor((end - first) / STEP + 0.5)
    if not steps >= 1:
        return None
    fine = (end - first) / steps
    anchor = first + fine * np.floor(max(-first, 0.0) / fine)
    values, weights, places_of, strides = [], [], [], []
    t = first
    while t < end:
        # The GPU's own nudge: where a ray grazes an edge both must choose the same side.
        nudge = max(1e-4, abs(t) * 4e-6)
        place = np.clip(origin + direction * (t + nudge), 0, extent)
        level, low, high = cell_at(octree, shown, place)
        with np.errstate(divide="ignore", invalid="ignore"):
            exits = (np.where(direction > 0, high, low) - origin) / direction
        leave = min(float(np.nanmin(np.where(direction == 0, np.inf, exits))), end)
        if level is not None:
            factor = np.array(octree.levels[level].transform.factor)
            weight = 1 / np.linalg.norm(direction / factor)
            step = fine * weight
            k = np.arange(
                np.ceil((t - anchor) / step - 1e-3), np.ceil((leave - anchor) / step - 1e-3)
            )
            if len(k):
                places = origin + direction * (anchor + k * step)[:, None]
                values.append(sampler(level, places))
                weights.append(np.full(len(k), weight))
                places_of.append(places)
                strides += [(level, direction * step)] * len(k)
        t = max(leave, t + nudge)
    if not values:
        return None
    value, weight = np.concatenate(values), np.concatenate(weights)
    if mode in BLENDED:
        return BLENDED[mode](value, weight)
    # Half a step before and after the extreme is searched in tenths, in the same level.
    best = int(value.argmax() if mode == "mip" else value.argmin())
    level, stride = strides[best]
    fractions = np.arange(10)[:, None] * 0.1 - 0.5
    around = sampler(level, np.concatenate(places_of)[best] + fractions * stride)
    refined = np.append(around, value[best])
    return float(refined.max() if mode == "mip" else refined.min())


def trilinear(levels: list[np.ndarray], octree: Octree) -> Sampler:
    """Samples arrays as GL does: linear between voxel centres, the border repeated."""

    def sample(level: int, places: np.ndarray) -> np.ndarray:
        array = levels[level].astype(float)
        transform = octree.levels[level].transform
        voxel = (places - np.array(transform.translation)) / np.array(transform.factor) - 0.5
        base = np.floor(voxel).astype(int)
        part = voxel - base
        total = np.zeros(len(places))
        for corner in np.ndindex(2, 2, 2):
            index = [np.clip(base[:, a] + corner[a], 0, array.shape[a] - 1) for a in range(3)]
            share = np.prod(
                [part[:, a] if corner[a] else 1 - part[:, a] for a in range(3)], axis=0
            )
            total += share * array[tuple(index)]
        return total

    return sample
