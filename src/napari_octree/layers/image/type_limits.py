"""Contrast limits to begin with, before any pixel is known."""

from __future__ import annotations

import numpy as np

from napari_octree.layers._napari import get_dtype_limits, normalize_dtype


def limits_of_type(dtype: np.dtype) -> tuple[float, float]:
    """Contrast limits to begin with: what the type can hold, (0, 1) for floats."""
    dtype = np.dtype(normalize_dtype(dtype))
    if np.issubdtype(dtype, np.integer):
        low, high = get_dtype_limits(dtype)
        return low, high
    return 0, 1
