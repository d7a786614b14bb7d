"""The levels of a layer, as the user gave them and as they are read.

Invariants: a frozen value; metadata only, nothing is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.sources import as_level_sources
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
    """

    arrays: tuple[Any, ...]
    sources: tuple[LevelSource, ...]

    @classmethod
    def of(cls, data: Any, fresh: bool = False) -> LayerLevels:
        """Return the levels of whatever a person passes: a list of arrays, or one array.

        Parameters
        ----------
        data : array or iterable of arrays
        fresh : bool
            Under new keys, so that nothing that was loaded before is taken for theirs.

        Raises
        ------
        SourceError
            Where they do not make an image. The message names the level.
        """
        arrays = _as_arrays(data)
        return cls(tuple(arrays), as_level_sources(arrays, fresh=fresh))

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        return self.sources[0].dtype

    @property
    def names(self) -> frozenset[str]:
        """What the arrays' places are called."""
        return frozenset(source.storage.source_name for source in self.sources)


def _as_arrays(data: Any) -> list[Any]:
    several = isinstance(data, Sequence) or (
        hasattr(data, "__iter__") and not hasattr(data, "shape")
    )
    return list(data) if several else [data]
