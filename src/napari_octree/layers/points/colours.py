"""From napari's colours of a few points to those of all: `PointColour`.

Invariants: pure but for napari's own colour maps, which remember the categories they were asked
for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_octree.layers.points.point_look import SHADES, PointColour, table_of
from napari_octree.sources.points.feature import Feature
from napari_octree.sources.points.points_source import column_of


def known_values(feature: Feature) -> np.ndarray | None:
    """Return all that a feature may be, in the order in which they get their colours.

    None where that is not known.
    """
    if feature.categories is not None:
        return np.array(feature.categories, object)
    if feature.distinct is not None:
        return np.array(feature.distinct, feature.dtype)
    return None


def colour_of(manager: Any, feature: Feature | None) -> PointColour:
    """Return the colours that napari's manager of a sample's colours stands for.

    Parameters
    ----------
    manager : ColorManager
    feature : Feature or None
        That it follows; None: it has one colour.
    """
    mode = str(getattr(manager.color_mode, "value", manager.color_mode))
    if feature is None or mode == "direct":
        colours = np.asarray(manager.colors, np.float32).reshape(-1, 4)
        if len(colours):
            return PointColour.uniform(colours[0])
        current = manager.current_color
        return PointColour.uniform((1.0,) * 4 if current is None else current)
    if mode == "cycle":
        return _cycle(manager.categorical_colormap, feature)
    colormap = manager.continuous_colormap
    low, high = manager.contrast_limits or (feature.low, feature.high)
    if not (np.isfinite(low) and np.isfinite(high)):
        low, high = 0.0, 1.0
    colours = colormap.map(np.linspace(0, 1, SHADES))
    unknown = tuple(float(c) for c in np.ravel(colormap.map(np.array([np.nan]))))
    if low == high:  # napari's own takes the last colour then
        colours = np.repeat(colormap.map(np.array([1.0])), 2, axis=0)
        high = low + 1
    return PointColour(
        column_of(feature.name),
        table_of(colours),
        float(low),
        float(high),
        False,
        feature.origin,
        unknown,  # type: ignore[arg-type]
    )


def _cycle(colormap: Any, feature: Feature) -> PointColour:
    values = known_values(feature)
    if values is None or not len(values):
        return PointColour.uniform((1.0, 1.0, 1.0, 1.0))
    colours = np.asarray(colormap.map(values), np.float32)
    if feature.categories is not None:
        return PointColour(column_of(feature.name), table_of(colours), 0.0, 1.0, True)
    low, high = int(values.min()), int(values.max())
    table = np.zeros((high - low + 1, 4), np.float32)
    table[(values - values.dtype.type(low)).astype(np.int64)] = colours
    column, origin = column_of(feature.name), feature.origin
    return PointColour(column, table_of(table), float(low), float(low), True, origin)
