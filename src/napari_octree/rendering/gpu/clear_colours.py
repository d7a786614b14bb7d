"""Which values a colour map does not show at all: the rays of a translucent volume pass them by.

Invariants: pure; never takes a colour for transparent that is not.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

STEPS = 1024

NOTHING = -3e38
"""Lower than any value."""


class ColourMap(Protocol):
    """As vispy's."""

    def map(self, x: np.ndarray) -> np.ndarray:
        """Colours (N, 4) of values (N, 1) in [0, 1]."""
        ...


def clear_share(cmap: ColourMap) -> float | None:
    """How much of a colour map, from its lowest colour on, is transparent.

    Returns
    -------
    float or None
        In [0, 1]; None if not even the lowest colour is.
    """
    visible = np.flatnonzero(cmap.map(np.linspace(0, 1, STEPS + 1)[:, None])[:, 3] > 0)
    if not len(visible):
        return 1.0
    # A step less, as colours are interpolated from a table on the GPU.
    return max((int(visible[0]) - 2) / STEPS, 0.0) if visible[0] else None


def highest_clear(share: float | None, clim: tuple[float, float], gamma: float) -> float:
    """The value up to which all colours are transparent, given the share of `clear_share`.

    Parameters
    ----------
    share : float or None
    clim : (low, high)
        In any unit, that of the result.
    gamma : float
    """
    low, high = clim
    if share is None or not low < high or gamma <= 0:
        return NOTHING
    return low + share ** (1 / gamma) * (high - low)
