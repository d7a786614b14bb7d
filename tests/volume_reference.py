"""A slow, obvious ray caster in float64, to judge the GPU's pictures by.

It marches the rays of single pixels through the same cells and with the same lattice of samples,
but takes every value from a function of the place: no atlas, no texture, no float32.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.octree import Octree

Sampler = Callable[[int, np.ndarray], np.ndarray]
"""Values of a level at (N, 3) places (z, y, x) in octree coordinates."""

STEP = 0.8

GRAZING = 0.15
"""Cosine below which a ray passes along a surface."""


def cell_at(
    octree: Octree,
    shown: Collection[ChunkKey],
    place: np.ndarray,
    passed: Collection[ChunkKey] = (),
) -> tuple[int | None, np.ndarray, np.ndarray]:
    """The level that shows a place (None: nothing does), and the box for which this holds.

    Bricks that are `passed` are not shown, but what is below them may be.
    """
    low, high = np.full(3, -np.inf), np.full(3, np.inf)
    found = None
    for level in reversed(octree.levels):
        pitch, origin = np.array(level.pitch), np.array(level.transform.translation)
        last = np.array(level.grid_shape) - 1
        index = np.clip(np.floor((place - origin) / pitch), 0, last).astype(int)
        start, stop = origin + index * pitch, origin + (index + 1) * pitch
        low = np.maximum(low, np.where(index == 0, -np.inf, start))
        high = np.minimum(high, np.where(index == last, np.inf, stop))
        key = ChunkKey(level.index, tuple(int(i) for i in index))
        if key not in shown and key not in passed:
            break
        if key in shown:
            found = level.index
    return found, low, high


@dataclass(frozen=True)
class Samples:
    """What a ray meets, from front to back.

    Attributes
    ----------
    values, weights, levels : (N,)
    places, strides : (N, 3)
        (z, y, x), octree coordinates: where each sample lies, and the way to the next one.
    """

    values: np.ndarray
    weights: np.ndarray
    levels: np.ndarray
    places: np.ndarray
    strides: np.ndarray


@dataclass(frozen=True)
class Reference:
    """A volume of mixed levels.

    Attributes
    ----------
    octree : Octree
    shown : collection of ChunkKey
    sampler : Sampler
    threshold : float
        Of the surface in `iso`.
    black, white : float
        Contrast limits.
    attenuation : float
        Of `attenuated_mip`, per voxel of level 0.
    opacity : float
        Of the highest colour in `translucent`; that of others is in proportion.
    planes : (N, 2, 3) float64
        Positions and normals of clipping planes, (z, y, x), octree coordinates.
    """

    octree: Octree
    shown: Collection[ChunkKey]
    sampler: Sampler
    threshold: float = 0.5
    black: float = 0.0
    white: float = 1.0
    attenuation: float = 0.05
    opacity: float = 0.2
    planes: np.ndarray = field(default_factory=lambda: np.empty((0, 2, 3)))

    def march(
        self, origin: np.ndarray, direction: np.ndarray, near: float = -np.inf
    ) -> Samples | None:
        """Take the samples of a ray, None where it meets nothing.

        Parameters
        ----------
        origin, direction : (3,) float64
            (z, y, x), octree coordinates; the direction is a unit vector.
        near : float
            Where along the ray it begins at the earliest. The lattice is counted from the sample
            next to `origin`.
        """
        octree = self.octree
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
        weights, levels, places, strides = [], [], [], []
        t = first
        for place, normal in self.planes:
            approach, away = direction @ normal, (place - origin) @ normal
            if approach > 0:
                t = max(t, away / approach)
            else:
                end = min(end, away / approach)
        while t < end:
            # The GPU's own nudge: where a ray grazes an edge both must choose the same side.
            nudge = max(1e-4, abs(t) * 4e-6)
            place = np.clip(origin + direction * (t + nudge), 0, extent)
            level, low, high = cell_at(octree, self.shown, place)
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
                places.append(origin + direction * (anchor + k * step)[:, None])
                weights.append(np.full(len(k), weight))
                levels.append(np.full(len(k), level))
                strides.append(np.full((len(k), 3), direction * step))
            t = max(leave, t + nudge)
        if not sum(map(len, levels)):
            return None
        columns = map(np.concatenate, (weights, levels, places, strides))
        return self._samples(*columns)

    def _samples(
        self, weights: np.ndarray, levels: np.ndarray, places: np.ndarray, strides: np.ndarray
    ) -> Samples:
        values = np.empty(len(levels))
        for level in np.unique(levels):
            rows = levels == level
            values[rows] = self.sampler(int(level), places[rows])
        return Samples(values, weights, levels, places, strides)

    def shade(self, ray: Samples, mode: str) -> float:
        """The grey, in [0, 1], that a mode makes of a ray."""
        shown = self._grey(ray.values)
        match mode:
            case "mip" | "minip":
                return float(self._grey(self._extreme(ray, mode)))
            case "average":
                return float(self._grey(np.average(ray.values, weights=ray.weights)))
            case "additive":
                return float(1 - np.prod((1 - shown) ** ray.weights))
            case "translucent":
                return self._translucent(shown, ray.weights)
            case "attenuated_mip":
                return float(self._grey(self._attenuated_mip(ray.values, shown, ray.weights)))
            case "iso":
                return float(self._grey(self._lit_surface(ray)))
        raise ValueError(mode)

    def _grey(self, value: np.ndarray | float) -> np.ndarray:
        return np.clip((np.asarray(value) - self.black) / (self.white - self.black), 0, 1)

    def _extreme(self, ray: Samples, mode: str) -> float:
        # Half a step before and after the extreme is searched in tenths, in the same level.
        best = int(ray.values.argmax() if mode == "mip" else ray.values.argmin())
        fractions = np.arange(10)[:, None] * 0.1 - 0.5
        around = self.sampler(
            int(ray.levels[best]), ray.places[best] + fractions * ray.strides[best]
        )
        refined = np.append(around, ray.values[best])
        return float(refined.max() if mode == "mip" else refined.min())

    def _translucent(self, value: np.ndarray, weight: np.ndarray) -> float:
        light, clear = 0.0, 1.0
        for v, w in zip(value, weight, strict=True):
            alpha = 1 - (1 - self.opacity * v) ** w
            light += clear * alpha * v
            clear *= 1 - alpha
            if clear < 0.01:  # as vispy: the rest of the ray is not looked at
                break
        return light

    def _attenuated_mip(self, value: np.ndarray, shown: np.ndarray, weight: np.ndarray) -> float:
        best, passed = 0.0, 0.0
        for v, grey, w in zip(value, shown, weight, strict=True):
            passed += STEP * w * grey
            scale = np.exp(-self.attenuation * (passed - 1))
            if best > scale * self.white:
                break
            best = max(best, v * scale)
        return float(best)

    def surface(self, ray: Samples) -> np.ndarray | None:
        """Where a ray meets the surface: to a tenth of the step in which it does."""
        near = np.flatnonzero(ray.values > self.threshold - 0.2)
        tenths = np.arange(10)[:, None] * 0.1 - 1
        for few in np.array_split(near, len(near) // 20 + 1):
            places = ray.places[few, None] + tenths * ray.strides[few, None]
            beyond = np.empty(places.shape[:2], bool)
            for level in np.unique(ray.levels[few]):
                rows = ray.levels[few] == level
                values = self.sampler(int(level), places[rows].reshape(-1, 3))
                beyond[rows] = values.reshape(-1, 10) > self.threshold
            if beyond.any():
                return np.asarray(places.reshape(-1, 3)[beyond.argmax()])
        return None

    def is_clear(self, ray: Samples) -> bool:
        """Whether a hair would not move the place where a ray meets the surface by much.

        It would where the ray runs along the surface, or begins next to it or beyond.
        """
        place = self.surface(ray)
        if place is None:
            return bool(ray.values.max() < self.threshold - 1e-3 * np.ptp(ray.values))
        outside = ray.values[0] < self.threshold - 0.05 * np.ptp(ray.values)
        return bool(outside and self._facing(ray, place)[0] > GRAZING)

    def _facing(self, ray: Samples, place: np.ndarray) -> tuple[float, float]:
        """And the highest value around there."""
        level = cell_at(self.octree, self.shown, place)[0]
        assert level is not None
        reach = 1.5 * np.array(self.octree.levels[level].transform.factor)
        taps = np.concatenate([[np.zeros(3)], -np.diag(reach), np.diag(reach)])
        values = self.sampler(level, place + taps)
        slope = values[4:] - values[1:4]
        sight = ray.strides[0] / np.linalg.norm(ray.strides[0])
        return abs(float(slope @ sight)) / float(np.linalg.norm(slope)), float(values.max())

    def _lit_surface(self, ray: Samples) -> float:
        place = self.surface(ray)
        if place is None:
            return 0.0
        facing, value = self._facing(ray, place)
        return value * (0.2 + facing) + facing**40  # vispy's light: from the eye


_CORNERS = np.array(list(np.ndindex(2, 2, 2)))


def trilinear(voxels: Callable[[int, np.ndarray], np.ndarray], octree: Octree) -> Sampler:
    """Samples as GL does: linear between voxel centres.

    `voxels` gives the values of a level at (N, 3) indices, which may lie outside.
    """

    def sample(level: int, places: np.ndarray) -> np.ndarray:
        transform = octree.levels[level].transform
        voxel = (places - np.array(transform.translation)) / np.array(transform.factor) - 0.5
        base = np.floor(voxel).astype(int)
        part = voxel - base
        share = np.prod(np.where(_CORNERS[:, None], part, 1 - part), axis=-1)
        values = voxels(level, (base + _CORNERS[:, None]).reshape(-1, 3))
        return np.asarray((share * values.reshape(share.shape)).sum(axis=0))

    return sample


def bordered(levels: list[np.ndarray]) -> Callable[[int, np.ndarray], np.ndarray]:
    """The voxels of arrays; outside their border is repeated."""

    def voxels(level: int, index: np.ndarray) -> np.ndarray:
        array = levels[level]
        inside = np.clip(index, 0, np.array(array.shape) - 1)
        return np.asarray(array[tuple(inside.T)], float)

    return voxels
