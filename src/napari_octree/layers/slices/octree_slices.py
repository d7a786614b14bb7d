"""The slices of one version of a layer's data.

Invariants: a version counts up whenever the data change, so that tiles of old data never meet new
ones; what slices of one display have in common (octree, sources) is made once; a few slices are
kept, for viewers at different ones. Any thread.
"""

from __future__ import annotations

import itertools
import threading

from napari_octree.layers.data.cache_references import CacheReferences
from napari_octree.layers.data.image_pyramid import ImagePyramid
from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import SliceKey
from napari_octree.loading.loader import ChunkLoader

MOST_KEPT = 8

_VERSIONS = itertools.count()


class OctreeSlices:
    """Finds or makes the slice of a key, and holds the arrays' chunks in RAM by a lease.

    Parameters
    ----------
    pyramid : ImagePyramid
    loader : ChunkLoader
    renewed : OctreeSlices, optional
        Of the same data, as they were before somebody changed or reloaded them.
    """

    def __init__(
        self, pyramid: ImagePyramid, loader: ChunkLoader, renewed: OctreeSlices | None = None
    ) -> None:
        self.version = next(_VERSIONS)
        self._first_version: int = self.version if renewed is None else renewed._first_version
        self.pyramid = pyramid
        self._lease = CacheReferences(loader)
        self._lease.use(source.storage.key for source in pyramid.sources)
        self._slices: dict[SliceKey, OctreeSlice] = {}
        self._latest: OctreeSlice | None = None
        self._lock = threading.Lock()

    def at(self, key: SliceKey) -> OctreeSlice:
        """Return the slice of `key`, the same one as long as it is kept."""
        latest = self._latest
        if latest is not None and latest.key is key:
            return latest
        with self._lock:
            found = self._slices.get(key)
            if found is None:
                like = (s for s in self._slices.values() if s.key.displayed == key.displayed)
                alike = next(like, None)
                if alike is None:
                    found = OctreeSlice(self.pyramid, key, self._first_version)
                    sources = (*found.sources, *found.reduced_sources)
                    self._lease.use(source.storage.key for source in sources)
                else:
                    found = alike.at(key)
                self._slices[key] = found
                while len(self._slices) > MOST_KEPT:
                    del self._slices[next(iter(self._slices))]
            self._latest = found
            return found

    def release(self) -> None:
        """Let the chunks go, unless another layer uses their arrays too."""
        self._lease.release()
