"""Paths and addresses: what is which, and how the thing at one is called."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from napari_octree.sources.stores.address import is_url

__all__ = ["is_url", "join", "name_of"]

ENDINGS = (".zip", ".ozx", ".zarr", ".ome")


def join(where: str, path: str) -> str:
    """The path or address of what lies at `path` below `where`."""
    return f"{where.rstrip('/')}/{path}"


def name_of(where: str) -> str:
    """The last part of a path or URL, without ``.ome.zarr``, ``.zip`` and ``.ozx``."""
    path = unquote(urlsplit(where).path) if is_url(where) else os.path.abspath(where)
    name = path.rstrip("/" + os.sep).replace(os.sep, "/").rpartition("/")[2]
    for ending in ENDINGS:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name or where
