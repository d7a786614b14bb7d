"""The names of storage chunks.

Invariants: a name says which pixels, not which place in a layer: (identity and version of the
array, region). So names cannot collide between layers, and two layers of one array share chunks.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from napari_octree.sources.protocol import Region


class ChunkId(NamedTuple):
    """The name of a storage chunk.

    Attributes
    ----------
    storage : Hashable
        `StorageArray.key`.
    region : tuple of (int, int)
        The chunk's box in the storage array.
    """

    storage: Hashable
    region: Region
