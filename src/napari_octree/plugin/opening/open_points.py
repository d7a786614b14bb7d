"""Opening points that `build_points` wrote, as a layer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_octree.config import OctreeConfig
from napari_octree.layers.points.octree_points import OctreePoints
from napari_octree.layers.source import note_source
from napari_octree.sources.ome_zarr.addresses import is_url, name_of
from napari_octree.sources.points.zarr_points import is_points_group, open_points_source

ENDING = ".points.zarr"
"""By which points at an address are told from images."""


def open_points(
    path_or_url: str | os.PathLike[str],
    config: OctreeConfig | None = None,
    *,
    storage_options: dict[str, Any] | None = None,
    **keywords: Any,
) -> OctreePoints:
    """Open points with their trees as a layer.

    Parameters
    ----------
    path_or_url : str or path-like
        What `build_points` wrote.
    config : OctreeConfig, optional
    storage_options : dict, optional
        For addresses, as fsspec takes them.
    **keywords
        Of `OctreePoints`.

    Returns
    -------
    OctreePoints

    Raises
    ------
    SourceError
    """
    text = os.fspath(path_or_url)
    source = open_points_source(text, **(storage_options or {}))
    keywords.setdefault("name", _layer_name(text))
    layer = OctreePoints(source, config, **keywords)
    note_source([layer], text)
    return layer


def prepare_points(
    where: str, config: OctreeConfig | None, **storage_options: Any
) -> Callable[[], list[OctreePoints]]:
    """Read the metadata (any thread); what is returned makes the layer (main thread)."""
    source = open_points_source(where, **storage_options)
    return lambda: [
        OctreePoints(source, config, name=_layer_name(where), size=_usual_size(source))
    ]


def is_points_path(path: str) -> bool:
    """Whether a local folder says that it holds points, or an address by its name."""
    if is_url(path):
        return path.rstrip("/").endswith(ENDING)
    document = Path(path).expanduser() / "zarr.json"
    if not document.is_file():
        return False
    try:
        attributes = json.loads(document.read_text(encoding="utf-8")).get("attributes") or {}
    except (OSError, ValueError, AttributeError):
        return False
    return is_points_group(attributes)


def _layer_name(where: str) -> str:
    return name_of(where).removesuffix(".zarr").removesuffix(".points")


def _usual_size(source: Any) -> float:
    """Return a size at which points neither hide each other nor vanish."""
    low, high = source.table.bounds
    extents = [float(extent) for extent in (high - low)[-2:] if extent > 0]
    if not extents or not source.total:
        return 1.0
    return max(extents) / max(source.total ** (1 / len(extents)), 100.0)
