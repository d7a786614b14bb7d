"""Frees cached chunks when the last layer that uses an array has gone.

Invariants: an array's chunks are forgotten once, when no live lease names it; a lease ends when
it is released or collected. Any thread.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable, Iterable

from napari_octree.layers.finalizers import when_gone
from napari_octree.loading.loader import ChunkLoader

_USERS: Counter[tuple[int, Hashable]] = Counter()
_lock = threading.Lock()


class CacheReferences:
    """One layer's use of some arrays.

    Parameters
    ----------
    loader : ChunkLoader
    """

    def __init__(self, loader: ChunkLoader) -> None:
        self._keys: set[Hashable] = set()
        self._loader = loader
        self._end = when_gone(self, _release, loader, self._keys)

    def use(self, keys: Iterable[Hashable]) -> None:
        """Count the arrays of these storage keys as in use."""
        named = list(keys)
        with _lock:
            for key in named:
                if key not in self._keys:
                    self._keys.add(key)
                    _USERS[id(self._loader.cache), key] += 1

    def release(self) -> None:
        """End the use; a second call does nothing."""
        if self._end.detach() is not None:
            _release(self._loader, self._keys)


def _release(loader: ChunkLoader, keys: set[Hashable]) -> None:
    unused = []
    with _lock:
        for key in keys:
            name = (id(loader.cache), key)
            _USERS[name] -= 1
            if not _USERS[name]:
                del _USERS[name]
                unused.append(key)
    for key in unused:
        loader.forget(key)
