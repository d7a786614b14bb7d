"""Pyramids of generated arrays: which levels there are, and parts of them.

Invariants: pure; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_octree.sources.arrays.generated_array import GeneratedArray

COARSEST = 512
"""A level whose longest side is no more needs no coarser one."""

MakeCompute = Callable[[tuple[int, ...]], Callable[[tuple[range, ...]], np.ndarray]]


def part_of_pyramid(
    whole: Sequence[GeneratedArray], side: int, levels: int | None
) -> list[GeneratedArray]:
    """Return the levels of a pyramid from one of a given side on.

    Raises
    ------
    ValueError
        None has that side, or there are fewer levels.
    """
    sides = [array.shape[0] for array in whole]
    if side not in sides:
        raise ValueError(f"side {side}: it must be a power of two from {sides[-1]} to {sides[0]}")
    found = list(whole[sides.index(side) :])
    if levels is not None and not 1 <= levels <= len(found):
        raise ValueError(f"levels {levels}: from 1 to {len(found)} with a side of {side}")
    return found[:levels]


def halved_pyramid(
    name: str,
    shape: Sequence[int],
    dtype: np.dtype,
    chunk: Sequence[int],
    axes: Sequence[int],
    levels: int | None,
    make_compute: MakeCompute,
) -> list[GeneratedArray]:
    """Make a pyramid whose levels are halved along some axes.

    Parameters
    ----------
    name : str
    shape : sequence of int
        Of the finest level.
    dtype : numpy.dtype
    chunk : sequence of int
    axes : sequence of int
        Those that are halved.
    levels : int, optional
        Default: until the halved axes have at most 512 pixels.
    make_compute : callable
        From level-0 pixels per pixel, axis by axis, to what computes a box of the level.

    Raises
    ------
    ValueError
        A shape or a number of levels that cannot be.
    """
    sizes = [int(n) for n in shape]
    if min(sizes, default=0) < 1:
        raise ValueError(f"an image of shape {tuple(sizes)} has no pixels")
    if levels is not None and levels < 1:
        raise ValueError(f"levels {levels}: at least 1")
    arrays: list[GeneratedArray] = []
    factors = [1] * len(sizes)
    while True:
        level = len(arrays)
        arrays.append(
            GeneratedArray(
                name=f"{name}/level {level}",
                shape=tuple(-(-n // f) for n, f in zip(sizes, factors, strict=True)),
                dtype=dtype,
                chunks=tuple(chunk),
                compute=make_compute(tuple(factors)),
            )
        )
        longest = max(arrays[-1].shape[axis] for axis in axes)
        if len(arrays) == levels or (levels is None and longest <= COARSEST) or longest == 1:
            return arrays
        for axis in axes:
            factors[axis] *= 2
