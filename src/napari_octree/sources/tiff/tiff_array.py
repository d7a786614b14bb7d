"""One level of one image of a TIFF file, read by the file's own tiles or strips.

Invariants: nothing is read when one is made; reads are cut along tiles (several of them where
they are small), decode without the interpreter's lock, and may run in any number of threads at
once. Two of the same file have the same key, as long as the file is not written anew. Goes to
other processes as a path.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from napari_octree.sources.arrays.generated_array import GeneratedArray, read_ranges
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import ChunkGrid, Region
from napari_octree.sources.tiff.open_tiff_file import FileVersion, OpenTiffFile, open_tiff_file

LEAST_CHUNK_SIDE = 128
"""Smaller tiles are read several at once: each read costs the loader its share."""

_PAGE_AXES = 5
"""tifffile's axes of a page: separate samples, depth, rows, columns, interleaved samples."""


@dataclass(frozen=True)
class PageLayout:
    """How one page of a level is cut; axes (separate samples, depth, rows, columns, samples).

    Attributes
    ----------
    shape : tuple of int
        The page, in all five axes.
    segment : tuple of int
        A tile or strip, in all five axes.
    kept : tuple of int
        Which of the five the array has, in its order.
    """

    shape: tuple[int, ...]
    segment: tuple[int, ...]
    kept: tuple[int, ...]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Segments along each axis."""
        return tuple(-(-n // s) for n, s in zip(self.shape, self.segment, strict=True))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The five axes as the array has them, first those that it has not (of length 1)."""
        return tuple(a for a in range(_PAGE_AXES) if a not in self.kept) + self.kept

    @cached_property
    def chunk(self) -> tuple[int, ...]:
        """What is read at once: one segment, or several small ones side by side."""
        chunk = list(self.segment)
        for axis in (2, 3):
            times = -(-LEAST_CHUNK_SIDE // self.segment[axis])
            chunk[axis] = self.segment[axis] * max(times, 1)
        if self.kept[-1] == 0:
            chunk[0] = self.shape[0]  # separate planes of colours, shown as one picture
        return tuple(chunk)

    def segments(self, region: Region) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Number of each segment that touches a box (five axes), and where it begins."""
        ranges = [
            range(start // s, -(-stop // s))
            for (start, stop), s in zip(region, self.segment, strict=True)
        ]
        for index in itertools.product(*ranges):
            number = 0
            for i, n in zip(index, self.counts, strict=True):
                number = number * n + i
            yield number, tuple(i * s for i, s in zip(index, self.segment, strict=True))


@dataclass(frozen=True, eq=False, repr=False)
class TiffArray:
    """A `StorageArray` over the pages of a level; also sliced as numpy arrays are.

    Attributes
    ----------
    version : FileVersion
    series, level : int
        As tifffile counts them.
    shape : tuple of int
        Axes that say which page, then those of a page.
    dtype : numpy.dtype
    layout : PageLayout
    fill_value : object
        Of tiles that the file does not hold.
    axes : str
        tifffile's letters, one per axis.
    """

    version: FileVersion
    series: int
    level: int
    shape: tuple[int, ...]
    dtype: np.dtype
    layout: PageLayout
    fill_value: object
    axes: str

    in_memory = False
    is_remote = False
    is_computed = False

    @cached_property
    def key(self) -> Hashable:
        """The file, its time and size, and which of its images this is."""
        return ("tiff", self.version, self.series, self.level)

    @cached_property
    def group(self) -> SourceGroup:
        """All of its file."""
        return SourceGroup(("tiff", self.version.path), str(self.version.path))

    @property
    def source_name(self) -> str:
        """The file's path, and which image of it."""
        return f"{self.version.path} (series {self.series}, level {self.level})"

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of what one read takes."""
        page = tuple(
            min(self.layout.chunk[a], n)
            for a, n in zip(self.layout.kept, self._page_shape, strict=True)
        )
        return (1,) * self._leading + page

    @property
    def _leading(self) -> int:
        return len(self.shape) - len(self.layout.kept)

    @property
    def _page_shape(self) -> tuple[int, ...]:
        return self.shape[self._leading :]

    @cached_property
    def _file(self) -> OpenTiffFile:
        return open_tiff_file(self.version)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_file"}

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return boxes of whole tiles or strips."""
        return RegularGrid(self.shape, self.chunks)

    def read(self, region: Region) -> np.ndarray | None:
        """Read a box (worker threads only); None if none of its tiles is in the file.

        Raises
        ------
        SourceError
            A tile is damaged or cut off, or its codec is missing.
        OSError
        """
        leading = self._leading
        page_box = [(0, n) for n in self.layout.shape]
        for axis, bounds in zip(self.layout.kept, region[leading:], strict=True):
            page_box[axis] = bounds
        box = tuple(page_box)
        pages = [range(start, stop) for start, stop in region[:leading]]
        parts = [self._read_page(index, box) for index in itertools.product(*pages)]
        if all(part is None for part in parts):
            return None
        shape = tuple(stop - start for start, stop in region)
        order = self.layout.order
        if len(parts) == 1 and parts[0] is not None:
            return parts[0].transpose(order).reshape(shape)
        blank = np.full([stop - start for start, stop in box], self.fill_value, self.dtype)
        pages_read = [(blank if part is None else part).transpose(order) for part in parts]
        return np.stack(pages_read).reshape(shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read pixels, in the calling thread."""
        sliced = GeneratedArray(
            self.source_name, self.shape, self.dtype, self.chunks, self._read_ranges
        )
        return sliced[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[...], dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<TiffArray {self.shape} {self.dtype}: {self.source_name}>"

    def _read_ranges(self, ranges: tuple[range, ...]) -> np.ndarray:
        return read_ranges(self, ranges)

    def _read_page(self, index: tuple[int, ...], box: Region) -> np.ndarray | None:
        """Pixels of a box of one page, in five axes; None if no tile of it is in the file."""
        number = int(np.ravel_multi_index(index, self.shape[: self._leading])) if index else 0
        page = self._file.page(self.series, self.level, number)
        if page is None:
            return None  # OME images may lack planes
        out: np.ndarray | None = None
        for segment, start in self.layout.segments(box):
            pixels = self._decode(page, segment, number)
            if pixels is None:
                continue
            pixels = pixels.reshape((1, *pixels.shape))
            source, target = [], []
            for (low, high), begin, length in zip(box, start, pixels.shape, strict=True):
                first, last = max(low, begin), min(high, begin + length)
                source.append(slice(first - begin, max(last, first) - begin))
                target.append(slice(first - low, max(last, first) - low))
            part = pixels[tuple(source)]
            shape = tuple(high - low for low, high in box)
            if out is None:
                if part.shape == shape:
                    return np.ascontiguousarray(part, self.dtype)
                out = np.full(shape, self.fill_value, self.dtype)
            out[tuple(target)] = part
        return out

    def _decode(self, page: Any, segment: int, number: int) -> np.ndarray | None:
        try:
            offset, count = page.offsets[segment], page.byte_counts[segment]
        except IndexError as error:
            raise SourceError(
                f"{self.source_name}: page {number} has no tile {segment}: the file is damaged"
            ) from error
        if not count:
            return None
        data = self._file.read(page.path, offset, count)
        if len(data) < count:
            raise SourceError(
                f"{self.source_name}: the file ends within tile {segment} of page {number}"
            )
        try:
            decoded: np.ndarray | None = page.decode(data, segment)
        except Exception as error:  # codecs raise what they like
            raise SourceError(
                f"{self.source_name}: tile {segment} of page {number} cannot be decoded: {error}"
            ) from error
        return decoded
