"""What developers need to reproduce a report: versions, data, settings, counts, as JSON.

Invariants: no path, address, layer name or credential is in it unless asked for: sources are
numbered instead.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.points.octree_points import OctreePoints

PACKAGES = (
    "napari-octree", "napari", "vispy", "numpy", "zarr", "dask", "qtpy", "PyQt6", "PySide6",
    "PyQt5", "tensorstore", "obstore", "fsspec", "s3fs", "tifffile", "imagecodecs",
)  # fmt: skip

SECRET_SETTINGS = ("log_path", "disk_path", "edits_path")


def report(layers: Sequence[OctreeLayer], graphics: str, names: bool = False) -> dict[str, Any]:
    """Describe layers and what they run on.

    Parameters
    ----------
    layers : sequence of octree layers
    graphics : str
        Name of the GPU.
    names : bool
        Put names of layers and sources in.
    """
    return {
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "graphics": graphics,
        "layers": [_layer(layer, number, names) for number, layer in enumerate(layers)],
    }


def report_text(layers: Sequence[OctreeLayer], graphics: str, names: bool = False) -> str:
    """Return the report as JSON text."""
    return json.dumps(report(layers, graphics, names), indent=1, default=str)


def _pixels(layer: OctreeScalarField) -> dict[str, Any]:
    """What is particular to images and labels."""
    levels = []
    octree_slice = layer.octree_slice
    sources = () if octree_slice is None else octree_slice.sources
    for source in sources:
        grid = source.storage.grid(source.storage_shape(octree_slice.hint))  # type: ignore[union-attr]
        first = next(grid.indices(tuple((0, 1) for _ in source.fixed)), None)
        chunk = None if first is None else [b - a for a, b in grid.region(first)]
        levels.append(
            {"kind": type(source.storage).__name__, "shape": list(source.shape), "chunk": chunk}
        )
    return {
        "dtype": str(layer.dtype),
        "rgb": bool(layer.rgb),
        "shapes": [[int(n) for n in shape] for shape in layer.level_shapes],
        "levels": levels,
    }


def _points(layer: OctreePoints) -> dict[str, Any]:
    """What is particular to points; features are numbered, as their names may tell something."""
    source = layer.points_source
    table = source.table
    return {
        "points": source.total,
        "bounds": table.bounds.tolist(),
        "dtype": str(source.position_dtype),
        "nodes": np.bincount(table.depths).tolist(),
        "features": [
            f"{feature.dtype}, {len(feature.categories)} categories"
            if feature.categories is not None
            else str(feature.dtype)
            for feature in source.features
        ],
        "split_axes": None if source.grid_of_cells is None else source.grid_of_cells.split_axes,
        "in_memory": source.in_memory,
        "density": layer.density,
    }


def _layer(layer: OctreeLayer, number: int, names: bool) -> dict[str, Any]:
    statistics = layer.statistics.as_dict()
    loader = statistics["loader"]
    known = loader["sources"]
    if not names:
        loader["sources"] = {f"source {i}": counts for i, counts in enumerate(known.values())}
    settings = json.loads(layer.config.model_dump_json())
    for group in settings.values():
        for key in SECRET_SETTINGS:
            if isinstance(group, dict) and group.get(key) is not None and not names:
                group[key] = "…"
    described = {
        "kind": type(layer).__name__,
        "name": layer.name if names else f"layer {number}",
        "axes": [str(label) for label in layer.axis_labels] if names else layer.ndim,
        "scale": [float(s) for s in layer.scale],
        "units": [str(unit) for unit in layer.units],
        "visible": layer.visible,
        "settled": layer.settled,
        "progress": asdict(layer.progress),
        "statistics": statistics,
        "settings": settings,
    }
    if isinstance(layer, OctreeScalarField):
        described |= _pixels(layer)
    elif isinstance(layer, OctreePoints):
        described |= _points(layer)
    if names:
        described["sources"] = list(known)
    return described


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
