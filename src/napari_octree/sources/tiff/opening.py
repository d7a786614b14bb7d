"""Which of the two readers opens a file: tifffile's pages, or openslide.

tifffile is several times as fast, and knows more than 8-bit colours; openslide has formats that
tifffile has not, and puts together tiles that overlap.

Invariants: metadata only; one error, of the reader that the file's name asks for.
"""

from __future__ import annotations

import os
import warnings

from napari_octree.sources.errors import SourceError
from napari_octree.sources.tiff.image import OVERLAPPING, TiffImage
from napari_octree.sources.tiff.slide_names import OPENSLIDE_ENDINGS


def read_tiff_or_slide(path: str | os.PathLike[str]) -> tuple[TiffImage, ...]:
    """Read what a file holds, with tifffile, or with openslide where its name says so.

    Raises
    ------
    SourceError
    """
    try:
        from napari_octree.sources.tiff.openslide_array import read_openslide
        from napari_octree.sources.tiff.reading import read_tiff
    except ImportError as error:
        raise SourceError(
            f"{path}: TIFF files need tifffile and imagecodecs; try\n"
            "  pip install 'napari-octree[slides]'"
        ) from error
    by_openslide = os.fspath(path).lower().endswith(OPENSLIDE_ENDINGS)
    if not by_openslide:
        images = read_tiff(path)
        if not any(OVERLAPPING in image.metadata for image in images):
            return images
        try:
            return read_openslide(path)
        except SourceError as error:
            warnings.warn(
                f"{path}: its tiles overlap, which only openslide puts together: they are shown "
                f"side by side. {error}",
                stacklevel=2,
            )
            return images
    try:
        return read_openslide(path)
    except SourceError as unreadable:
        try:
            return read_tiff(path)
        except SourceError:
            raise unreadable from None
