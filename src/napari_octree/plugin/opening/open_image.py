"""Whatever a person calls an image, as layers: the kind is told by what is there, not by its name.

Invariants: metadata is read in the calling thread, pixels are not; one clear error for what is no
image that we can open.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_octree.config import OctreeConfig
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.layers.source import note_source
from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.addresses import is_url
from napari_octree.sources.points.opening import holds_points
from napari_octree.sources.stores.address import as_path
from napari_octree.sources.stores.address import shown as shown_address
from napari_octree.sources.tiff.slide_names import OPENSLIDE_ENDINGS, SLIDE_ENDINGS

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"IIII", b"II\xbc\1")
"""How TIFF, BigTIFF and their variants begin."""

ZIP_MAGIC = b"PK"


def open_image(path_or_url: str | os.PathLike[str], **storage_options: Any) -> list[OctreeImage]:
    """Open an image of any kind that this plugin knows as layers.

    Parameters
    ----------
    path_or_url : str or path-like
        A zarr folder, zip file or URL (see `open_ome_zarr`); a TIFF file or a slide; points
        (see `open_points`).
    **storage_options
        Passed to fsspec for URLs.

    Returns
    -------
    list of OctreeImage

    Raises
    ------
    SourceError
        A `ValueError` that names the path and the problem.
    """
    layers = open_image_layers(path_or_url, None, **storage_options)
    note_source(layers, shown_address(os.fspath(path_or_url)))
    return layers


def open_image_layers(
    path_or_url: str | os.PathLike[str], config: OctreeConfig | None, **storage_options: Any
) -> list[OctreeImage]:
    """`open_image` with a configuration."""
    return prepare_image(path_or_url, config, **storage_options)()


def prepare_image(
    path_or_url: str | os.PathLike[str], config: OctreeConfig | None, **storage_options: Any
) -> Callable[[], list[Any]]:
    """Read the metadata (any thread); what is returned makes the layers (main thread)."""
    text = as_path(os.fspath(path_or_url))
    if holds_points(text):
        from napari_octree.plugin.opening.open_points import prepare_points

        return prepare_points(text, config, **storage_options)
    if is_tiff_or_slide(text):
        from napari_octree.plugin.opening.open_tiff import prepare_tiff

        return prepare_tiff(Path(text).expanduser(), config)
    from napari_octree.plugin.opening.open_ome_zarr import prepare_layers

    return prepare_layers(text, config, **storage_options)


def is_tiff_or_slide(path: str) -> bool:
    """Whether a path is a file that is to be opened as TIFF or slide.

    Raises
    ------
    SourceError
        It is a file of no kind that can be opened, or cannot be read.
    """
    if is_url(path):
        if path.lower().rstrip("/").endswith((".tif", ".tiff", ".btf", *SLIDE_ENDINGS)):
            raise SourceError(
                f"{path}: TIFF files and slides are opened on this machine only. Download it, or "
                "build an OME-Zarr image of it where it is (napari-octree build)"
            )
        return False
    file = Path(path).expanduser()
    if not file.is_file():
        return False
    try:
        with file.open("rb") as opened:
            start = opened.read(4)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    if start in TIFF_MAGIC:
        return True
    if start.startswith(ZIP_MAGIC) or file.name in ("zarr.json", ".zarray", ".zgroup", ".zattrs"):
        return False
    if file.name.lower().endswith(OPENSLIDE_ENDINGS):
        return True
    raise SourceError(
        f"{path}: not an image that can be opened here: neither zarr, TIFF nor a slide"
    )
