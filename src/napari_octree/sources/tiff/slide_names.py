"""File names of slides and TIFF images that the reader claims.

Invariants: plain .tif and .tiff are not among them: most are small, and napari opens them itself.
"""

from __future__ import annotations

OPENSLIDE_ENDINGS = (".mrxs", ".vms", ".vmu", ".svslide", ".czi", ".dcm")
"""Opened by openslide: tifffile has no reader for them."""

TIFF_ENDINGS = (
    ".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".ome.tif", ".ome.tiff", ".ome.btf",
)  # fmt: skip
"""Opened by tifffile."""

SLIDE_ENDINGS = TIFF_ENDINGS + OPENSLIDE_ENDINGS[:1]
"""What the manifest claims: the rest is rarely a slide (.dcm, .czi) or rarely met."""
