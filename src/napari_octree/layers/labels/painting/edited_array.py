"""A level with what was painted, as a source: for exports and scripts, not for drawing.

Invariant: each read has the edits of that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_octree.layers.data.representatives import representatives
from napari_octree.layers.labels.painting.edits import LabelEdits
from napari_octree.octree.transform import LevelTransform
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.identity import SourceGroup, fresh_token
from napari_octree.sources.protocol import ChunkGrid, LevelSource, Region


@dataclass(frozen=True, eq=False)
class EditedArray:
    """The `StorageArray` of a level and what was painted on it.

    Attributes
    ----------
    source : LevelSource
    edits : LabelEdits
    transform : LevelTransform
        Of the level.
    """

    source: LevelSource
    edits: LabelEdits
    transform: LevelTransform
    key: object = field(default_factory=lambda: ("edited", fresh_token()))

    in_memory = False
    is_computed = True

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the level."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype:
        """That of the level."""
        return self.source.dtype

    @property
    def source_name(self) -> str:
        """That of the level."""
        return self.source.storage.source_name

    @property
    def group(self) -> SourceGroup:
        """That of the level."""
        return self.source.storage.group

    @property
    def is_remote(self) -> bool:
        """Whether the level is."""
        return self.source.storage.is_remote

    @property
    def fill_value(self) -> object:
        """That of the level."""
        return self.source.storage.fill_value

    def grid(self, hint: tuple[int, ...]) -> ChunkGrid:
        """Return the chunks of the level."""
        if self.source.is_whole:
            return self.source.storage.grid(hint)
        return RegularGrid(self.shape, hint)

    def read(self, region: Region) -> np.ndarray:
        """Read a box (worker threads only)."""
        block = read_region(self.source, region)
        if block is None:
            shape = [stop - start for start, stop in region]
            block = np.full(shape, self.fill_value or 0, self.dtype)
        places = [
            representatives(np.arange(start, stop), f, t, n)
            for (start, stop), f, t, n in zip(
                region,
                self.transform.factor,
                self.transform.translation,
                self.edits.shape,
                strict=True,
            )
        ]
        return self.edits.onto(block, places)
