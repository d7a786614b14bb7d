"""Pyramidal OME-TIFF from an image of any size.

Invariants: always BigTIFF; what is held in memory is a few tiles; the file has another name until
it is whole, so that a failure or a cancel leaves nothing under the final one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.sources.derived.downsampled import DownsampledArray
from napari_octree.writing.errors import CancelledError, WritingError
from napari_octree.writing.image_to_write import ImageToWrite, image_to_write
from napari_octree.writing.running import Progress

TILE = 512

OME_DTYPES = ["bool", "uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64"]


LENGTHS = {
    "micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "centimeter": "cm", "meter": "m",
    "picometer": "pm", "kilometer": "km", "angstrom": "Å", "inch": "in", "decimeter": "dm",
}  # fmt: skip
TIMES = {
    "second": "s", "millisecond": "ms", "microsecond": "µs", "nanosecond": "ns",
    "minute": "min", "hour": "h", "day": "d",
}  # fmt: skip
"""OME's names of units; sizes in others are not written."""


def write_tiff(
    image: ImageToWrite,
    path: str | Path,
    *,
    compression: str | None = "zlib",
    levels: int | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Write an image as tiled, pyramidal OME-TIFF.

    Parameters
    ----------
    image : ImageToWrite
    path : path-like
        Should end in .ome.tif; an existing file is replaced when all is written.
    compression : str, optional
        As tifffile names it: "zlib", "zstd", "lzw"; None for none.
    levels : int, optional
        Default: halved until rows and columns are at most 512. Coarser levels are rounded means.
    progress : callable, optional
        Told the number of tiles written, and of all.
    cancelled : callable, optional
        Asked for each tile.

    Raises
    ------
    WritingError
        OME-TIFF cannot hold such pixels, or the file cannot be written.
    CancelledError
    """
    try:
        import tifffile
    except ImportError as error:
        raise WritingError(
            "TIFF files need tifffile and imagecodecs; try\n  pip install 'napari-octree[slides]'"
        ) from error
    if image.dtype.name not in OME_DTYPES:
        raise WritingError(f"{path}: OME-TIFF holds no pixels of type {image.dtype}")
    path = Path(path).resolve()  # what a link points to is replaced, not the link
    pyramid = _pyramid(image, levels)
    total = sum(_tiles(level.shape) for level in pyramid)
    count = _Counter(total, progress, cancelled)
    part = path.with_name(f".{path.name}.part")
    try:
        with tifffile.TiffWriter(part, bigtiff=True, ome=True) as tiff:
            for number, level in enumerate(pyramid):
                options: dict[str, Any] = {"metadata": _metadata(image)}
                if number:
                    options = {"subfiletype": 1, "metadata": None}
                elif len(pyramid) > 1:
                    options["subifds"] = len(pyramid) - 1
                tiff.write(
                    count.each(_tile_pixels(level)),
                    shape=level.shape,
                    dtype=level.dtype,
                    tile=(TILE, TILE),
                    compression=compression,
                    photometric="minisblack",
                    maxworkers=2,
                    **options,
                )
        part.replace(path)
    except OSError as error:
        raise WritingError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


class _Counter:
    def __init__(
        self, total: int, progress: Progress | None, cancelled: Callable[[], bool] | None
    ) -> None:
        self.done, self.total = 0, total
        self.progress, self.cancelled = progress, cancelled

    def each(self, tiles: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for tile in tiles:
            if self.cancelled is not None and self.cancelled():
                raise CancelledError
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total)
            yield tile  # the writer does not come back for more after the last


def _pyramid(image: ImageToWrite, levels: int | None) -> list[ImageToWrite]:
    """The image and its halves, each computed from the one before."""
    pyramid = [image]
    names = list(image.axes)
    while levels is None or len(pyramid) < levels:
        below = pyramid[-1]
        if max(below.shape[-2:]) <= TILE:
            break
        factors = [1] * len(below.source.shape)
        for axis, name in zip(below.order, names, strict=True):
            factors[axis] = 2 if name in "yx" and below.source.shape[axis] > 1 else 1
        half = DownsampledArray(below.source, tuple(factors))
        unordered = [""] * len(names)
        for axis, name in zip(below.order, names, strict=True):
            unordered[axis] = name
        pyramid.append(image_to_write(half, unordered, name=image.name))
    return pyramid


def _tiles(shape: tuple[int, ...]) -> int:
    planes = int(np.prod(shape[:-2], dtype=object))
    return planes * -(-shape[-2] // TILE) * -(-shape[-1] // TILE)


def _tile_pixels(image: ImageToWrite) -> Iterator[np.ndarray]:
    rows, columns = image.shape[-2:]
    for plane in np.ndindex(image.shape[:-2]):
        for top in range(0, rows, TILE):
            for left in range(0, columns, TILE):
                region = (
                    *((i, i + 1) for i in plane),
                    (top, min(top + TILE, rows)),
                    (left, min(left + TILE, columns)),
                )
                block = image.read(region)
                shape = tuple(stop - start for start, stop in region[-2:])
                if block is None:
                    yield np.full(shape, image.fill_value, image.dtype)
                else:
                    yield block.reshape(shape)


def _metadata(image: ImageToWrite) -> dict[str, Any]:
    said: dict[str, Any] = {"axes": image.axes.upper(), "Name": image.name}
    for letter, size, unit in zip(image.axes, image.scale, image.units, strict=True):
        symbol = (TIMES if letter == "t" else LENGTHS).get(unit or "")
        if symbol is None or letter == "c":
            continue
        key = "TimeIncrement" if letter == "t" else f"PhysicalSize{letter.upper()}"
        said[key], said[f"{key}Unit"] = size, symbol
    if "c" in image.axes:
        known = image.channels
        count = image.shape[image.axes.index("c")]
        labels = [known[i].label if i < len(known) else None for i in range(count)]
        said["Channel"] = {"Name": [label or f"channel {i}" for i, label in enumerate(labels)]}
        colors = [channel.color for channel in known]
        if len(colors) == count and all(color is not None for color in colors):
            said["Channel"]["Color"] = [_signed(str(color)) for color in colors]
    return said


def _signed(color: str) -> int:
    """OME's signed 32-bit RGBA of "RRGGBB"."""
    bits = int(color, 16) << 8 | 255
    return bits - 2**32 if bits >= 2**31 else bits
