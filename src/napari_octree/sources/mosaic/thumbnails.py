"""Small pictures of the fields of mosaics, at hand for all coarse levels.

Without them every coarse level would fetch each field again. They are kept apart from the
loader's cache: thousands come in a second, and each would have to be weighed against all chunks.

Invariants: any thread; all of them together stay below `MOST_BYTES` and below a quarter of
`ram_bytes`, of which they are a part; the least recently used go.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

import numpy as np

from napari_octree.sources.kept_bytes import KEPT, KeptBytes

MOST_BYTES = 48 * 2**20
"""A plate of 384 wells with 4 fields and 4 channels takes 14 MB."""
COST = 200
"""Bytes that an entry takes besides its pixels."""


class Thumbnails:
    """Pictures by name.

    Parameters
    ----------
    most_bytes : int
    kept : KeptBytes, optional
        What counts them.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, kept: KeptBytes | None = None) -> None:
        self._most_bytes = most_bytes
        self._account = KeptBytes() if kept is None else kept
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, np.ndarray | None] = OrderedDict()
        self.nbytes = 0

    def find(self, name: Hashable) -> tuple[np.ndarray | None] | None:
        """Return a picture (None: nothing is there) in a tuple of one, None if it is not known."""
        with self._lock:
            if name not in self._kept:
                return None
            self._kept.move_to_end(name)
            return (self._kept[name],)

    def keep(self, name: Hashable, picture: np.ndarray | None) -> None:
        """Keep a picture, and let others go if there are too many."""
        with self._lock:
            before = self.nbytes
            if name in self._kept:
                self.nbytes -= _size(self._kept.pop(name))
            self._kept[name] = picture
            self.nbytes += _size(picture)
            allowed = self._account.allowed
            most = self._most_bytes if allowed is None else min(self._most_bytes, allowed)
            while self.nbytes > most:
                self.nbytes -= _size(self._kept.popitem(last=False)[1])
            self._account.add(self.nbytes - before)


def _size(picture: np.ndarray | None) -> int:
    return COST + (0 if picture is None else picture.nbytes)


THUMBNAILS = Thumbnails(kept=KEPT)
"""Those of the process."""
