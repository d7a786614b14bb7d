"""Which pixel of level 0 stands for a pixel of a coarser level, where pixels are not averaged."""

from __future__ import annotations

import numpy as np


def representatives(pixels: np.ndarray, factor: float, offset: float, size: int) -> np.ndarray:
    """Of each pixel the one at its centre, the lower of two.

    Parameters
    ----------
    pixels : int array
        Along one axis of a level.
    factor, offset : float
        Pixels of level 0 per pixel, and where the first begins.
    size : int
        Of level 0: beyond it, its last pixel.

    Returns
    -------
    int64 array
    """
    found = np.floor(pixels * factor + offset + (factor - 1) / 2).astype(np.int64)
    return found.clip(0, size - 1)
