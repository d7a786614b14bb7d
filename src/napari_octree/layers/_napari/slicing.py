"""OverviewSlicingState: napari's slicing of a layer, without reading (napari 0.9.2).

Invariant: nothing in here reads pixels of the user's arrays. It hands napari an overview that is
already in memory, wherever stock code would slice the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from napari.layers._scalar_field._slice import (  # what Image._slice must be
    _ScalarFieldSliceResponse,
    _ScalarFieldView,
)
from napari.layers.base import _LayerSlicingState  # base of every layer's slicing
from napari.layers.base.base import apply_units_to_transform
from napari.utils._dtype import normalize_dtype
from napari.utils.transforms import Affine

from napari_octree.layers.slices.slice_key import SliceKey


class SlicedLayer(Protocol):
    """What the slicing below asks of a layer."""

    _data_to_world: Any

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        ...

    @property
    def _colour_axis(self) -> tuple[int, ...]: ...

    def _on_slice_moved(self) -> None: ...


class OverviewSlicingState(_LayerSlicingState):
    """Slicing without reading: the slice *is* the overview, once a worker has brought it.

    It offers no `_make_slice_request`, so napari treats it alike whether asynchronous slicing is
    on or off. `_slice` always has the rank of the current display, or napari's thumbnail and
    volume code raise.
    """

    layer: SlicedLayer
    _slice_input: Any

    def __init__(self, layer: SlicedLayer, data: Any, cache: bool) -> None:
        super().__init__(layer, data, cache=False)
        self._overview: np.ndarray | None = None
        self._overview_key: SliceKey | None = None
        self._known_key: tuple[Any, SliceKey | None] = (None, None)
        self._placed = 0
        self.awaited = False
        self._slice = self._response(self._blank())

    @property
    def rank(self) -> int:
        """Displayed axes of the slice (2-D data stay 2-D in a 3-D view)."""
        return min(self._slice_input.ndisplay, self.ndim)

    def _blank(self) -> np.ndarray:
        colour = self.layer._colour_axis
        return np.zeros((1,) * self.rank + colour, dtype=normalize_dtype(self.layer.dtype))

    def _response(self, image: np.ndarray) -> _ScalarFieldSliceResponse:
        # tile_to_data stays the identity: our picture is placed by its octree, and everything of
        # napari's that asks for it (hover, transform box) wants level-0 coordinates.
        # napari's thumbnails take no foreign byte order of half floats, and no long doubles.
        dtype = image.dtype.newbyteorder("=")
        image = image.astype(np.float64 if dtype.char == "g" else dtype, copy=False)
        view = _ScalarFieldView.from_view(image)
        return _ScalarFieldSliceResponse(
            image=view,
            thumbnail=view,
            tile_to_data=Affine(name="tile2data", linear_matrix=np.eye(self.ndim), ndim=self.ndim),
            slice_input=self._slice_input,
            request_id=0,
            empty=False,  # True would hide the node
        )

    @property
    def loaded(self) -> bool:
        """What napari's layer list asks for its loading sign.

        `_loaded`, which the status bar asks, stays True, or there would be no value to see.
        """
        return not self.awaited

    def overview_of(self, key: SliceKey) -> np.ndarray | None:
        """The overview if it is that of `key`: a former slice's stays until its own has come."""
        return self._overview if self._overview_key == key else None

    def show_overview(self, overview: np.ndarray, key: SliceKey) -> None:
        """Make `overview` (as displayed) of the slice `key` the slice."""
        self._overview, self._overview_key = overview, key
        self._slice = self._response(overview)

    def forget_overview(self) -> None:
        """Have nothing to show (new data)."""
        self._overview = None
        self._slice = self._response(self._blank())

    def _keep_rank(self) -> None:
        overview = self._overview
        fits = overview is not None and overview.ndim == self.rank + len(self.layer._colour_axis)
        self._slice = self._response(overview if fits and overview is not None else self._blank())

    def set_slice_input(self, slice_input: Any, force: bool) -> bool:
        changed = super().set_slice_input(slice_input, force)
        if changed and self._slice.slice_input is not self._slice_input:
            self._keep_rank()
        return bool(changed)

    @contextmanager
    def as_of(self, slice_input: Any) -> Iterator[None]:
        """Have napari's tools see the sliders and axes of another moment."""
        now, self._slice_input = self._slice_input, slice_input
        try:
            yield
        finally:
            self._slice_input = now

    def _set_view_slice(self) -> None:
        self._keep_rank()
        self.layer._on_slice_moved()

    def placed(self) -> None:
        """The layer's scale, units or any such thing has changed."""
        self._placed += 1

    def slice_key(self, version: int, shape: tuple[int, ...], projection: str) -> SliceKey | None:
        """The slice that napari's sliders name, or None where it lies outside the data."""
        # Asked for several times a frame: napari's `data_slice` takes a millisecond, and its
        # `_data_to_world` a tenth of one when the processor's caches are cold. They are replaced,
        # not altered, so that mostly nothing but identities has to be compared.
        # Sliders may be moved (in the main thread) while another thread asks: all that the key is
        # made of is taken once, and napari's `data_slice`, which looks again, is not asked.
        slice_input, units = self._slice_input, self._units
        causes = (slice_input, units, self._placed, version, shape, projection)
        known, key = self._known_key
        if causes != known:
            key = self._find_slice_key(slice_input, units, version, shape, projection)
            self._known_key = (causes, key)
        return key

    def _find_slice_key(
        self,
        slice_input: Any,
        units: Any,
        version: int,
        shape: tuple[int, ...],
        projection: str,
    ) -> SliceKey | None:
        ndisplay = min(slice_input.ndisplay, self.ndim)
        displayed = tuple(int(a) for a in slice_input.order[-ndisplay:])
        if ndisplay == self.ndim:
            return SliceKey(version, displayed, (None,) * ndisplay, projection)
        # As napari's `data_slice`.
        to_data = apply_units_to_transform(self.layer._data_to_world.inverse, units)
        extent = slice_input.data_slice(to_data)
        ranges: list[tuple[int, int] | None] = []
        for axis in range(self.ndim):
            if axis in displayed:
                ranges.append(None)
                continue
            left, right = extent.margin_left[axis], extent.margin_right[axis]
            if projection == "none":
                left = right = 0
            span = _pixel_range(extent.point[axis], left, right, shape[axis])
            if span is None:
                return None
            ranges.append(span)
        return SliceKey(version, displayed, tuple(ranges), projection)


def _pixel_range(point: float, left: float, right: float, length: int) -> tuple[int, int] | None:
    """The pixels of a slice along one axis of `length`, half-open; None: it lies outside.

    In napari 0.9 margins are negative where the axis runs backwards in the world. The pixels are
    then those of the same axis stored in reverse: napari's own have no defined answer there. 0.10
    exchanges the margins itself.
    """
    if left < 0 or right < 0:
        mirrored = _pixel_range(length - 1 - point, -left, -right, length)
        return None if mirrored is None else (length - mirrored[1], length - mirrored[0])
    # The same rounding as napari's thick slices: low and high are rounded, and an upper bound that
    # is exactly a pixel centre takes that pixel in.
    upper = point + right
    low, high = int(np.round(point - left)), int(np.round(upper))
    if high < 0 or low >= length:
        return None
    stop = high + 1 if np.isclose(high, upper) or high == low else high
    low = max(low, 0)
    return low, max(min(stop, length), low + 1)
