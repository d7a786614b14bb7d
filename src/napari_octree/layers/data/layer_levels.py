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
    single : array or None
        The one array that was given by itself, not in a list or another container.
    """

    arrays: tuple[Any, ...]
    sources: tuple[LevelSource, ...]
    single: Any = None

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
        alone = len(arrays) == 1 and arrays[0] is data
        return cls(tuple(arrays), sources, data if alone else None)

    def renewed(self, fresh: LayerLevels) -> LayerLevels:
        """Return `fresh`, the same levels read anew, given as these were."""
        single = self.single
        if single is not None and fresh.arrays[0] is not self.arrays[0]:
            single = fresh.arrays[0]  # opened anew
        return LayerLevels(fresh.arrays, fresh.sources, single)

    @property
    def is_plain(self) -> bool:
        """One numpy array in memory was given, by itself."""
        in_memory = self.sources[0].storage.in_memory
        return isinstance(self.single, np.ndarray) and in_memory

    @property
    def coarsest_in_memory(self) -> np.ndarray | None:
        """The coarsest level, if it is a numpy array in memory."""
        array = self.arrays[-1]
        in_memory = isinstance(array, np.ndarray) and self.sources[-1].storage.in_memory
        return array if in_memory else None

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        return self.sources[0].dtype

    @property
    def names(self) -> frozenset[str]:
        """What the arrays' places are called."""
        return frozenset(source.storage.source_name for source in self.sources)
