"""The levels of a layer, as the user gave them and as they are read.

Invariants: a frozen value; metadata only, nothing is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.sources import as_level_sources
from napari_octree.sources.levels.containers import arrays_of
from napari_octree.sources.protocol import LevelSource


@dataclass(frozen=True, eq=False)
class LayerLevels:
    """The levels of one layer, finest first.

    Attributes
    ----------
    arrays : tuple of arrays
        As they were given.
    sources : tuple of LevelSource
        The same, as the loader reads them.
    is_plain : bool
        One numpy array in memory was given, by itself and not in a list.
    """

    arrays: tuple[Any, ...]
    sources: tuple[LevelSource, ...]
    is_plain: bool = False

    @classmethod
    def of(cls, data: Any, fresh: bool = False) -> LayerLevels:
        """Return the levels of whatever a person passes: see `arrays_of`.

        Parameters
        ----------
        data : array or container of arrays
        fresh : bool
            Under new keys, so that nothing that was loaded before is taken for theirs.

        Raises
        ------
        SourceError
            Where they do not make an image. The message names the level.
        """
        arrays = arrays_of(data)
        sources = as_level_sources(arrays, fresh=fresh)
        is_plain = arrays[0] is data and isinstance(data, np.ndarray)
        return cls(tuple(arrays), sources, is_plain and sources[0].storage.in_memory)

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        return self.sources[0].dtype

    @property
    def names(self) -> frozenset[str]:
        """What the arrays' places are called."""
        return frozenset(source.storage.source_name for source in self.sources)
