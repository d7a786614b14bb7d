"""An image that is to be written: pixels in the axis order of OME-Zarr, and what is said of them.

Invariants: frozen, and as picklable as its array; `read` may be called in any thread or process
that can reach the array. Axis order of a written image: time, channel, z, y, x, as far as there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_octree.sources import SourceError, as_level_source
from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.protocol import LevelSource, Region

WRITTEN_AXES = "tczyx"

AXIS_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


@dataclass(frozen=True)
class ChannelToWrite:
    """How a channel looks; None where nothing is known.

    Attributes
    ----------
    label : str or None
    color : str or None
        "RRGGBB".
    window : tuple of float or None
        Contrast limits.
    window_range : tuple of float or None
        What they may be set to; default: all that the type of the pixels can hold.
    active : bool
        It is shown.
    inverted : bool
        0 is brightest.
    """

    label: str | None = None
    color: str | None = None
    window: tuple[float, float] | None = None
    window_range: tuple[float, float] | None = None
    active: bool = True
    inverted: bool = False


@dataclass(frozen=True, eq=False)
class ImageToWrite:
    """One image.

    Attributes
    ----------
    name : str
    source : LevelSource
        Its finest level.
    order : tuple of int
        Which axis of the source each written axis is.
    axes : str
        Written axes, letters of "tczyx" in that order.
    scale, translation : tuple of float
        Of level 0, per written axis.
    units : tuple of (str or None)
        Per written axis.
    channels : tuple of ChannelToWrite
    greyscale : bool
    is_label : bool
        Its values are labels: never averaged.
    label_facts : mapping
        Colours and properties of the labels, as OME-Zarr's "image-label" has them.
    labels : tuple of ImageToWrite
        Label images that lie beside it, of distinct names that can be those of folders.
    is_rgb : bool
        Its channels are red, green, blue and perhaps alpha of one picture.
    """

    name: str
    source: LevelSource
    order: tuple[int, ...]
    axes: str
    scale: tuple[float, ...]
    translation: tuple[float, ...]
    units: tuple[str | None, ...]
    channels: tuple[ChannelToWrite, ...] = ()
    greyscale: bool = False
    is_label: bool = False
    label_facts: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[ImageToWrite, ...] = ()
    is_rgb: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each written axis."""
        return tuple(self.source.shape[a] for a in self.order)

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels, in this machine's byte order."""
        return self.source.dtype.newbyteorder("=")

    @property
    def fill_value(self) -> object:
        """Value of pixels that the source does not hold."""
        return self.source.storage.fill_value

    def read(self, region: Region) -> np.ndarray | None:
        """Pixels of a box, in written axis order; None where the source holds nothing there.

        Blocks; raises what the source raises.
        """
        below: list[tuple[int, int]] = [(0, 0)] * len(region)
        for axis, bounds in zip(self.order, region, strict=True):
            below[axis] = bounds
        block = read_region(self.source, tuple(below))
        if block is None:
            return None
        return np.ascontiguousarray(block.transpose(self.order), self.dtype)

    def identity(self) -> dict[str, Any]:
        """What tells this image from others, for resuming: JSON-ready, no pixels."""
        return {
            "source": self.source.storage.source_name,
            "version": str(getattr(self.source.storage, "version", "")),
            "shape": list(self.shape),
            "dtype": self.dtype.str,
            "axes": self.axes,
        }


def image_to_write(
    array: Any,
    axes: Sequence[str] | None = None,
    *,
    name: str = "image",
    scale: Sequence[float] | None = None,
    translation: Sequence[float] | None = None,
    units: Sequence[str | None] | None = None,
    channels: Sequence[ChannelToWrite] = (),
    greyscale: bool = False,
) -> ImageToWrite:
    """Describe an array, and put its axes in order.

    Parameters
    ----------
    array : array-like
        Anything that `as_level_source` takes.
    axes : sequence of str, optional
        Name of each axis: t, c, z, y, x; "s" are colours, written as channels. Others take the
        place of t or c where that is free. Default: the last letters of "tzyx", or "tczyx".
    name, scale, translation, units, channels, greyscale
        As in `ImageToWrite`, but in the order of `axes`.

    Raises
    ------
    SourceError
        It is no array, or has axes that OME-Zarr cannot hold.
    """
    source = as_level_source(array)
    rank = len(source.shape)
    where = source.storage.source_name
    if axes is None:
        if not 2 <= rank <= 5:
            raise SourceError(f"{where}: {rank} axes, of which the names are not known")
        axes = unnamed_axes(rank)
    letters = _written_letters([a.lower() for a in axes], where)
    if len(letters) != rank:
        raise SourceError(f"{where}: {len(letters)} names for {rank} axes")
    order = tuple(letters.index(letter) for letter in WRITTEN_AXES if letter in letters)
    scale = [1.0] * rank if scale is None else list(scale)
    translation = [0.0] * rank if translation is None else list(translation)
    units = [None] * rank if units is None else list(units)
    return ImageToWrite(
        name=name,
        source=source,
        order=order,
        axes="".join(letters[a] for a in order),
        scale=tuple(float(scale[a]) for a in order),
        translation=tuple(float(translation[a]) for a in order),
        units=tuple(None if units[a] in (None, "pixel") else units[a] for a in order),
        channels=tuple(channels),
        greyscale=greyscale,
        is_rgb="s" in axes and source.shape[[a.lower() for a in axes].index("s")] in (3, 4),
    )


def unnamed_axes(rank: int) -> str:
    """What axes without names are taken for."""
    return WRITTEN_AXES if rank == 5 else "tzyx"[-rank:]


def with_labels(image: ImageToWrite, labels: Sequence[ImageToWrite]) -> ImageToWrite:
    """Return the image with label images beside it, under names that folders can have."""
    named: list[ImageToWrite] = []
    for label in labels:
        name = re.sub(r"[^\w .-]", "_", label.name).strip(". ") or "labels"
        taken = {other.name for other in named}
        free = (name if n == 1 else f"{name} {n}" for n in itertools.count(1))
        label = replace(label, name=next(n for n in free if n not in taken), is_label=True)
        named.append(label)
    return replace(image, labels=(*image.labels, *named))


def _written_letters(names: list[str], where: str) -> list[str]:
    letters: list[str] = []
    for name in names:
        letter = "c" if name in ("s", "channel") else name
        if letter not in WRITTEN_AXES or len(letter) != 1 or letter in letters:
            free = next((x for x in "tc" if x not in names and x not in letters), None)
            if free is None:
                raise SourceError(
                    f"{where}: the axis {name!r} has no place in OME-Zarr (t, c, z, y, x)"
                )
            letter = free
        letters.append(letter)
    if not {"y", "x"} <= set(letters):
        raise SourceError(f"{where}: axes {', '.join(names)}: y and x are needed")
    return letters
