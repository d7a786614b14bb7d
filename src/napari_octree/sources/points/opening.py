"""Opening points that have their trees, of whatever format: the kind is told by what is there.

Invariants: metadata and a sample are read (may block); points are not.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.lidar.copc_points import ENDING as COPC
from napari_octree.sources.points.lidar.copc_points import open_copc
from napari_octree.sources.points.lidar.las_features import ENDINGS as LIDAR
from napari_octree.sources.points.points_source import PointsSource
from napari_octree.sources.points.precomputed.annotation_info import KIND as ANNOTATIONS
from napari_octree.sources.points.precomputed.annotation_points import INFO, open_annotations
from napari_octree.sources.points.zarr_points import is_points_group, open_zarr_points
from napari_octree.sources.stores.address import is_url, local_path
from napari_octree.sources.stores.body_size import LARGEST_DOCUMENT
from napari_octree.sources.stores.opening import open_bytes

PRECOMPUTED = "precomputed://"

ENDINGS = (".points.zarr", COPC)
"""By which points at an address are told from images."""


def open_points_source(where: str, **storage_options: object) -> PointsSource:
    """Open a set of points with its trees.

    Parameters
    ----------
    where : str
        Path or address of what `build_points` wrote, of Neuroglancer's precomputed annotations
        (the folder with ``info``; ``precomputed://`` before it is allowed), or of a COPC file.
    **storage_options
        For addresses, as fsspec takes them.

    Raises
    ------
    SourceError
    """
    if where.startswith(PRECOMPUTED):
        return open_annotations(where.removeprefix(PRECOMPUTED), **storage_options)
    if where.lower().partition("?")[0].endswith(LIDAR):
        return open_copc(where, **storage_options)
    path = local_path(where)
    if path is not None and (path / INFO).is_file():
        return open_annotations(where, **storage_options)
    try:
        return open_zarr_points(where, **storage_options)
    except SourceError:
        if path is not None or open_bytes(where, **storage_options).get(INFO) is None:
            raise
        return open_annotations(where, **storage_options)


def holds_points(path: str) -> bool:
    """Whether what is at a local path says that it holds points, or an address by its name."""
    if path.startswith(PRECOMPUTED):
        return True
    if is_url(path):
        return path.rstrip("/").lower().endswith(ENDINGS)
    place = Path(path).expanduser()
    if place.suffix.lower() in LIDAR:
        return place.is_file()
    attributes = _document(place / "zarr.json").get("attributes")
    if isinstance(attributes, dict) and is_points_group(attributes):
        return True
    return _document(place / "info").get("@type") == ANNOTATIONS


def _document(file: Path) -> dict[str, Any]:
    """Return a small JSON object; an empty one where there is none."""
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_DOCUMENT:
            return {}
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
