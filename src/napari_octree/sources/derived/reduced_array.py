"""What arrays that are computed from a finer level have in common.

Invariants: a pixel stands for a box of `factors` pixels of the source, a last one for fewer;
type and fill value are the source's; what goes to another process leaves its memory behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from napari_octree.sources.identity import SourceGroup
from napari_octree.sources.protocol import LevelSource


@dataclass(frozen=True, eq=False)
class ReducedArray:
    """Part of a `StorageArray`: all but its key, its name, its grid and how it is read.

    Attributes
    ----------
    source : LevelSource
        The finer level.
    factors : tuple of int
        Pixels of `source` per pixel, axis by axis; at least 1.
    """

    source: LevelSource
    factors: tuple[int, ...]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "blocks": None}  # another process has other memory

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """A last pixel that covers fewer counts too."""
        return tuple(-(-n // f) for n, f in zip(self.source.shape, self.factors, strict=True))

    @property
    def dtype(self) -> np.dtype:
        """Type of the source."""
        return self.source.dtype

    @property
    def in_memory(self) -> bool:
        """Never: reading computes."""
        return False

    @property
    def group(self) -> SourceGroup:
        """That of the source."""
        return self.source.storage.group

    @property
    def is_remote(self) -> bool:
        """Whether the source is."""
        return self.source.storage.is_remote

    @property
    def is_computed(self) -> bool:
        """Always."""
        return True

    @property
    def fill_value(self) -> object:
        """That of the source."""
        return self.source.storage.fill_value
