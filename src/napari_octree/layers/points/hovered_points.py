"""HoveredPoints: what napari asks about the point under the cursor, answered from RAM.

Invariants: any thread, as napari asks in one of its own; nothing is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.finalizers import when_gone
from napari_octree.layers.points.picking import PickedPoint, PointPicker
from napari_octree.layers.points.slab import Slab
from napari_octree.sources.points.points_source import PointsSource


class HoveredPoints(OctreeLayer):
    """A layer of points that knows which one is under the cursor."""

    _picker: PointPicker
    _indexing: bool
    canvas_size_limits: Any
    _current_size: Any

    @property
    def points_source(self) -> PointsSource:
        """The set as it is drawn."""
        raise NotImplementedError

    @property
    def slab(self) -> Slab | None:
        """What the sliders choose."""
        raise NotImplementedError

    def _pick_from(self, source: PointsSource) -> None:
        """Look points of this set up from now on."""
        former = getattr(self, "_picker", None)
        if former is not None:
            former.client.close()
        self._picker = picker = PointPicker(source, self._loader)
        when_gone(picker, picker.client.close)

    def pick(self, position: Sequence[float] | np.ndarray) -> PickedPoint | None:
        """Return the point at a position in data coordinates, of those that are drawn (2-D).

        From RAM only; any thread.
        """
        drawing, slab = self._drawing, self.slab
        if drawing is None or slab is None:
            return None
        place = np.asarray(position, float)[-self.ndim :]
        return self._picker.at(drawing.shown_nodes, slab, place, self._reach(drawing))

    @property
    def _drawing(self) -> Any:
        """What draws the layer in the viewer that drew it last."""
        return getattr(self._views[-1], "drawing", None) if self._views else None

    def _reach(self, drawing: Any) -> np.ndarray:
        """How far from its centre a point is met, along each axis."""
        scale = np.abs(np.asarray(self.scale, float))
        ratio = np.where(scale > 0, scale[-1] / np.where(scale > 0, scale, 1), 1.0)
        least = self.canvas_size_limits[0] / 2 * drawing.data_per_pixel
        reach: np.ndarray = np.maximum(float(self._current_size) / 2 * ratio, least)
        return np.maximum(reach, 1e-300)

    def _get_value(self, position: Sequence[float]) -> int | None:
        """The number of the point under a position in the original set."""
        found = self.pick(position)
        return None if found is None else found.number

    def _get_value_3d(
        self,
        start_point: np.ndarray | None,
        end_point: np.ndarray | None,
        dims_displayed: list[int],
    ) -> int | None:
        found = self._pick_3d(start_point, end_point)
        return None if found is None else found.number

    def _pick_3d(self, start: np.ndarray | None, stop: np.ndarray | None) -> PickedPoint | None:
        drawing, slab = self._drawing, self.slab
        if start is None or stop is None or drawing is None or slab is None:
            return None
        reach = self._reach(drawing)
        return self._picker.along(drawing.shown_nodes, slab, start, stop, reach)

    def _picked_at(
        self,
        position: Any,
        view_direction: Any = None,
        dims_displayed: Any = None,
        world: bool = False,
    ) -> PickedPoint | None:
        """The point under a position, as napari asks for values."""
        if position is None or not self.visible:
            return None
        place = np.asarray(self.world_to_data(position) if world else position, float)
        displayed = [] if dims_displayed is None else list(dims_displayed)
        if len(displayed) == 3 and view_direction is not None and self.ndim > 2:
            ends = self.get_ray_intersections(
                position=position,
                view_direction=view_direction,
                dims_displayed=displayed,
                world=world,
            )
            return self._pick_3d(*ends)
        return self.pick(place)

    def _get_properties(
        self,
        position: Any,
        *,
        view_direction: Any = None,
        dims_displayed: Any = None,
        world: bool = False,
    ) -> list[str]:
        """The features of the point under a position, as text."""
        found = self._picked_at(position, view_direction, dims_displayed, world)
        return [] if found is None else [f"{name}: {value}" for name, value in found.features]

    def get_status(self, *args: Any, **keywords: Any) -> dict[str, str]:
        """Status of a position, with how much of the points is shown and loaded."""
        status: dict[str, str] = super().get_status(*args, **keywords)
        text = status["value"]
        drawing = self._drawing
        if drawing is not None and drawing.shown_part < 0.95:
            text += f" [1 of {_rounded(1 / drawing.shown_part)} shown"
            text += ", the others as density]" if drawing.shows_density else "]"
        elif drawing is not None and drawing.shows_density and not drawing.shown_points:
            text += " [density image]"
        progress = self._progress_events.progress
        if self._indexing:
            text += " [a sample: the index is being made]"
        elif progress.loading:
            text += f" [{progress.resident / progress.ideal:.0%} loaded]"
        if progress.failed:
            text += f" [{progress.failed} failed]"
        return status | {"value": text, "coordinates": ": ".join((status["coords"], text))}


def _rounded(number: float) -> str:
    """Two or three digits, without an exponent: 1.5, 30, 1,390."""
    return f"{number:.3g}" if number < 100 else f"{float(f'{number:.3g}'):,.0f}"
