"""The colour that stands for each resolution level: in 2-D, in 3-D, and in the legends.

Invariants: those of Okabe and Ito (2008), whose colours people with any kind of colour
vision can tell apart; neighbouring levels are far apart; after eight levels they begin again.
"""

from __future__ import annotations

import numpy as np

LEVEL_COLOURS = np.array(
    [
        [0.337, 0.706, 0.914],  # sky blue
        [0.902, 0.624, 0.000],  # orange
        [0.000, 0.620, 0.451],  # bluish green
        [0.835, 0.369, 0.000],  # vermilion
        [0.800, 0.475, 0.655],  # reddish purple
        [0.941, 0.894, 0.259],  # yellow
        [0.700, 0.700, 0.700],  # grey
        [0.000, 0.447, 0.698],  # blue
    ],
    np.float32,
)
"""(8, 3): red, green, blue."""


def level_colours(levels: np.ndarray) -> np.ndarray:
    """Return the colours of (N,) levels, (N, 3) float32."""
    colours: np.ndarray = LEVEL_COLOURS[np.asarray(levels) % len(LEVEL_COLOURS)]
    return colours


def colour_name(level: int) -> str:
    """Return the colour of a level as Qt and the web name it."""
    red, green, blue = (
        round(255 * float(part)) for part in LEVEL_COLOURS[level % len(LEVEL_COLOURS)]
    )
    return f"#{red:02x}{green:02x}{blue:02x}"
