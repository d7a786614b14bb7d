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
    result = np.empty([-(-n // f) for n, f in zip(block.shape, factors, strict=True)], block.dtype)
    # Along each axis: the whole boxes, then the smaller one at the end.
    parts = []
    for n, f in zip(block.shape, factors, strict=True):
        whole = n // f
        spans = [(0, whole, f)] if whole else []
        parts.append(spans + ([(whole, whole + 1, n - whole * f)] if n % f else []))
    for part in itertools.product(*parts):
        boxes = tuple(slice(first, last) for first, last, _ in part)
        pixels = tuple(
            slice(first * f, first * f + (last - first) * size)
            for (first, last, size), f in zip(part, factors, strict=True)
        )
        result[boxes] = _modes(block[pixels], tuple(size for _, _, size in part))
    return result


def _modes(block: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """The same for a block that boxes of `sizes` pixels fill."""
    counts = [n // size for n, size in zip(block.shape, sizes, strict=True)]
    split = block.reshape([k for pair in zip(counts, sizes, strict=True) for k in pair])
    axes = range(block.ndim)
    boxes = split.transpose([2 * a for a in axes] + [2 * a + 1 for a in axes])
    boxes = boxes.reshape(*counts, -1)
    size = boxes.shape[-1]
    if (boxes == boxes[..., :1]).all():  # as most of a segmentation is
        return boxes[..., 0]
    # Sorted, equal values are runs, and stably so: each begins with its first pixel.
    order = np.argsort(boxes, axis=-1, kind="stable")
    values = np.take_along_axis(boxes, order, axis=-1)
    begins = np.zeros(boxes.shape, np.int64)
    begins[..., 1:] = np.where(values[..., 1:] != values[..., :-1], np.arange(1, size), 0)
    begins = np.maximum.accumulate(begins, axis=-1)
    first = np.take_along_axis(order, begins, axis=-1)
    length = np.arange(1, size + 1) - begins
    best = np.argmax(length * size - first, axis=-1, keepdims=True)
    return np.take_along_axis(values, best, axis=-1)[..., 0]
