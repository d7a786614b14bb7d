"""Slides that tifffile has no reader for (MIRAX, Sakura, VMS, DICOM, Zeiss), through openslide.

Invariants: openslide is imported when it is needed; nothing is read when a slide is opened but its
header; reads may run in any number of threads at once. Pixels are RGBA, 8 bits, outside of the
scanned parts transparent. Goes to other processes as a path.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.sources.arrays.generated_array import GeneratedArray
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.errors import SourceError
from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import ChunkGrid, Region
from napari_octree.sources.tiff.image import TiffImage
from napari_octree.sources.tiff.open_tiff_file import FileVersion

DEFAULT_TILE = 256


@dataclass(frozen=True, eq=False, repr=False)
class OpenSlideArray:
    """A `StorageArray` over one level of a slide: rows, columns, RGBA.

    Attributes
    ----------
    version : FileVersion
    level : int
        As openslide counts them: 0 is the finest.
    shape : tuple of int
    factors : tuple of float
        Level-0 pixels per row and per column.
    tile : tuple of int
        Rows and columns of the file's tiles.
    """

    version: FileVersion
    level: int
    shape: tuple[int, ...]
    factors: tuple[float, float]
    tile: tuple[int, int]

    dtype = np.dtype(np.uint8)
    in_memory = False
    is_remote = False
    is_computed = False
    fill_value = 0
    ndim = 3

    @cached_property
    def key(self) -> Hashable:
        """The file, its time and size, and the level."""
        return ("openslide", self.version, self.level)

    @cached_property
    def group(self) -> SourceGroup:
        """All of its file."""
        return SourceGroup(("openslide", self.version.path), str(self.version.path))

    @property
    def source_name(self) -> str:
        """The file's path and the level."""
        return f"{self.version.path} (level {self.level})"

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of what one read takes."""
        return (*self.tile, 4)

    @cached_property
    def _slide(self) -> Any:
        return _open(self.version.path)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_slide"}

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return boxes of whole tiles."""
        return RegularGrid(self.shape, self.chunks)

    def read(self, region: Region) -> np.ndarray:
        """Read a box (worker threads only).

        Raises
        ------
        SourceError
            openslide cannot decode it.
        """
        (top, bottom), (left, right), (first, last) = region
        place = (round(left * self.factors[1]), round(top * self.factors[0]))
        try:
            picture = self._slide.read_region(place, self.level, (right - left, bottom - top))
        except Exception as error:  # ctypes, PIL and openslide raise their own
            raise SourceError(f"{self.source_name}: cannot be decoded: {error}") from error
        return np.ascontiguousarray(np.asarray(picture)[..., first:last])

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read pixels, in the calling thread."""
        return GeneratedArray(self.source_name, self.shape, self.dtype, self.chunks, self._ranges)[
            index
        ]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[...], dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<OpenSlideArray {self.shape}: {self.source_name}>"

    def _ranges(self, ranges: tuple[range, ...]) -> np.ndarray:
        if any(len(r) == 0 for r in ranges):
            return np.empty([len(r) for r in ranges], self.dtype)
        region = tuple((min(r[0], r[-1]), max(r[0], r[-1]) + 1) for r in ranges)
        index = (np.array(r) - low for r, (low, _) in zip(ranges, region, strict=True))
        result: np.ndarray = self.read(region)[np.ix_(*index)]
        return result


def read_openslide(path: str | os.PathLike[str]) -> tuple[TiffImage, ...]:
    """Read what a slide holds, through openslide.

    Raises
    ------
    SourceError
        It is not there, openslide is not installed, or cannot open it.
    """
    try:
        version = FileVersion.of(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be opened: {error.strerror or error}") from error
    slide = _open(version.path)
    said = slide.properties
    width, height = slide.dimensions
    levels = []
    for number, (columns, rows) in enumerate(slide.level_dimensions):
        tile = tuple(
            int(said.get(f"openslide.level[{number}].tile-{side}", DEFAULT_TILE))
            for side in ("height", "width")
        )
        factors = (height / rows, width / columns)
        levels.append(
            OpenSlideArray(version, number, (rows, columns, 4), factors, (tile[0], tile[1]))
        )
    sizes = [_positive(said.get(f"openslide.mpp-{axis}")) for axis in "yx"]
    metadata = {"kind": str(said.get("openslide.vendor", "openslide")), "path": version.path}
    if (power := _positive(said.get("openslide.objective-power"))) is not None:
        metadata["magnification"] = f"{power:g}"
    return (
        TiffImage(
            name=Path(path).stem,
            path=version.path,
            levels=tuple(levels),
            axes=("y", "x"),
            rgb=True,
            channel_axis=None,
            channels=(),
            scale=tuple(1.0 if size is None else size for size in sizes),
            units=tuple("pixel" if size is None else "micrometer" for size in sizes),
            translation=(0.0, 0.0),
            metadata=metadata,
        ),
    )


def _open(path: str) -> Any:
    try:
        openslide = import_module("openslide")
    except (ImportError, OSError) as error:
        raise SourceError(
            f"{path}: openslide is needed for this kind of slide: "
            "pip install openslide-python openslide-bin"
        ) from error
    try:
        return openslide.OpenSlide(path)
    except Exception as error:  # openslide's own, and what ctypes raises
        raise SourceError(f"{path}: openslide cannot open it: {error or type(error)}") from error


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
