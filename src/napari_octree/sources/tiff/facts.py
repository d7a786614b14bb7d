"""What the tags of a TIFF file say of one image, and how values of tags are read.

Invariants: pure; what cannot be understood is None. Lengths are in micrometres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_octree.sources.ome_zarr.metadata.model import Channel


@dataclass(frozen=True)
class Facts:
    """What the tags say of one image.

    Attributes
    ----------
    sizes : dict
        Length of a pixel by axis letter: micrometres for x, y and z, seconds for t.
    channels : tuple of Channel
    magnification : float or None
    places : dict
        Where the centre of the first pixel lies, in the units of `sizes`.
    plain : frozenset of str
        Axes of which sizes and places have no unit: a pixel is so many pixels.
    """

    sizes: dict[str, float] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    magnification: float | None = None
    places: dict[str, float] = field(default_factory=dict)
    plain: frozenset[str] = frozenset()


LOOKS = "napari-octree/looks"
"""Namespace of the annotation that says how an OME image is shown, which OME has no words for.

Keys are the number of a channel and "window", "window_range" (two numbers each), "active" or
"inverted" ("true", "false").
"""


def hexadecimal(parts: Sequence[int]) -> str:
    """Colour "#rrggbb" of three numbers from 0 to 255."""
    return "#" + "".join(f"{min(max(part, 0), 255):02x}" for part in parts)


def text(value: Any) -> str | None:
    """A text that says something, or None."""
    return str(value) if value not in (None, "") else None


def number(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def length(value: Any) -> float | None:
    """A positive finite number, or None."""
    found = number(value)
    return found if found is not None and found > 0 else None
