"""Values under the cursor and along lines of sight, and what the status bar says of them.

Invariants: from RAM only; napari asks for values in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_octree.layers.base.overview_field import OverviewField
from napari_octree.layers.values.hover import value_under
from napari_octree.layers.values.place import onto_plane, place_under
from napari_octree.layers.values.ray_value import ray_values
from napari_octree.layers.views.shown_level import ShownLevel
from napari_octree.layers.views.status import with_place, with_progress
from napari_octree.octree.view import VolumeView


class HoverValues(OverviewField):
    """What a layer of pixels says of a place."""

    _value_level = 0  # of the value asked for last

    @property
    def _hands_out_single(self) -> bool:
        """Whether `data` is the one array that was given, as of a stock layer, or a list."""
        raise NotImplementedError

    def get_value(
        self,
        position: Any,
        *,
        view_direction: Any = None,
        dims_displayed: list[int] | None = None,
        world: bool = False,
    ) -> Any:
        """The value at a position, from RAM only; arguments as of `napari.layers.Layer`.

        Returns
        -------
        (int, value), or value
            With the level that it is of, or without where `data` is one array, as of a stock
            layer. The value is None outside of the image and where nothing is at hand yet.
        """
        if self.ndim == 2 and world and view_direction is not None and len(position) > 2:
            # napari takes the place under the cursor in the plane of the camera's focus.
            position = onto_plane(position, view_direction)
        return super().get_value(
            position, view_direction=view_direction, dims_displayed=dims_displayed, world=world
        )

    def _get_value(self, position: Sequence[float]) -> Any:
        """As napari's own, which calls this in a thread of its own."""
        level, value = self._value_at(position)
        self._value_level = -1 if value is None else level
        return value if self._hands_out_single else (level, value)

    def _value_at(self, position: Sequence[float]) -> tuple[int, Any]:
        """(level, value) under a position from RAM only: the finest level that is cached."""
        octree_slice = self.octree_slice
        if octree_slice is None:
            return (self.data_level, None)
        point = np.asarray(position, dtype=float)[-self.ndim :] + 0.5
        overview = self._overview_slicing.overview_of(octree_slice.key)
        found = value_under(
            octree_slice, self._loader.cache, point, overview, self.locked_data_level or 0
        )
        return (self.data_level, None) if found is None else found

    def get_status(self, *args: Any, **keywords: Any) -> dict[str, str]:
        """Status of a position, with how good the value is and how much is loaded."""
        status: dict[str, str] = super().get_status(*args, **keywords)
        octree_slice, level = self.octree_slice, self.data_level
        sampled = octree_slice is not None and octree_slice.is_sampled(level)
        progress = self._progress_events.progress
        coarser = bool(status["value"]) and self._value_level > level
        status = with_progress(status, coarser, progress, sampled, self._refined_share)
        return with_place(status, place_under(self, self._levels.sources[0], *args, **keywords))

    def _get_value_3d(
        self,
        start_point: np.ndarray | None,
        end_point: np.ndarray | None,
        dims_displayed: list[int],
    ) -> Any:
        """(level, value) of a line of sight, from RAM only: through the bricks that are shown.

        Without the level where `data` is one array.

        Points are in octree coordinates: napari has added half a pixel to those of the data.
        It calls this in a thread of its own.
        """
        octree_slice = self.octree_slice
        if start_point is None or end_point is None or octree_slice is None:
            return None
        axes = list(octree_slice.key.displayed)
        if len(axes) != 3 or not self._views:
            return None
        start, stop = (np.asarray(p, float)[axes] for p in (start_point, end_point))
        shown, failed = self._views[-1].shown_bricks, self._views[-1].failed_bricks
        values = ray_values(octree_slice, shown, self._loader.cache, start, stop, failed)
        value = self._calculate_value_from_ray(values)
        self._value_level = self.data_level
        if value is None or self._hands_out_single:
            return value
        return (self.data_level, value)

    @property
    def data_level(self) -> int:
        """The level that is ideal in the view drawn last.

        Before any it is the locked level, or else the coarsest.

        In a text it names all levels that a 3-D view shows, as "0–2".
        """
        if not self._views:
            locked = self.locked_data_level
            return len(self._data) - 1 if locked is None else locked
        view = self._views[-1]
        mixes = isinstance(view.view, VolumeView)
        return ShownLevel(view.level, view.levels if mixes else ())
