"""Opening points that `build_points` wrote, as a layer."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from napari_octree.config import OctreeConfig
from napari_octree.layers.points.octree_points import OctreePoints
from napari_octree.layers.source import note_source
from napari_octree.sources.ome_zarr.addresses import name_of
from napari_octree.sources.points.lidar.copc_points import ENDING as COPC
from napari_octree.sources.points.lidar.las_features import ENDINGS as LIDAR
from napari_octree.sources.points.opening import PRECOMPUTED, open_points_source
from napari_octree.sources.points.points_source import PointsSource


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
        What `build_points` wrote, Neuroglancer's precomputed annotations, or a COPC file.
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
    keywords = {**_placement(source), **keywords}
    layer = OctreePoints(source, config, **keywords)
    note_source([layer], text)
    return layer


def prepare_points(
    where: str, config: OctreeConfig | None, **storage_options: Any
) -> Callable[[], list[OctreePoints]]:
    """Read the metadata (any thread); what is returned makes the layer (main thread)."""
    source = open_points_source(where, **storage_options)
    keywords = {"name": _layer_name(where), "size": _usual_size(source), **_placement(source)}
    return lambda: [OctreePoints(source, config, **keywords)]


def _placement(source: PointsSource) -> dict[str, Any]:
    """Return the keywords of a layer that a format knows."""
    placed = source.placement
    if placed is None:
        return {}
    return {"scale": placed.scale, "units": placed.units, "axis_labels": placed.axes}


def _layer_name(where: str) -> str:
    name = name_of(where.removeprefix(PRECOMPUTED))
    for ending in (".zarr", ".points", COPC, *LIDAR):
        name = name.removesuffix(ending)
    return name


def _usual_size(source: Any) -> float:
    """Return a size at which points neither hide each other nor vanish."""
    low, high = source.table.bounds
    extents = [float(extent) for extent in (high - low)[-2:] if extent > 0]
    if not extents or not source.total:
        return 1.0
    return max(extents) / max(source.total ** (1 / len(extents)), 100.0)
