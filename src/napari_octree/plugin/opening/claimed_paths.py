"""Which paths and addresses are this plugin's to open.

Invariants: names are looked at, and whether files are there; nothing is opened.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from napari_octree.sources.ome_zarr.addresses import is_url
from napari_octree.sources.stores.address import as_path
from napari_octree.sources.tiff.slide_names import OPENSLIDE_ENDINGS, SLIDE_ENDINGS

ZARR_ENDINGS = (".zarr", ".zarr.zip", ".ozx")
"""Whatever their case."""
ZARR_FILES = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
"""One of these lies in every folder that is a zarr array or group."""


def is_zarr_path(path: str) -> bool:
    """Whether a local folder is zarr by what lies in it or by its name, an address by its name."""
    if is_url(path):
        name = urlsplit(path).path.rstrip("/").lower()
        inside = ".zarr/" in name and not name.endswith(ZARR_FILES)
        return inside or name.endswith(ZARR_ENDINGS)
    name = path.rstrip("/\\").lower()
    if name.endswith(ZARR_ENDINGS) and name.endswith((".zip", ".ozx")):
        return True
    folder = Path(path).expanduser()
    if folder.is_dir() and any((folder / file).is_file() for file in ZARR_FILES):
        return True
    return name.endswith(ZARR_ENDINGS) and not folder.is_file()


def is_slide_path(path: str) -> bool:
    """Whether this is a file with the name of a slide or of an OME-TIFF file."""
    path = as_path(path)
    return path.lower().endswith((*SLIDE_ENDINGS, *OPENSLIDE_ENDINGS)) and Path(path).is_file()
