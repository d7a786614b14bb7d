"""How large an object of a store may be."""

from __future__ import annotations

from napari_octree.sources.errors import SourceError

LARGEST_DOCUMENT = 64 * 2**20
"""Bytes; consolidated metadata of a large plate is 10 MB."""
LARGEST_BODY = 2**31
"""Bytes of a chunk: compressors of zarr hold no more."""
DOCUMENTS = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


def check_body(name: str, size: int) -> None:
    """Refuse an object that is larger than any of its kind.

    Raises
    ------
    SourceError
    """
    if size > LARGEST_DOCUMENT and name.rpartition("/")[2] in DOCUMENTS:
        raise SourceError(f"{name}: a document of {size} bytes is no metadata")
    if size > LARGEST_BODY:
        raise SourceError(f"{name}: an object of {size} bytes is no chunk")
