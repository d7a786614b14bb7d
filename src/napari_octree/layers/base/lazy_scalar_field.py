"""A napari scalar field (`Image`, `Labels`) that reads nothing: its slice is an overview.

Invariants: nothing of napari's that works on a layer (slicing, thumbnail, extents) touches the
user's arrays; it works on the overview in memory, which somebody else brings, and on one
blank pixel until there is one. Main thread only.
"""

from __future__ import annotations

import numpy as np
from napari.components import Dims

from napari_octree.layers._napari import OverviewSlicingState, ScalarFieldBase, help_of_modes


class LazyScalarField(ScalarFieldBase):
    """What stock layers would do by reading, done with the overview.

    To be named before napari's own class among the bases of a layer.
    """

    rgb = False  # an `Image` sets its own

    def _on_slice_moved(self) -> None:
        """Bring the overview of the slice that the sliders name now."""
        raise NotImplementedError

    @property
    def _has_overview(self) -> bool:
        """The overview of the slice that the sliders name is in memory."""
        raise NotImplementedError

    @property
    def _colour_axis(self) -> tuple[int, ...]:
        """The length of the colour axis as a tuple of one, or ()."""
        return tuple(self._data.shape[-1:]) if self.rgb else ()

    @property
    def _overview_slicing(self) -> OverviewSlicingState:
        """What napari slices with: it holds the overview."""
        state: OverviewSlicingState = self._slicing_state
        return state

    @property
    def help(self) -> str:
        """What keys do in the present mode."""
        return str(super().help)

    @help.setter  # noqa: A003 (napari's name)
    def help(self, text: str) -> None:
        super(LazyScalarField, type(self)).help.fset(self, text or help_of_modes(self))

    def _clear_extent(self) -> None:
        # What all setters of transforms and units call, whether or not events are blocked.
        super()._clear_extent()
        self._overview_slicing.placed()

    def _get_layer_slicing_state(self, data: object, cache: bool) -> OverviewSlicingState:
        return OverviewSlicingState(self, data, cache)

    def _reset_thumbnail_level_data(self) -> None:
        # Stock materialises a whole level here, in the main thread.
        self._thumbnail_level = len(self._data) - 1
        self._level_materializer = None

    def _slice_dims(self, dims: Dims, force: bool = False) -> None:
        """As napari's own, less what a step of a slider does not change: the extent.

        The thumbnail is made when the overview of the new slice has come.
        """
        if force:
            super()._slice_dims(dims, force)
        elif self._slicing_state.set_slice_input_from_dims(dims, force):
            here = self._has_overview
            self._refresh_sync(data_displayed=True, highlight=True, thumbnail=here)

    def _update_draw(self, scale_factor: float, *place: object, **named: object) -> None:
        """Leave level and tiles to the visuals: stock would slice in the middle of a draw.

        It would also map the canvas to each layer's pixels in every frame, a tenth of what the
        frames of many small layers cost.
        """
        self.scale_factor = scale_factor

    def _update_level_and_corners(self, *args: object) -> None:
        """Nothing, whoever asks for it: see `_update_draw`."""

    def _display_bounding_box_augmented_data_level(self, dims_displayed: list[int]) -> np.ndarray:
        # The nodes are in level-0 coordinates whatever the level.
        return self._extent_data_augmented[:, dims_displayed].T
