"""A napari `Image` that reads nothing: its slice is an overview that somebody else brings.

Invariants: nothing of napari's that works on a layer (slicing, thumbnail, histogram, automatic
contrast, extents) touches the user's arrays; it works on the overview in memory, and on one
blank pixel until there is one. Main thread only.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
from napari.components import Dims
from napari.layers import Image

from napari_octree.layers._napari import (
    OctreeHistogram,
    OverviewSlicingState,
    calc_data_range,
    get_dtype_limits,
    normalize_dtype,
)


class LazyImage(Image):
    """What stock `Image` would do by reading, done with the overview."""

    def _on_slice_moved(self) -> None:
        """Bring the overview of the slice that the sliders name now."""
        raise NotImplementedError

    @property
    def _colour_axis(self) -> tuple[int, ...]:
        return tuple(self._data.shape[-1:]) if self.rgb else ()

    @property
    def _overview_slicing(self) -> OverviewSlicingState:
        return cast(OverviewSlicingState, self._slicing_state)

    def _clear_extent(self) -> None:
        # What all setters of transforms and units call, whether or not events are blocked.
        super()._clear_extent()
        self._overview_slicing.placed()

    def _get_layer_slicing_state(self, data: Any, cache: bool) -> OverviewSlicingState:
        return OverviewSlicingState(self, data, cache)

    def _reset_thumbnail_level_data(self) -> None:
        # Stock materialises a whole level here, in the main thread.
        self._thumbnail_level = len(self._data) - 1
        self._level_materializer = None

    def _slice_dims(self, dims: Dims, force: bool = False) -> None:
        """As napari's own, less what a step of a slider does not change: extent and thumbnail.

        That of the new slice is made when its overview has come.
        """
        if force:
            super()._slice_dims(dims, force)
        elif self._slicing_state.set_slice_input_from_dims(dims, force):
            self._refresh_sync(data_displayed=True, highlight=True)

    def _update_level_and_corners(self, *args: Any) -> None:
        """Leave level and tiles to the visuals: stock would slice in the middle of a draw."""

    def _calc_data_range(self, mode: Literal["data", "slice"] = "data") -> tuple[float, float]:
        low, high = calc_data_range(self._slice.image.raw, rgb=self.rgb, dtype=self.dtype)
        return low, high

    def _update_thumbnail(self) -> None:
        """As napari's own, which raises where no value of the type is within the limits."""
        low, high = self.contrast_limits
        if not self.rgb and np.issubdtype(self.dtype, np.integer):
            type_low, type_high = limits_of_type(self.dtype)
            if low > type_high or high < type_low:
                colour = self.colormap.map([0.0 if low > type_high else 1.0])
                self.thumbnail = np.broadcast_to(colour, self._thumbnail_shape)
                return
        super()._update_thumbnail()

    def _display_bounding_box_augmented_data_level(self, dims_displayed: list[int]) -> np.ndarray:
        # The nodes are in level-0 coordinates whatever the level.
        return self._extent_data_augmented[:, dims_displayed].T

    @property
    def histogram(self) -> OctreeHistogram:
        """Histogram of the overview."""
        if not hasattr(self, "_histogram"):
            self._histogram = OctreeHistogram(self)
        return self._histogram


def limits_of_type(dtype: np.dtype) -> tuple[float, float]:
    """Contrast limits to begin with: what the type can hold, (0, 1) for floats."""
    dtype = np.dtype(normalize_dtype(dtype))
    if np.issubdtype(dtype, np.integer):
        low, high = get_dtype_limits(dtype)
        return low, high
    return 0, 1
