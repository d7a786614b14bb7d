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
        Micrometres per pixel by axis letter (x, y, z); seconds for t.
    channels : tuple of Channel
    magnification : float or None
    """

    sizes: dict[str, float] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    magnification: float | None = None


def hexadecimal(parts: Sequence[int]) -> str:
    """Colour "#rrggbb" of three numbers from 0 to 255."""
    return "#" + "".join(f"{min(max(part, 0), 255):02x}" for part in parts)


def text(value: Any) -> str | None:
    """A text that says something, or None."""
    return str(value) if value not in (None, "") else None


def length(value: Any) -> float | None:
    """A positive finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
