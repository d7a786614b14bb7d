"""PaintableLabels: napari's tools for labels, on data of any size that stay as they are.

Invariants: main thread. All tools end in a change of a box of level 0 (`_paint_region_with_mask`,
`data_setitem`), which is made when its pixels are at hand (see `StrokedLabels`). No pixel is read
in the main thread but of arrays in memory, and of what was painted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.utils.notifications import show_info

from napari_octree.layers.labels.painting.flood import FIRST_SIDE, around, flood
from napari_octree.layers.labels.painting.stroked_labels import StrokedLabels

MOST_PIXELS = 2**22
"""A brush covers at most so many pixels of level 0; more would take seconds for each dab."""


class PaintableLabels(StrokedLabels):
    """What is painted on an `OctreeLabels`."""

    def _paint_region_with_mask(
        self,
        slice_key: tuple[slice, ...],
        mask: np.ndarray,
        new_label: int,
        dims_to_paint: list[int],
        refresh: bool = True,
        region_data: np.ndarray | None = None,
    ) -> None:
        paint = super()._paint_region_with_mask
        if region_data is None and mask.size > MOST_PIXELS:
            show_info(
                f"{self.name}: not painted: {mask.size:,} pixels at once are too many. Zoom in, "
                "or take a smaller brush."
            )
            return
        region = tuple((s.start, s.stop) for s in slice_key)
        self._when_at_hand(
            [region],
            lambda: paint(slice_key, mask, new_label, dims_to_paint, refresh, region_data),
        )

    def _refresh_caches_from_region(self, *args: Any) -> None:
        """Leave napari's slice alone: it is the overview."""

    def _partial_labels_refresh(self) -> None:
        """Tell of what was painted; the views know it."""
        region, self._updated_slice = self._updated_slice, None
        if region is not None:
            displayed = [region[axis] for axis in self._slice_input.displayed]
            self.events.labels_update(data=None, offset=[s.start for s in displayed])

    def _draw(self, new_label: int, last_cursor_coord: Any, coordinates: Any) -> None:
        draw = super()._draw
        if self._slice_input.ndisplay == 2:
            draw(new_label, last_cursor_coord, coordinates)
        elif coordinates is not None:
            # In 3-D napari's own asks for the label at each place before it paints.
            first = coordinates if last_cursor_coord is None else last_cursor_coord
            ends = [np.round(c).astype(int) for c in (first, coordinates)]
            low, high = np.minimum(*ends), np.maximum(*ends) + 1
            region = tuple((int(a), int(b)) for a, b in zip(low, high, strict=True))
            self._when_at_hand([region], lambda: draw(new_label, last_cursor_coord, coordinates))

    def fill(self, coord: Sequence[float], new_label: int, refresh: bool = True) -> None:
        """Replace a label around a place, as far as its labels are loaded.

        Parameters
        ----------
        coord : sequence of float
            In pixels of level 0.
        new_label : int
        refresh : bool
            Show it at once.
        """
        fill = super().fill
        self._validate_label_in_range(new_label)
        place = [int(p) for p in np.round(coord).astype(int)]
        axes = sorted(self._get_dims_to_paint())
        self._validate_non_painted_coord(place, axes)
        if any(not 0 <= p < n for p, n in zip(place, self._data.shape, strict=True)):
            return
        region = around(place, axes, self._data.shape, FIRST_SIDE)
        self._when_at_hand([region], lambda: fill(coord, new_label, refresh))

    def _get_flood_mask_and_bbox(
        self, coord: Sequence[float], new_label: int, dims_to_paint: list[int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
        """The pixels to fill, among those that are loaded."""
        assert self._label_edits is not None
        place = [int(p) for p in np.round(coord).astype(int)]
        if any(not 0 <= p < n for p, n in zip(place, self._data.shape, strict=True)):
            return None
        bring, read = self._bring, self._label_edits.read
        found = flood(
            place,
            dims_to_paint,
            self._data.shape,
            self.contiguous,
            lambda region: read(region) if bring(region) else None,
        )
        if found is None:
            show_info(f"{self.name}: not filled, as the labels here are not loaded yet.")
            return None
        old = found.labels[found.mask][0].item()
        if old == new_label or (
            self.preserve_labels and old != self._get_preserve_labels_source_label(new_label)
        ):
            return None
        if not found.is_whole:
            show_info(
                f"{self.name}: filled within the labels that are loaded here only: label {old} "
                "goes on beyond."
            )
        low, high = self._compute_mask_bbox(found.mask)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        offset = np.array([found.region[axis][0] for axis in dims_to_paint])
        return found.mask[box], low + offset, high + offset, found.labels[box].copy()

    def data_setitem(self, indices: Any, value: Any, refresh: bool = True) -> None:
        """Set pixels of level 0 to labels, while writing to the history.

        Parameters
        ----------
        indices : tuple of arrays of int
            One per axis; negative ones count from the end, as numpy's.
        value : int or array of int
        refresh : bool
            Show it at once.

        Raises
        ------
        IndexError
            Where a place is not in the image. Nothing is set then.
        """
        arrays = np.broadcast_arrays(*[np.asarray(i) for i in indices])
        if not arrays[0].size:
            return
        labels = np.broadcast_to(np.asarray(value, self.dtype), arrays[0].shape).ravel()
        places = tuple(
            _within(axis.ravel(), n, number)
            for number, (axis, n) in enumerate(zip(arrays, self._data.shape, strict=True))
        )
        region = tuple((int(axis.min()), int(axis.max()) + 1) for axis in places)

        def change() -> None:
            before = self._data[places]
            new = before != labels
            if new.any():
                where = tuple(axis[new] for axis in places)
                self._save_history((where, before[new], labels[new]))
                self._data[where] = labels[new]
                self._accumulate_updated_slice(tuple(slice(*pair) for pair in region))
                if refresh:
                    self._partial_labels_refresh()

        self._when_at_hand([region], change)


def _within(indices: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Indices of an axis, counted from its beginning."""
    places = np.where(indices < 0, indices + size, indices)
    if (beyond := (places < 0) | (places >= size)).any():
        raise IndexError(
            f"data_setitem: index {indices[beyond][0]} is out of bounds for axis {axis}, "
            f"of {size} pixels"
        )
    return places
