"""Several images of one shape, as one with a further axis in front: channels, for writing.

Invariants: nothing is read when one is made, and one read touches one of the images where it can.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.errors import SourceError
from napari_octree.sources.protocol import ChunkGrid, LevelSource, Region


@dataclass(frozen=True, eq=False)
class StackedArray:
    """A `StorageArray` of others along a first axis.

    Attributes
    ----------
    sources : tuple of LevelSource
        Of one shape; types are promoted to one that holds all.

    Raises
    ------
    SourceError
        Their shapes differ.
    """

    sources: tuple[LevelSource, ...]

    in_memory = False
    is_remote = False
    is_computed = False

    def __post_init__(self) -> None:
        shapes = {source.shape for source in self.sources}
        if len(shapes) != 1:
            names = ", ".join(str(shape) for shape in sorted(shapes))
            raise SourceError(f"images of different shapes cannot be written as one: {names}")

    @property
    def key(self) -> Hashable:
        """Those of the images."""
        return ("stacked", *((source.storage.key, source.fixed) for source in self.sources))

    @property
    def group(self) -> Hashable:
        """That of the first."""
        return getattr(self.sources[0].storage, "group", self.source_name)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of images, then their shape."""
        return (len(self.sources), *self.sources[0].shape)

    @cached_property
    def dtype(self) -> np.dtype:
        """A type that holds all values."""
        return np.result_type(*(source.dtype for source in self.sources))

    @property
    def source_name(self) -> str:
        """Names of the images."""
        return " + ".join(source.storage.source_name for source in self.sources)

    @property
    def fill_value(self) -> object:
        """That of the first."""
        return self.sources[0].storage.fill_value

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return boxes of the asked shape, of one image each."""
        return RegularGrid(self.shape, (1, *hint[1:]))

    def read(self, region: Region) -> np.ndarray | None:
        """Read a box (worker threads only); None where nothing is stored."""
        (start, stop), rest = region[0], region[1:]
        blocks = [read_region(self.sources[index], rest) for index in range(start, stop)]
        if all(block is None for block in blocks):
            return None
        shape = tuple(b - a for a, b in rest)
        out = np.empty((stop - start, *shape), self.dtype)
        for place, block, source in zip(out, blocks, self.sources[start:stop], strict=True):
            place[...] = source.storage.fill_value if block is None else block
        return out
