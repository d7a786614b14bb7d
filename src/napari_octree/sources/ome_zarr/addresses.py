"""Paths and addresses: what is which, and how the thing at one is called."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

ENDINGS = (".zip", ".ozx", ".zarr", ".ome")


def is_url(where: str) -> bool:
    """Whether this is an address (``https://…``, ``s3://…``) and not a local path."""
    return "://" in where or "::" in where


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
