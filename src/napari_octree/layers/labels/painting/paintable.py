"""PaintableLabels: napari's tools for labels, on data of any size that stay as they are.

Invariants: main thread. All tools end in a change of a box of level 0 (`_paint_region_with_mask`,
`data_setitem`), which is made above the data, in memory; where the pixels below are not loaded
yet, it waits for them, in order. Undo and redo are napari's. No pixel is read in the main
thread but of arrays in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils.notifications import show_info, show_warning

from napari_octree.config import OctreeConfig
from napari_octree.layers._napari import OctreeLevels
from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.data.image_pyramid import PixelEdits
from napari_octree.layers.data.layer_levels import LayerLevels
from napari_octree.layers.labels.painting.edited_array import EditedArray
from napari_octree.layers.labels.painting.edits import LabelEdits
from napari_octree.layers.labels.painting.flood import flood
from napari_octree.layers.labels.painting.painted_levels import PaintedLevels
from napari_octree.layers.labels.painting.pending_strokes import Dab, PendingStrokes
from napari_octree.layers.labels.painting.save_edits import save_edits
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.views.octree_view import OctreeView
from napari_octree.octree.transform import LevelTransform
from napari_octree.sources.protocol import LevelSource, Region

MOST_PIXELS = 2**22
"""A brush covers at most so many pixels of level 0; more would take seconds for each dab."""


class PaintableLabels(OctreeScalarField, Labels):
    """What is painted on an `OctreeLabels`."""

    _label_edits: LabelEdits | None = None
    _strokes: PendingStrokes | None = None
    _stroke = 0
    _overview_is_old = False
    _updated_slice: tuple[slice, ...] | None
    _preserve_labels: bool
    _selected_label: int
    _prev_selected_label: int | None

    # ----------------------------------------------------------------- levels

    @property
    def _edits(self) -> PixelEdits | None:
        return self._label_edits

    def _check_data(self, levels: LayerLevels) -> None:
        """Other data: nothing is painted on them."""
        super()._check_data(levels)
        if self.has_edits:
            show_warning(f"{self.name}: there are new data: what was painted is lost.")
        self._label_edits = None
        self._reset_history()

    def _wrapped(
        self,
        levels: LayerLevels,
        config: OctreeConfig | None,
        level_transforms: Sequence[LevelTransform] | None,
    ) -> OctreeLevels:
        """The levels, as napari's tools paint on them. Loaded anew they keep what was painted."""
        shape = tuple(int(n) for n in levels.sources[0].shape)
        edits = self._label_edits
        if edits is None or (edits.shape, edits.dtype) != (shape, levels.dtype):
            edits = LabelEdits(shape, levels.dtype)
        edits.drop_unwritten()
        self._label_edits = edits
        if self._strokes is not None:
            self._strokes.close()
            self._strokes = None
        wrapped = PaintedLevels(levels.arrays, config, level_transforms)
        wrapped.paint_on(edits, self._bring, self._on_edit)
        return wrapped

    @property
    def _level_sources(self) -> tuple[LevelSource, ...]:
        """The levels, with what was painted: for exports and scripts."""
        edits = self._label_edits
        if not edits:
            return super()._level_sources
        assert edits is not None
        return tuple(
            LevelSource(EditedArray(source, edits, place), (None,) * len(source.shape))
            for source, place in zip(self._levels.sources, self._level_places, strict=True)
        )

    @property
    def _levels_to_save(self) -> LayerLevels:
        return LayerLevels(self._levels.arrays, self._level_sources)

    def as_layer_data_tuple(self) -> tuple[Any, dict[str, Any], str]:
        """As of all octree layers; an array in memory comes with what was painted."""
        data, state, kind = super().as_layer_data_tuple()
        if self._label_edits and self._levels.is_plain:
            data = np.asarray(self._data)
        return data, state, kind

    def _bring(self, region: Region) -> bool:
        """Have the edits hold a region's chunks, as far as they are in memory; whether all are."""
        return self._pending.bring(region)

    @property
    def _pending(self) -> PendingStrokes:
        """The strokes that wait for pixels."""
        if self._strokes is None:
            assert self._label_edits is not None
            octree_slice = self.octree_slice
            side = self._config.octree.tile_size
            hint = (*self._label_edits.chunk_shape[:-2], side, side)
            self._strokes = PendingStrokes(
                self._loader,
                self._label_edits,
                self._levels.sources[0],
                hint if octree_slice is None else octree_slice.hint,
                self._apply_pending,
                self._on_lost,
            )
        return self._strokes

    @property
    def has_edits(self) -> bool:
        """Something was painted that is not in the data."""
        return bool(self._label_edits is not None and self._label_edits.unsaved)

    @property
    def _model_settled(self) -> bool:
        return super()._model_settled and not self._waits

    @property
    def _model_at_rest(self) -> bool:
        return super()._model_at_rest and not self._waits

    @property
    def _waits(self) -> bool:
        """Strokes wait for the pixels below them."""
        return self._strokes is not None and bool(len(self._strokes))

    def _reset_editable(self) -> None:
        self.editable = True  # napari's own: only where there is one level

    # ---------------------------------------------------------------- changes

    def _on_edit(self, region: Region) -> None:
        """Show what was painted in a region of level 0."""
        self._views.edited(region)
        if not self._overview_is_old:
            self._overview_is_old = True
            MAIN_LOOP.post(self._renew_overview)

    def _renew_overview(self) -> None:
        self._overview_is_old = False
        octree_slice = self.octree_slice
        if octree_slice is None:
            return
        slicing = self._overview_slicing
        overview = slicing.overview_of(octree_slice.key)
        if overview is None:
            return
        level = octree_slice.octree.levels[-1]
        painted = octree_slice.painted_in(level.index, [(0, n) for n in level.shape])
        if painted is not None:
            labels, written = painted
            slicing.show_overview(np.where(written, labels, overview), octree_slice.key)
            self._update_thumbnail()

    def _when_at_hand(self, region: Region, change: Callable[[], None]) -> None:
        """Make a change of a region, now or when its pixels have come."""
        pending = self._pending
        if not len(pending) and pending.bring(region):
            change()
            return
        if not self._block_history:
            self._stroke += 1
        # What a tool goes by may be set otherwise by then.
        settings = (self._preserve_labels, self._selected_label, self._prev_selected_label)

        def change_later() -> None:
            now = (self._preserve_labels, self._selected_label, self._prev_selected_label)
            self._preserve_labels, self._selected_label, self._prev_selected_label = settings
            try:
                change()
            finally:
                self._preserve_labels, self._selected_label, self._prev_selected_label = now

        pending.add(Dab(self._stroke, region, change_later))
        self.tell_progress()

    def _apply_pending(self) -> None:
        dabs = list(self._pending.ready())
        for stroke in dict.fromkeys(dab.stroke for dab in dabs):
            with self.block_history():
                for dab in dabs:
                    if dab.stroke == stroke:
                        dab.apply()
        if dabs:
            self._partial_labels_refresh()
            self.tell_progress()

    def _on_lost(self, strokes: int) -> None:
        what = "A stroke was" if strokes == 1 else f"{strokes} strokes were"
        show_warning(
            f"{self.name}: {what} not painted, as the labels below could not be loaded. "
            "Retry with layer.reload()."
        )

    # --------------------------------------------------- napari's tools, by name

    @contextmanager
    def block_history(self) -> Iterator[None]:
        """Have all that is painted within be undone together."""
        if not self._block_history:
            self._stroke += 1
        with super().block_history():
            yield

    def _begin_stroke(self) -> None:
        self._stroke += 1
        super()._begin_stroke()

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
        if mask.size > MOST_PIXELS:
            show_info(
                f"{self.name}: not painted: {mask.size:,} pixels at once are too many. Zoom in, "
                "or take a smaller brush."
            )
            return
        region = tuple((s.start, s.stop) for s in slice_key)
        self._when_at_hand(
            region,
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
            ends = [np.round(c).astype(int) for c in (last_cursor_coord, coordinates)]
            low, high = np.minimum(*ends), np.maximum(*ends) + 1
            region = tuple((int(a), int(b)) for a, b in zip(low, high, strict=True))
            self._when_at_hand(region, lambda: draw(new_label, last_cursor_coord, coordinates))

    def _get_flood_mask_and_bbox(
        self, coord: Sequence[float], new_label: int, dims_to_paint: list[int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
        """The pixels to fill, among those that are loaded."""
        assert self._label_edits is not None
        place = [int(p) for p in np.round(coord).astype(int)]
        if any(not 0 <= p < n for p, n in zip(place, self.data.shape, strict=True)):
            return None
        bring, read = self._bring, self._label_edits.read
        found = flood(
            place,
            dims_to_paint,
            self.data.shape,
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
            One per axis.
        value : int or array of int
        refresh : bool
            Show it at once.
        """
        places = np.broadcast_arrays(*[np.asarray(i) for i in indices])
        places = tuple(axis.ravel() for axis in places)
        if not places[0].size:
            return
        labels = np.broadcast_to(np.asarray(value, self.dtype), places[0].shape).copy()
        region = tuple((int(axis.min()), int(axis.max()) + 1) for axis in places)

        def change() -> None:
            before = self.data[places]
            new = before != labels
            if new.any():
                where = tuple(axis[new] for axis in places)
                self._save_history((where, before[new], labels[new]))
                self.data[where] = labels[new]
                self._accumulate_updated_slice(tuple(slice(*pair) for pair in region))
                if refresh:
                    self._partial_labels_refresh()

        self._when_at_hand(region, change)

    def undo(self) -> None:
        """Take back the last stroke."""
        if self._strokes is None or not self._strokes.drop_last():
            super().undo()

    def _load_history(self, *args: Any, **keywords: Any) -> None:
        super()._load_history(*args, **keywords)
        self._updated_slice = None

    def save_edits(self, timeout: float = 3600) -> int:
        """Write what was painted into the arrays of all levels, in a worker.

        Runs the event loop meanwhile: the window stays alive. Main thread only.

        Parameters
        ----------
        timeout : float
            Seconds.

        Returns
        -------
        int
            How many chunks or shards were written.

        Raises
        ------
        SourceError
            A level cannot be written to; nothing was written then.
        Exception
            Whatever the store raises. What was not written is still there as edits.
        """
        assert self._label_edits is not None
        edits, arrays, places = self._label_edits, self._levels.arrays, self._level_places
        with ThreadPoolExecutor(1, thread_name_prefix="napari-octree saving") as pool:
            future = pool.submit(save_edits, edits, arrays, places)
            future.add_done_callback(lambda _: MAIN_LOOP.post(lambda: None))  # wakes the loop
            MAIN_LOOP.run_until(future.done, timeout)
            return future.result()

    def detach_view(self, view: OctreeView) -> None:
        """Forget `view`; tell of what is not saved when the last one goes."""
        super().detach_view(view)
        if not self._views and self.has_edits:
            show_warning(
                f"{self.name}: what was painted is not saved. It is lost when the layer is; "
                "layer.save_edits() writes it into the data, an export into a new file."
            )

    def discard_edits(self) -> None:
        """Forget all that was painted and not saved."""
        self._label_edits = None
        self._reset_history()
        self._show_anew(self._levels.arrays)
