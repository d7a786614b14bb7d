"""How the pixels of a level lie on those of level 0, and how to find out.

Invariants: pure functions of metadata; nothing here reads pixels. A level's pixel *i* covers
[f·i + t, f·(i + 1) + t) in octree coordinates (level-0 pixel areas), per axis. With t = 0 pixel
areas are aligned: the centre of pixel *i* lies at f·(i + ½) − ½ in data coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SNAP = 1e-6
"""Metadata are decimal fractions; factors and translations this near to a half are meant so."""


@dataclass(frozen=True)
class LevelTransform:
    """Scale and shift per axis from edges of a level's pixels to octree coordinates.

    Attributes
    ----------
    factor : tuple of float
        Level-0 pixels per pixel of this level.
    translation : tuple of float
        Where pixel 0 begins, in octree coordinates.
    """

    factor: tuple[float, ...]
    translation: tuple[float, ...]

    def to_octree(self, edges: Sequence[float]) -> tuple[float, ...]:
        """Octree coordinates of a point given in level pixels (edges, not centres)."""
        return tuple(
            f * e + t for f, e, t in zip(self.factor, edges, self.translation, strict=True)
        )

    def from_octree(self, point: Sequence[float]) -> tuple[float, ...]:
        """Level pixels (edges, not centres) of a point given in octree coordinates."""
        return tuple(
            (p - t) / f for f, p, t in zip(self.factor, point, self.translation, strict=True)
        )

    def select(self, axes: Sequence[int]) -> LevelTransform:
        """Return the transform of some of the axes, in the order given."""
        return LevelTransform(
            tuple(self.factor[a] for a in axes), tuple(self.translation[a] for a in axes)
        )


def infer_level_transforms(
    shapes: Sequence[Sequence[int]],
    scales: Sequence[Sequence[float]] | None = None,
    translations: Sequence[Sequence[float]] | None = None,
) -> tuple[LevelTransform, ...]:
    """Find the transforms of all levels, from OME-Zarr metadata or else from shapes.

    Parameters
    ----------
    shapes : sequence of shapes
        Finest first, any number of axes.
    scales, translations : sequences of one sequence per level, optional
        OME-Zarr ``coordinateTransformations`` of each level, in world units. A translation
        is that of the *centre* of pixel 0. Where every level repeats level 0's
        translation, writers just copied it and pixel areas are taken as aligned.

    Returns
    -------
    tuple of LevelTransform
        One per level; level 0 is the identity.

    Raises
    ------
    ValueError
        No level, an empty level, levels that grow, ranks that differ, or scales that are
        not positive numbers.
    """
    _check_shapes(shapes)
    axes = range(len(shapes[0]))
    if scales is None:
        factors = _factors_from_shapes(shapes)
        unit: Sequence[float] = [1.0 for _ in axes]
    else:
        _check_metadata(shapes, scales, "scales")
        if not all(s > 0 for scale in scales for s in scale):
            raise ValueError(f"scales must be positive, got {[list(s) for s in scales]}")
        unit = scales[0]
        factors = [tuple(_snap(s[a] / unit[a]) for a in axes) for s in scales]
    shifts = [tuple(0.0 for _ in axes) for _ in shapes]
    if translations is not None:
        _check_metadata(shapes, translations, "translations")
        first = translations[0]
        if any(list(t) != list(first) for t in translations):
            shifts = [
                tuple(_snap((t[a] - first[a]) / unit[a] - (f[a] - 1) / 2) for a in axes)
                for t, f in zip(translations, factors, strict=True)
            ]
    return tuple(LevelTransform(f, s) for f, s in zip(factors, shifts, strict=True))


def _check_shapes(shapes: Sequence[Sequence[int]]) -> None:
    if not shapes:
        raise ValueError("a pyramid needs at least one level")
    for level, shape in enumerate(shapes):
        if len(shape) != len(shapes[0]):
            raise ValueError(f"level {level} has {len(shape)} axes, level 0 has {len(shapes[0])}")
        if min(shape, default=0) < 1:
            raise ValueError(f"level {level} is empty: shape {tuple(shape)}")
        if level and any(n > m for n, m in zip(shape, shapes[level - 1], strict=True)):
            raise ValueError(
                f"levels must go from fine to coarse: level {level} with shape {tuple(shape)} "
                f"is larger than level {level - 1} with shape {tuple(shapes[level - 1])}"
            )


def _check_metadata(
    shapes: Sequence[Sequence[int]], values: Sequence[Sequence[float]], name: str
) -> None:
    if [len(v) for v in values] != [len(s) for s in shapes]:
        raise ValueError(f"{name} must hold one number per axis for each of the levels")
    if not all(math.isfinite(v) for value in values for v in value):
        raise ValueError(f"{name} must be finite numbers")


def _snap(value: float) -> float:
    near = round(2 * value) / 2
    return near if abs(value - near) <= SNAP * max(1.0, abs(near)) else value


def _factors_from_shapes(shapes: Sequence[Sequence[int]]) -> list[tuple[float, ...]]:
    """Factors relative to level 0, recovered step by step between neighbouring levels."""
    factors: list[tuple[float, ...]] = [tuple(1.0 for _ in shapes[0])]
    previous: tuple[float, ...] = factors[0]
    for fine, coarse in pairwise(shapes):
        # The longest axis tells the factor most surely: small ones may fit several.
        longest = max(range(len(fine)), key=lambda a: fine[a])
        hint = _step_factor(fine[longest], coarse[longest], (previous[longest],))
        step = tuple(
            _step_factor(n, m, (before, hint))
            for n, m, before in zip(fine, coarse, previous, strict=True)
        )
        factors.append(tuple(f * s for f, s in zip(factors[-1], step, strict=True)))
        # An axis that did not shrink this time says nothing about the next step.
        previous = tuple(s if s > 1 else p for s, p in zip(step, previous, strict=True))
    return factors


def _step_factor(fine: int, coarse: int, hints: Sequence[float]) -> float:
    """Find the integer that gives `coarse` pixels from `fine` ones, else the ratio."""
    if fine == coarse:
        return 1.0
    ratio = fine // coarse
    for candidate in (*hints, *sorted((ratio, ratio + 1), key=lambda f: abs(f * coarse - fine))):
        f = int(candidate)
        if f == candidate and f > 1 and coarse in (max(fine // f, 1), -(-fine // f)):
            return float(f)
    return fine / coarse
