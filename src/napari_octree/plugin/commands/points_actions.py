"""What menus do with layers of points: extract a region, count points, reload.

Invariants: GUI thread; points are read in threads, with a bar in the activity dock; whoever
cancels has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from app_model.expressions import parse_expression
from app_model.types import Action, MenuRule
from napari.layers import Points, Shapes
from napari.utils.notifications import show_info, show_warning

from napari_octree.layers.menu_actions import add_context_key, register_actions
from napari_octree.layers.points.copies import features_of
from napari_octree.layers.points.octree_points import OctreePoints
from napari_octree.plugin.background_task import BackgroundTask
from napari_octree.plugin.commands.current_viewer import SelectedCount, with_viewer
from napari_octree.sources.points.points_source import POSITION
from napari_octree.sources.points.region import Cancelled, PointRegion, count_points, points_in

if TYPE_CHECKING:
    import napari.viewer

COUNT = "num_selected_octree_points"
"""How conditions of menu entries call the number of selected layers of points."""

MOST_EXTRACTED = 1_000_000
"""Points of a stock layer that can still be worked with."""


def extract_region(viewer: napari.viewer.Viewer) -> BackgroundTask[np.ndarray] | None:
    """Make a stock points layer of what is in a drawn rectangle, or in view."""
    layer = _layer(viewer)
    if layer is None:
        return None
    region = drawn_region(viewer, layer) or visible_region(layer)
    source = layer.points_source

    def work(task: BackgroundTask[np.ndarray]) -> np.ndarray:
        return points_in(source, region, MOST_EXTRACTED, _reporter(task))

    def done(records: np.ndarray) -> None:
        if not len(records):
            show_info(f"{layer.name}: there are no points in this region.")
            return
        viewer.add_layer(_stock_layer(layer, records))

    return BackgroundTask(f"{layer.name}: extract region", work, done)


def count_region(viewer: napari.viewer.Viewer) -> BackgroundTask[int] | None:
    """Tell how many points are in a drawn rectangle, or in view: exactly."""
    layer = _layer(viewer)
    if layer is None:
        return None
    drawn = drawn_region(viewer, layer)
    region = drawn or visible_region(layer)
    where = "in view" if drawn is None else "in the drawn region"
    source = layer.points_source

    def work(task: BackgroundTask[int]) -> int:
        return count_points(source, region, _reporter(task))

    def done(count: int) -> None:
        show_info(f"{layer.name}: {count:,} points {where}.")

    return BackgroundTask(f"{layer.name}: count points", work, done)


def reload_points(viewer: napari.viewer.Viewer) -> None:
    """Read nodes in view again, also those that failed."""
    for layer in viewer.layers.selection:
        if isinstance(layer, OctreePoints):
            layer.reload()


def drawn_region(viewer: napari.viewer.Viewer, layer: OctreePoints) -> PointRegion | None:
    """The first selected convex shape of a selected Shapes layer, in a layer's data coordinates.

    Along sliders it is what the viewer shows.
    """
    for shapes in viewer.layers.selection:
        if not isinstance(shapes, Shapes) or not shapes.data:
            continue
        number = min(shapes.selected_data, default=len(shapes.data) - 1)
        corners = np.asarray(shapes.data[number], float)
        world = np.array([shapes.data_to_world(corner) for corner in corners])
        rank = min(shapes.ndim, layer.ndim)
        points = np.zeros((len(world), layer.ndim))
        points[:, -rank:] = world[:, -rank:]
        places = np.array([layer.world_to_data(point) for point in points])
        region = slab_region(layer)
        axes = _displayed(layer)
        return PointRegion(region.low, region.high, axes, places[:, list(axes)])
    return None


def visible_region(layer: OctreePoints) -> PointRegion:
    """What the view drawn last shows of a layer; in 3-D all of the slice."""
    region, view = slab_region(layer), layer.view
    axes = _displayed(layer)
    matrix = getattr(view, "matrix", None)
    slab = layer.slab
    if matrix is None or slab is None or len(slab.displayed) != 2:
        return region
    # Clip coordinates (x, y) of (z, y, x, 1), of which z does not count.
    flat = np.array(matrix)[:2]
    linear, offset = flat[:, 1:3], flat[:, 3]
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float) - offset
    places = np.linalg.solve(linear, corners.T).T
    return PointRegion(region.low, region.high, axes, places)


def slab_region(layer: OctreePoints) -> PointRegion:
    """What the sliders choose."""
    slab = layer.slab
    if slab is None:
        return PointRegion(np.full(layer.ndim, -np.inf), np.full(layer.ndim, np.inf))
    return PointRegion(np.array(slab.low), np.array(slab.high))


def _displayed(layer: OctreePoints) -> tuple[int, int]:
    slab = layer.slab
    displayed = (layer.ndim - 2, layer.ndim - 1) if slab is None else slab.displayed[-2:]
    return displayed[0], displayed[-1]


def _layer(viewer: napari.viewer.Viewer) -> OctreePoints | None:
    """The selected layer of points; if none is, the topmost."""
    layers = [layer for layer in viewer.layers if isinstance(layer, OctreePoints)]
    selected = [layer for layer in layers if layer in viewer.layers.selection]
    if not layers:
        show_info("There is no octree layer of points.")
        return None
    return (selected or layers)[-1]


def _reporter(task: BackgroundTask[Any]) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if task.cancelled():
            raise Cancelled
        task.report(done, total)

    return report


def _stock_layer(layer: OctreePoints, records: np.ndarray) -> Points:
    """Make a points layer that can be edited, in the same place and looks."""
    source, look = layer.points_source, layer.point_look
    features = features_of(source, records)
    size: Any = look.size
    if layer.size_feature is not None:
        size = features[layer.size_feature].to_numpy(float)
    looks: dict[str, Any] = {}
    for part in ("face", "border"):
        feature = layer.colour_feature(part)
        colour = getattr(look, part)
        looks[f"{part}_color"] = colour.table.reshape(1, 4) if feature is None else feature
        looks[f"{part}_color_cycle"] = getattr(layer, f"{part}_color_cycle")
        looks[f"{part}_colormap"] = getattr(layer, f"{part}_colormap")
        looks[f"{part}_contrast_limits"] = getattr(layer, f"{part}_contrast_limits")
    made = Points(
        np.array(records[POSITION], float),
        name=f"{layer.name} region",
        features=features,
        size=size,
        symbol=look.symbol,
        border_width=look.border_width,
        border_width_is_relative=look.border_is_relative,
        scale=layer.scale,
        translate=layer.translate,
        rotate=layer.rotate,
        shear=layer.shear,
        affine=layer.affine,
        units=layer.units,
        axis_labels=layer.axis_labels,
        opacity=layer.opacity,
        blending=layer.blending,
        **looks,
    )
    if len(records) == MOST_EXTRACTED:
        show_warning(f"{layer.name}: {MOST_EXTRACTED:,} points are slow to edit.")
    return made


# ----------------------------------------------------------------------- menus

ENTRIES: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("extract_points", "Extract region as Points", extract_region),
    ("count_points", "Count points in region", count_region),
    ("reload_points", "Reload points", reload_points),
)


def install() -> None:
    """Give napari the entries."""
    add_context_key(COUNT, SelectedCount(lambda layer: isinstance(layer, OctreePoints)))
    register_actions(
        Action(
            id=f"napari-octree.{name}",
            title=f"{title} (Octree)",
            callback=with_viewer(command),
            enablement=parse_expression(f"{COUNT} > 0"),
            menus=[MenuRule(id="napari/layers/data", group="z_octree_points", order=order)],
        )
        for order, (name, title, command) in enumerate(ENTRIES)
    )
