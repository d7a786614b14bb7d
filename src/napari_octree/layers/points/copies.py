"""What copies and writers of a layer of points get: its set and look, or all points at once.

Invariants: a copy shares the set; what is too large to be written at once is refused before a file
is made.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from napari_octree.layers.data.saving import NotSavedError
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.sources.points.points_source import INDEX, POSITION, PointsSource, column_of
from napari_octree.sources.points.region import PointRegion, points_in

MOST_SAVED = 5_000_000
"""Points that a writer gets."""

LONGEST_S = 3600.0


def copied_state(layer: Any) -> dict[str, Any]:
    """Return the keywords that make a copy look like an `OctreePoints`."""
    look = layer.point_look
    state: dict[str, Any] = {
        "size": layer.size_feature or look.size,
        "symbol": look.symbol,
        "border_width": look.border_width,
        "border_width_is_relative": look.border_is_relative,
        "antialiasing": look.antialiasing,
        "canvas_size_limits": look.canvas_sizes,
        "shading": str(layer.shading),
    }
    for part in ("face", "border"):
        feature = layer.colour_feature(part)
        colour = getattr(look, part)
        state[f"{part}_color"] = colour.table.reshape(1, 4) if feature is None else feature
        state[f"{part}_color_cycle"] = getattr(layer, f"{part}_color_cycle")
        state[f"{part}_colormap"] = getattr(layer, f"{part}_colormap").dict()  # as napari's own
        state[f"{part}_contrast_limits"] = getattr(layer, f"{part}_contrast_limits")
    return state


def points_to_save(name: str, source: PointsSource) -> tuple[np.ndarray, dict[str, Any]]:
    """Return all points in their original order, and their features (main thread).

    Raises
    ------
    NotSavedError
    """
    if source.table.count > MOST_SAVED:
        raise NotSavedError(
            f"{name}: not saved: {source.table.count:,} points are too many for one write; "
            "write them with napari_octree.build_points, or extract a region as Points"
        )
    everywhere = PointRegion(np.full(source.ndim, -np.inf), np.full(source.ndim, np.inf))
    with ThreadPoolExecutor(1, thread_name_prefix="napari-octree saving") as pool:
        future: Future[np.ndarray] = pool.submit(points_in, source, everywhere, MOST_SAVED)
        future.add_done_callback(lambda _: MAIN_LOOP.post(lambda: None))  # wakes the loop
        MAIN_LOOP.run_until(future.done, LONGEST_S)
        try:
            records = future.result()
        except Exception as error:  # stores are foreign code
            raise NotSavedError(f"{name}: not saved: cannot be read: {error}") from error
    records = records[np.argsort(records[INDEX])]
    features = features_of(source, records)
    properties = {name: features[name].to_numpy() for name in features}  # napari's writer's word
    return np.array(records[POSITION], float), {"features": features, "properties": properties}


def features_of(source: PointsSource, records: np.ndarray) -> Any:
    """Return the features of some points as a pandas table."""
    import pandas as pd  # takes its time, and other layers do without

    values = {f.name: f.values(records[column_of(f.name)]) for f in source.features}
    return pd.DataFrame(values, index=range(len(records)))
