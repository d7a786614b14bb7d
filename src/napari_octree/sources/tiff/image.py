"""What a TIFF file or slide says of one of its images: frozen values.

Invariants: axes are named in lower case, in the order of the levels' axes; colours of one pixel
(`rgb`) are the last axis and have no entry in `axes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_octree.sources.ome_zarr.metadata.model import Channel

OVERLAPPING = "overlapping tiles"
"""In the metadata of an image whose tiles overlap, and are not put together."""


@dataclass(frozen=True, eq=False)
class TiffImage:
    """One image of a file.

    Attributes
    ----------
    name : str
        The file's name, and the image's where the file has several.
    path : str
    levels : tuple of array
        Finest first; `StorageArray`s that can be sliced, all with the same axes.
    axes : tuple of str
        Without the colours' axis.
    rgb : bool
        The last axis of the levels holds 3 or 4 colours.
    channel_axis : int or None
        The axis of the levels along which channels lie; -1 for samples that are no colours.
    channels : tuple of Channel
        As many as the file describes, may be none.
    scale : tuple of float
        One per entry of `axes`; level 0.
    units : tuple of str
        One per entry of `axes`; "pixel" where the file does not say.
    translation : tuple of float
        Where the centre of the first pixel lies, one per entry of `axes`, in its unit.
    palette : numpy.ndarray or None
        Colours (n, 3) from 0 to 1 of pixel values.
    inverted : bool
        0 is white.
    metadata : dict
        Further facts, JSON-ready: the kind of file, magnification.
    """

    name: str
    path: str
    levels: tuple[Any, ...]
    axes: tuple[str, ...]
    rgb: bool
    channel_axis: int | None
    channels: tuple[Channel, ...]
    scale: tuple[float, ...]
    units: tuple[str, ...]
    translation: tuple[float, ...]
    palette: np.ndarray | None = None
    inverted: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
