"""How the chunks of an array of format 2 are named where its document does not say, or is wrong.

"Not said" means `0.0`, but writers of nested chunks (`0/0`) have left it out; and copies exist
whose chunks have other names than their document says. Such an array would be shown as empty
without a word.

Invariants: worker threads only. What a document says is checked in folders only, which costs no
request. Where it says nothing, an array is asked for two names at most, those of its first chunk,
and a folder is looked into instead. Where neither is there, nothing is known.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from napari_octree.sources.stores.byte_store import ByteStore, LocalBytes
from napari_octree.sources.stores.side_by_side import POOL

LOOKED_AT = 200
"""Names of a folder, at most."""
_FLAT = re.compile(r"\d+(\.\d+)+")


def separator_in(store: ByteStore, path: str, ndim: int) -> str | None:
    """Return what stands between the numbers of stored chunks; None if it cannot be told."""
    if isinstance(store, LocalBytes):
        return next(_separators_in_folder(f"{store.address}/{path}"), None)
    prefix = f"{path}/" if path else ""
    names = [prefix + separator.join("0" * ndim) for separator in "./"]
    flat, nested = POOL.run([partial(store.has, name) for name in names], POOL.new_turn())
    if flat is True:
        return "."
    return "/" if nested is True else None


def other_separator_in(store: ByteStore, path: str, declared: Any) -> str | None:
    """Return the separator of an array's chunks where all in its folder have not the declared one.

    None where it is as declared, or nothing is known.
    """
    if not isinstance(store, LocalBytes):
        return None
    found: str | None = None
    for separator in _separators_in_folder(f"{store.address}/{path}"):
        if separator == declared:
            return None
        found = separator
    return found


def _separators_in_folder(folder: str) -> Iterator[str]:
    """Yield the separators in the names of chunks in a folder."""
    try:
        with os.scandir(folder) as entries:
            for entry, _ in zip(entries, range(LOOKED_AT), strict=False):
                if _FLAT.fullmatch(entry.name):
                    yield "."
                elif entry.name.isdecimal() and entry.is_dir():
                    yield "/"
    except OSError:  # told by whoever reads it
        pass
