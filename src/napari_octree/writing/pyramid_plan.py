"""Which levels a pyramid gets: shapes, chunks, shards, and where their pixels lie.

Invariants: pure and frozen. A level's pixel covers exactly `factors` pixels of the level below,
a last one fewer where they do not divide; so scales are exact multiples and centres lie
(factor - 1) / 2 level-0 pixels further, also for odd sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_octree.writing.errors import WritingError

LEAST_SIDE = 512
"""A level whose rows and columns are no more needs no coarser one."""

PLANE_CHUNK, PLANE_SHARD = 512, 2048
VOLUME_CHUNK, VOLUME_SHARD = 64, 256


@dataclass(frozen=True)
class PlannedLevel:
    """One level.

    Attributes
    ----------
    shape : tuple of int
    factors : tuple of int
        Pixels of the level below per pixel; all 1 for level 0.
    total : tuple of int
        Pixels of level 0 per pixel.
    """

    shape: tuple[int, ...]
    factors: tuple[int, ...]
    total: tuple[int, ...]


@dataclass(frozen=True)
class PyramidPlan:
    """All levels, and how each is cut.

    Attributes
    ----------
    levels : tuple of PlannedLevel
        Finest first.
    chunk : tuple of int
        Pixels of a chunk.
    shard : tuple of int
        Pixels of what is written at once: a shard, or so many chunks where there are none.
    """

    levels: tuple[PlannedLevel, ...]
    chunk: tuple[int, ...]
    shard: tuple[int, ...]


def parse_factors(text: str) -> list[list[int]]:
    """Read "1,2,2;1,2,2;2,2,2": level by level, one number per axis.

    Raises
    ------
    WritingError
    """
    try:
        return [[int(f) for f in level.split(",")] for level in text.split(";") if level.strip()]
    except ValueError as error:
        raise WritingError(f"{text!r} are no factors: {error}") from error


def plan_pyramid(
    shape: Sequence[int],
    axes: str,
    scale: Sequence[float],
    *,
    measured: bool = False,
    chunk: int | None = None,
    shard: int | None = None,
    factors: Sequence[Sequence[int]] | None = None,
    least_side: int = LEAST_SIDE,
) -> PyramidPlan:
    """Plan the levels of an image.

    Parameters
    ----------
    shape : sequence of int
    axes : str
        Letters of "tczyx".
    scale : sequence of float
        Size of a pixel along each axis.
    measured : bool
        The scale of z, y and x is known: axes whose pixels are finest are halved until pixels
        are as isotropic as halving can make them, then all. Otherwise y and x are halved only.
    chunk, shard : int, optional
        Side of a chunk and of a shard along the axes that are halved; 512 and 2048 for planes,
        64 and 256 for volumes.
    factors : sequence of sequence of int, optional
        Instead: pixels of the level below per pixel, level by level, one number per axis.
    least_side : int
        Rows and columns of the coarsest level are at most that many.

    Raises
    ------
    WritingError
        Factors, chunks or shards that do not fit.
    """
    sizes = tuple(int(n) for n in shape)
    if not sizes or min(sizes) < 1:
        raise WritingError(f"an image of shape {sizes} has no pixels")
    steps = (
        _own_steps(sizes, axes, factors)
        if factors is not None
        else _halvings(sizes, axes, scale, measured, least_side)
    )
    levels = [PlannedLevel(sizes, (1,) * len(sizes), (1,) * len(sizes))]
    for step in steps:
        below = levels[-1]
        reduced = tuple(-(-n // f) for n, f in zip(below.shape, step, strict=True))
        total = tuple(a * b for a, b in zip(below.total, step, strict=True))
        levels.append(PlannedLevel(reduced, step, total))
    volume = any(f > 1 for step in steps for f, a in zip(step, axes, strict=True) if a == "z")
    chunk = chunk or (VOLUME_CHUNK if volume else PLANE_CHUNK)
    shard = shard or max(VOLUME_SHARD if volume else PLANE_SHARD, chunk)
    if chunk < 1 or shard % chunk:
        raise WritingError(f"shards of {shard} pixels cannot hold whole chunks of {chunk}")
    largest = max((f for step in steps for f in step), default=1)
    if shard % largest:
        raise WritingError(f"shards of {shard} pixels are not a multiple of the factor {largest}")
    cut = "zyx" if volume else "yx"
    return PyramidPlan(
        tuple(levels),
        tuple(chunk if a in cut else 1 for a in axes),
        tuple(shard if a in cut else 1 for a in axes),
    )


def _own_steps(
    shape: tuple[int, ...], axes: str, factors: Sequence[Sequence[int]]
) -> list[tuple[int, ...]]:
    steps = []
    for number, given in enumerate(factors, 1):
        step = tuple(int(f) for f in given)
        if len(step) != len(shape) or min(step) < 1 or max(step) < 2:
            raise WritingError(
                f"factors {step} of level {number}: one whole number per axis ({', '.join(axes)}) "
                "is needed, and one of them more than 1"
            )
        steps.append(step)
    return steps


def _halvings(
    shape: tuple[int, ...], axes: str, scale: Sequence[float], measured: bool, least_side: int
) -> list[tuple[int, ...]]:
    spatial = [i for i, a in enumerate(axes) if a in ("zyx" if measured else "yx")]
    pixel = {i: abs(float(scale[i])) or 1.0 for i in spatial}
    sizes = list(shape)
    steps = []
    plane = [i for i in spatial if axes[i] in "yx"]
    while max(sizes[i] for i in plane) > least_side:
        finest = min(pixel[i] for i in spatial if sizes[i] > 1)
        step = tuple(
            2 if i in spatial and sizes[i] > 1 and pixel[i] < finest * math.sqrt(2) else 1
            for i in range(len(sizes))
        )
        for i in spatial:
            if step[i] == 2:
                pixel[i] *= 2
                sizes[i] = -(-sizes[i] // 2)
        steps.append(step)
    return steps
