"""The commonest value of each box: coarser levels of labels, where a mean would invent some.

Invariants: pure; a pixel is one of those that it covers; boxes at the end may be smaller.
"""

from __future__ import annotations

import itertools

import numpy as np


def reduce_mode(block: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Take the commonest value of each box; of equally common ones the first in reading order.

    Parameters
    ----------
    block : numpy.ndarray
    factors : tuple of int
        Pixels per box, axis by axis.

    Returns
    -------
    numpy.ndarray
        Of the block's type, `ceil(n / f)` pixels along each axis.
    """
    candidates, valid = [], []
    for offsets in itertools.product(*(range(f) for f in factors)):
        candidate = block
        inside = np.ones((1,) * block.ndim, bool)
        for axis, (offset, f) in enumerate(zip(offsets, factors, strict=True)):
            index = np.arange(0, block.shape[axis], f) + offset
            is_inside = index < block.shape[axis]
            candidate = candidate.take(np.minimum(index, block.shape[axis] - 1), axis)
            shape = [1] * block.ndim
            shape[axis] = len(index)
            inside = inside & is_inside.reshape(shape)
        candidates.append(candidate)
        valid.append(inside)
    best = candidates[0]
    most = np.zeros(best.shape, np.int32)
    for value, inside in zip(candidates, valid, strict=True):
        count = np.zeros(best.shape, np.int32)
        for other, other_inside in zip(candidates, valid, strict=True):
            count += (other == value) & other_inside
        better = (count > most) & inside
        best = np.where(better, value, best)
        most = np.where(better, count, most)
    return best
