"""Pyramidal OME-TIFF from an image of any size.

Invariants: always BigTIFF; the image is read once, and what is held in memory is a few tiles:
coarser levels wait in files beside it, which are removed. The file has another name until it is
whole, so that a failure or a cancel leaves nothing under the final one.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from napari_octree.sources.tiff.facts import LOOKS
from napari_octree.writing.errors import CancelledError, WritingError
from napari_octree.writing.image_to_write import ImageToWrite
from napari_octree.writing.ome_attributes import default_colors
from napari_octree.writing.running import Progress
from napari_octree.writing.shard_task import reduce_block
from napari_octree.writing.unfinished import unfinished

TILE = 512

MOST_PLANES = 2**16
"""So many are told their places one by one; each takes some 200 bytes."""

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
        Default: halved until rows and columns are at most 512. Coarser levels are rounded means,
        of labels the commonest values.
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
        raise WritingError(
            f"{path}: OME-TIFF holds no pixels of type {image.dtype}; OME-Zarr does"
        )
    path = Path(path)
    shapes = _shapes(image, levels)
    count = _Counter(sum(map(_tiles, shapes)), progress, cancelled)
    photometric = "rgb" if image.is_rgb else "minisblack"
    with (
        unfinished(path) as part,
        TemporaryDirectory(dir=part.parent, prefix=f".{path.name}.") as scratch,
        tifffile.TiffWriter(part, bigtiff=True, ome=True) as tiff,
    ):
        read: ReadTile = _FromImage(image)
        for number, shape in enumerate(shapes):
            options: dict[str, Any] = {"metadata": _metadata(image)}
            if number:
                options = {"subfiletype": 1, "metadata": None}
            elif len(shapes) > 1:
                options["subifds"] = len(shapes) - 1
            halves = None
            if number + 1 < len(shapes):
                halves = _Halves(Path(scratch, str(number)), shapes[number + 1], shape, image)
            tiff.write(
                count.each(_tile_pixels(read, shape, halves)),
                shape=(*shape.planes, shape.rows, shape.columns, *shape.samples),
                dtype=image.dtype,
                tile=(TILE, TILE),
                compression=compression,
                photometric=photometric,
                planarconfig="contig" if image.is_rgb else None,
                maxworkers=2,
                **options,
            )
            if halves is not None:
                read = halves.read


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


class _Shape(NamedTuple):
    """A level: planes, each of rows, columns, and (colours) samples."""

    planes: tuple[int, ...]
    rows: int
    columns: int
    samples: tuple[int, ...]


ReadTile = Callable[[tuple[int, ...], slice, slice], np.ndarray]
"""Which plane, rows, columns."""


def _shapes(image: ImageToWrite, levels: int | None) -> list[_Shape]:
    """The image and its halves."""
    lengths = dict(zip(image.axes, image.shape, strict=True))
    samples = (lengths.pop("c"),) if image.is_rgb else ()
    rows, columns = lengths.pop("y"), lengths.pop("x")
    shapes = [_Shape(tuple(lengths.values()), rows, columns, samples)]
    while max(rows, columns) > TILE if levels is None else len(shapes) < levels:
        if rows == columns == 1:
            break
        rows, columns = -(-rows // 2), -(-columns // 2)
        shapes.append(_Shape(tuple(lengths.values()), rows, columns, samples))
    return shapes


class _FromImage:
    """Tiles of the finest level."""

    def __init__(self, image: ImageToWrite) -> None:
        self.image = image

    def __call__(self, plane: tuple[int, ...], rows: slice, columns: slice) -> np.ndarray:
        image = self.image
        lengths = dict(zip(image.axes, image.shape, strict=True))
        left = iter(plane)
        sides: list[tuple[int, int]] = []
        for letter in image.axes:
            if letter in "yx":
                side = rows if letter == "y" else columns
                sides.append((side.start, side.stop))
            elif letter == "c" and image.is_rgb:
                sides.append((0, lengths["c"]))
            else:
                index = next(left)
                sides.append((index, index + 1))
        block = image.read(tuple(sides))
        if block is None:
            shape = [stop - start for start, stop in sides]
            block = np.full(shape, image.fill_value, image.dtype)
        samples = (lengths["c"],) if image.is_rgb else ()
        block = block.reshape(*samples, *block.shape[-2:])
        return np.moveaxis(block, 0, -1) if samples else block


class _Halves:
    """The next coarser level, made tile by tile, in a file that is removed in the end."""

    def __init__(self, file: Path, shape: _Shape, below: _Shape, image: ImageToWrite) -> None:
        self._method = "mode" if image.is_label else "mean"
        self._factors = (
            2 if below.rows > 1 else 1, 2 if below.columns > 1 else 1, *(1 for _ in shape.samples),
        )  # fmt: skip
        whole = (*shape.planes, shape.rows, shape.columns, *shape.samples)
        self._pixels: Any = np.memmap(file, image.dtype, "w+", shape=whole)

    def take(self, plane: tuple[int, ...], top: int, left: int, tile: np.ndarray) -> None:
        """Halve a tile of the level below."""
        half = reduce_block(tile, self._factors, self._method, (0,) * tile.ndim)
        y, x = top // self._factors[0], left // self._factors[1]
        self._pixels[(*plane, slice(y, y + half.shape[0]), slice(x, x + half.shape[1]))] = half

    def read(self, plane: tuple[int, ...], rows: slice, columns: slice) -> np.ndarray:
        """A tile of this level."""
        return np.array(self._pixels[(*plane, rows, columns)])


def _tiles(shape: _Shape) -> int:
    return math.prod(shape.planes) * -(-shape.rows // TILE) * -(-shape.columns // TILE)


def _tile_pixels(read: ReadTile, shape: _Shape, halves: _Halves | None) -> Iterator[np.ndarray]:
    for plane in np.ndindex(shape.planes):
        for top in range(0, shape.rows, TILE):
            for left in range(0, shape.columns, TILE):
                rows = slice(top, min(top + TILE, shape.rows))
                columns = slice(left, min(left + TILE, shape.columns))
                tile = np.ascontiguousarray(read(plane, rows, columns))
                if halves is not None:
                    halves.take(plane, top, left, tile)
                yield tile


def _metadata(image: ImageToWrite) -> dict[str, Any]:
    axes = image.axes.replace("c", "") + "s" if image.is_rgb else image.axes
    said: dict[str, Any] = {"axes": axes.upper(), "Name": image.name}
    places: dict[str, Any] = {}
    for letter, size, shift, unit in zip(
        image.axes, image.scale, image.translation, image.units, strict=True
    ):
        symbol = (TIMES if letter == "t" else LENGTHS | {"": "pixel"}).get(unit or "")
        if symbol is None or letter == "c" or (symbol == "pixel" and (size, shift) == (1, 0)):
            continue
        key = "TimeIncrement" if letter == "t" else f"PhysicalSize{letter.upper()}"
        said[key], said[f"{key}Unit"] = size, symbol
        if shift:
            places["DeltaT" if letter == "t" else f"Position{letter.upper()}"] = (shift, symbol)
    if places:
        said["Plane"] = _planes(image, places)
    if not image.is_rgb:
        _add_channels(image, said)
    return said


def _planes(image: ImageToWrite, places: dict[str, tuple[float, str]]) -> dict[str, list[Any]]:
    """Where each plane lies, in the order of the file; as tifffile takes it."""
    letters = "tz" if image.is_rgb else "tcz"
    axes = [a for a, letter in enumerate(image.axes) if letter in letters]
    shape = [image.shape[a] for a in axes]
    count = math.prod(shape)
    if count > MOST_PLANES:
        warnings.warn(f"{image.name}: {count} planes are too many to say where each lies",
                      stacklevel=3)  # fmt: skip
        return {}
    said: dict[str, list[Any]] = {}
    for key, (shift, symbol) in places.items():
        letter = "t" if key == "DeltaT" else key[-1].lower()
        along = next((i for i, a in enumerate(axes) if image.axes[a] == letter), None)
        step = image.scale[image.axes.index(letter)]
        steps = np.zeros(count) if along is None else np.indices(shape)[along].ravel()
        said[key] = [float(value) for value in shift + step * steps]
        said[f"{key}Unit"] = [symbol] * count
    return said


def _add_channels(image: ImageToWrite, said: dict[str, Any]) -> None:
    """Names, colours, and as an annotation what OME has no words for."""
    known = image.channels
    count = image.shape[image.axes.index("c")] if "c" in image.axes else 1
    if count == 1 and not known:
        return
    labels = [known[i].label if i < len(known) else None for i in range(count)]
    said["Channel"] = {"Name": [label or f"channel {i}" for i, label in enumerate(labels)]}
    if any(channel.color for channel in known):
        said["Channel"]["Color"] = [
            _signed((known[i].color if i < len(known) else None) or default)
            for i, default in enumerate(default_colors(count))
        ]
    looks: dict[str, str] = {}
    for i, channel in enumerate(known[:count]):
        for what, ends in (("window", channel.window), ("window_range", channel.window_range)):
            if ends is not None:
                looks[f"{i} {what}"] = f"{ends[0]!r} {ends[1]!r}"
        looks[f"{i} active"] = str(channel.active).lower()
        looks[f"{i} inverted"] = str(channel.inverted).lower()
    if looks:
        said["MapAnnotation"] = {"Namespace": LOOKS, **looks}


def _signed(color: str) -> int:
    """OME's signed 32-bit RGBA of "RRGGBB"."""
    bits = int(color, 16) << 8 | 255
    return bits - 2**32 if bits >= 2**31 else bits
