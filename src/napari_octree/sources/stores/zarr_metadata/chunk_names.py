"""How the chunks of an array of format 2 are named where its document does not say.

"Not said" means `0.0`, but writers of nested chunks (`0/0`) have left it out: such an array would
be shown as empty without a word.

Invariants: worker threads only; an array is asked for two names at most, those of its first chunk,
and a folder is looked into instead. Where neither is there, nothing is known.
"""

from __future__ import annotations

import os
import re
from functools import partial

from napari_octree.sources.stores.byte_store import ByteStore, LocalBytes
from napari_octree.sources.stores.side_by_side import POOL

LOOKED_AT = 200
"""Names of a folder, at most."""
_FLAT = re.compile(r"\d+(\.\d+)+")


def separator_in(store: ByteStore, path: str, ndim: int) -> str | None:
    """Return what stands between the numbers of stored chunks; None if it cannot be told."""
    if isinstance(store, LocalBytes):
        return _separator_in_folder(f"{store.address}/{path}")
    prefix = f"{path}/" if path else ""
    names = [prefix + separator.join("0" * ndim) for separator in "./"]
    flat, nested = POOL.run([partial(store.has, name) for name in names], POOL.new_turn())
    if flat is True:
        return "."
    return "/" if nested is True else None


def _separator_in_folder(folder: str) -> str | None:
    try:
        with os.scandir(folder) as entries:
            for entry, _ in zip(entries, range(LOOKED_AT), strict=False):
                if _FLAT.fullmatch(entry.name):
                    return "."
                if entry.name.isdecimal() and entry.is_dir():
                    return "/"
    except OSError:  # told by whoever reads it
        pass
    return None
