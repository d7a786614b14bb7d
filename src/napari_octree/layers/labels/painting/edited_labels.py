"""EditedLabels: labels with edits above them: shown, saved, discarded, restored.

Invariants: main thread, but for what says otherwise. The data stay as they are until `save_edits`.
Where the edits are meanwhile is said by `KeptEdits`; those of a session that crashed are offered
when the labels are opened again.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
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
from napari_octree.layers.labels.painting.kept_edits import CROWDED, Keeping, KeptEdits
from napari_octree.layers.labels.painting.painted_levels import PaintedArray, PaintedLevels
from napari_octree.layers.labels.painting.save_edits import save_edits
from napari_octree.layers.labels.painting.scratch.place import (
    chunk_shape_of,
    is_lasting,
    scratch_folder,
    source_name,
)
from napari_octree.layers.labels.painting.scratch.recovery import look_for_edits, offer_edits
from napari_octree.layers.labels.painting.scratch.store import About, ScratchStore
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.slices.painted_tile import hull_on_level, painted_in
from napari_octree.layers.views.octree_view import OctreeView
from napari_octree.layers.views.statistics import OctreeStatistics
from napari_octree.octree.transform import LevelTransform
from napari_octree.sources.errors import SourceError
from napari_octree.sources.protocol import LevelSource, Region

STROKES_S = 30.0
"""How long a copy of a layer waits for strokes."""

_LAYERS: weakref.WeakSet[EditedLabels] = weakref.WeakSet()


class EditedLabels(OctreeScalarField, Labels):
    """What lies above the data of an `OctreeLabels`."""

    _kept: KeptEdits | None = None
    _copied_from: PaintedLevels | None = None
    _edited_regions: tuple[Region, ...] = ()
    _own_overview: np.ndarray | None = None
    _was_searched = False
    _is_told = False

    # ----------------------------------------------------------------- levels

    @property
    def _label_edits(self) -> LabelEdits | None:
        """What was painted on the present data."""
        return None if self._kept is None else self._kept.edits

    @property
    def _edits(self) -> PixelEdits | None:
        return self._label_edits

    def _check_data(self, levels: LayerLevels) -> None:
        """Other data: nothing is painted on them."""
        super()._check_data(levels)
        if self.has_edits:
            show_warning(f"{self.name}: there are new data, and unsaved edits: {self.fate}")
        self._forget_edits()

    def _forget_edits(self) -> None:
        self._kept = self._own_overview = None
        self._was_searched = False
        self._reset_history()

    def _wrapped(
        self,
        levels: LayerLevels,
        config: OctreeConfig | None,
        level_transforms: Sequence[LevelTransform] | None,
    ) -> OctreeLevels:
        """The levels, as napari's tools paint on them. Loaded anew they keep what was painted."""
        shape = tuple(int(n) for n in levels.sources[0].shape)
        kind = (shape, levels.dtype)
        kept = self._kept
        if self._copied_from is not None:
            former, self._copied_from = self._copied_from.edits, None
            if former and (former.shape, former.dtype) == kind:
                kept = KeptEdits(former.copy(ScratchStore.clone), self._on_disk_trouble)
        if kept is None or (kept.edits.shape, kept.edits.dtype) != kind:
            edits = LabelEdits(*kind, chunk_shape_of(levels.sources[0]))
            kept = KeptEdits(edits, self._on_disk_trouble)
        kept.edits.drop_saved()
        kept.edits.on_damage = _Damage(self)
        self._kept, self._own_overview = kept, None
        is_single = levels.single is not None
        wrapped = PaintedLevels(levels.arrays, config, level_transforms, is_single)
        wrapped.paint_on(kept.edits, self._bring_and_wait, self._on_edit)
        return wrapped

    def _bring_and_wait(self, region: Region) -> bool:
        """Have the edits hold a region's chunks, once they are loaded; whether all are."""
        raise NotImplementedError

    @property
    def _level_sources(self) -> tuple[LevelSource, ...]:
        """The levels, with what was painted: for exports and scripts."""
        edits = self._label_edits
        if edits is None or not (edits or self.is_unsaved):
            return super()._level_sources
        return tuple(
            LevelSource(EditedArray(source, edits, place), (None,) * len(source.shape))
            for source, place in zip(self._levels.sources, self._level_places, strict=True)
        )

    @property
    def _levels_to_save(self) -> LayerLevels:
        return LayerLevels(self._levels.arrays, self._level_sources)

    def as_layer_data_tuple(self) -> tuple[Any, dict[str, Any], str]:
        """As of all octree layers; one array comes with what was painted.

        Waits for strokes that wait for the labels below them: copies of the layer have them too.

        Raises
        ------
        SourceError
            They still wait after half a minute.
        """
        if not self._finish_strokes(STROKES_S):
            raise SourceError(
                f"{self.name}: what was painted still waits for the labels below it, which do not "
                "come: undo it, or try again later."
            )
        data, state, kind = super().as_layer_data_tuple()
        if self._label_edits and self._levels.is_plain:
            data = np.asarray(self._data)
        elif self._label_edits and data is self._levels.single:
            data = PaintedArray(self._data)
        return data, state, kind

    @property
    def largest_painted(self) -> int | None:
        """The largest label that was painted."""
        return None if self._label_edits is None else self._label_edits.largest

    @property
    def source_names(self) -> frozenset[str]:
        """Where the levels are stored."""
        return self._levels.names

    @property
    def has_edits(self) -> bool:
        """Something was painted that is not in the data."""
        return bool(self._label_edits is not None and self._label_edits.unsaved)

    @property
    def is_unsaved(self) -> bool:
        """Something was painted, or is about to be, that is not in the data."""
        return self.has_edits

    @property
    def statistics(self) -> OctreeStatistics:
        """What has been counted so far."""
        painted = {"ram_bytes": 0, "chunks_on_disk": 0, "unsaved_chunks": 0}
        if self._kept is not None:
            edits = self._kept.edits
            painted = {
                "ram_bytes": edits.nbytes + self._history_bytes,
                "chunks_on_disk": edits.on_disk,
                "unsaved_chunks": len(edits.unsaved),
            }
            if self._kept.has_failed:
                painted["disk_failed"] = 1
        return replace(super().statistics, painted=painted)

    @property
    def _history_bytes(self) -> int:
        return 0

    # ---------------------------------------------------------------- changes

    def _on_edit(self, region: Region) -> None:
        """Show what was painted in a region of level 0, and keep it."""
        self._is_told = False
        self._views.edited(region)
        if not self._edited_regions:
            MAIN_LOOP.post(self._after_edits)
        self._edited_regions += (region,)
        self._make_room()

    def _make_room(self) -> None:
        """Keep memory within bounds where strokes come without a pause."""
        if not self._block_history and self._pressure > CROWDED:
            self._after_edits()

    def _after_edits(self) -> None:
        """Do what need not be done with each dab."""
        regions, self._edited_regions = self._edited_regions, ()
        if regions:
            self._renew_overview(regions)
        if not self._block_history:  # in the midst of a stroke: its end comes here again
            self._keep_edits()

    def _renew_overview(self, regions: Sequence[Region]) -> None:
        octree_slice = self.octree_slice
        if octree_slice is None:
            return
        slicing = self._overview_slicing
        overview = slicing.overview_of(octree_slice.key)
        if overview is None:
            return
        level = octree_slice.octree.levels[-1]
        hull = hull_on_level(regions, octree_slice.key.displayed, level)
        painted = painted_in(octree_slice, level.index, hull)
        if painted is not None:
            labels, written = painted
            if overview is not self._own_overview:
                overview = self._own_overview = overview.copy()
            part = overview[tuple(slice(*pair) for pair in hull)]
            part[written] = labels[written]
            slicing.show_overview(overview, octree_slice.key)
            self._update_thumbnail()

    # ------------------------------------------------------- in memory and on disk

    def _keep_edits(self) -> None:
        """Write to disk what is to be there, and let memory have no more than its share."""
        if self._kept is not None:
            self._kept.keep(self._keeping)

    def _keep_edits_soon(self) -> None:
        """Let memory have no more than its share, after the present call."""
        if self._pressure > 1:
            MAIN_LOOP.post(self._after_edits)

    @property
    def _pressure(self) -> float:
        """How much of their share of memory the edits take."""
        return 0 if self._kept is None else self._kept.pressure(self._config.memory.edits_bytes)

    @property
    def _edits_are_full(self) -> bool:
        """There is no more room for edits."""
        return self._kept is not None and self._kept.is_full(self._config.memory.edits_bytes)

    @property
    def _keeping(self) -> Keeping:
        """How edits are to be kept, by the data and the configuration of now."""
        edits, source = self._label_edits, self._levels.sources[0]
        assert edits is not None
        about = About(
            source=source_name(source),
            shape=edits.shape,
            chunk_shape=edits.chunk_shape,
            dtype=edits.dtype.str,
            layer=self.name,
            is_lasting=is_lasting(source),
        )
        return Keeping(scratch_folder(self._config), about, self._config.memory.edits_bytes)

    def _on_disk_trouble(self, error: OSError) -> None:
        show_warning(
            f"{self.name}: what is painted cannot be kept on disk ({error}). It is in memory "
            "only, and would not survive a crash: save it soon."
        )

    @property
    def fate(self) -> str:
        """What becomes of what was painted, where it is not saved."""
        if self._label_edits is not None and is_lasting(self._levels.sources[0]):
            return (
                "what was painted is kept on this machine, and offered when these labels are "
                "opened again."
            )
        return "what was painted is lost with the layer."

    def leave_unsaved(self) -> None:
        """Say no more of what is not saved: somebody knows, and leaves it so."""
        self._is_told = True

    # ------------------------------------------------------------ save, discard

    def save_edits(self, timeout: float = 3600) -> int:
        """Write what was painted into the arrays of all levels, in a worker.

        Waits for strokes that wait for the labels below them. Runs the event loop meanwhile: the
        window stays alive. Main thread only.

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
        assert self._kept is not None
        self._finish_strokes(timeout)
        kept, arrays, places = self._kept, self._levels.arrays, self._level_places
        edits = kept.edits
        revisions = edits.revisions(edits.unsaved)
        with ThreadPoolExecutor(1, thread_name_prefix="napari-octree saving") as pool:
            future = pool.submit(save_edits, edits, list(revisions), arrays, places)
            future.add_done_callback(lambda _: MAIN_LOOP.post(lambda: None))  # wakes the loop
            MAIN_LOOP.run_until(future.done, timeout)
            written = future.result()
        kept.mark_saved(revisions)
        if self._levels.sources[0].storage.in_memory:
            edits.drop_saved()  # what is drawn from the data has them
        for other in list(_LAYERS):
            if other is not self and other.source_names & self.source_names:
                other.reload()
        return written

    def _finish_strokes(self, timeout: float) -> bool:
        """Have nothing wait to be painted; whether that is so in time (seconds)."""
        return True

    def discard_edits(self) -> None:
        """Forget all that was painted and not saved."""
        if self._kept is not None:
            self._kept.discard()
        self._forget_edits()
        self._show_anew(self._levels.arrays)

    # ------------------------------------------------------------ open and close

    def attach_view(self, view: OctreeView) -> None:
        """Count `view` in; offer what was painted on these labels in a session that crashed."""
        super().attach_view(view)
        _LAYERS.add(self)
        if not self._was_searched and is_lasting(self._levels.sources[0]):
            self._was_searched = True
            method = weakref.WeakMethod(self._offer)

            def offer(found: list[ScratchStore]) -> None:
                if (bound := method()) is not None:
                    bound(found)

            keeping = self._keeping
            look_for_edits(keeping.folder, keeping.about, offer)

    def _offer(self, stores: list[ScratchStore]) -> None:
        """Ask once whether to restore what was left behind."""
        reference = weakref.ref(self)

        def restore() -> None:
            if (layer := reference()) is not None:
                show_info(f"{layer.name}: restored {layer.restore_edits()} painted chunks.")

        offer_edits(self.name, stores, restore)

    def restore_edits(self) -> int:
        """Take back what was painted on the same labels in sessions that ended without saving.

        Where something was painted since, that stays. Main thread only.

        Returns
        -------
        int
            How many chunks were restored; 0 if nothing was left behind.
        """
        assert self._kept is not None
        restored, is_all = self._kept.restore(self._keeping)
        if not is_all:
            show_warning(f"{self.name}: save what is painted first, then restore the rest.")
        if restored:
            self._reset_history()
            self._show_anew(self._levels.arrays)
        return restored

    def detach_view(self, view: OctreeView) -> None:
        """Forget `view`; tell of what is not saved when the last one goes."""
        super().detach_view(view)
        if not self._views and self.has_edits:
            self._after_edits()
            if not self._is_told:
                show_warning(
                    f"{self.name}: closed with unsaved edits: {self.fate} layer.save_edits() "
                    "writes them into the data, an export into a new file."
                )


class _Damage:
    """Tells once that edits on disk cannot be read (any thread)."""

    def __init__(self, layer: EditedLabels) -> None:
        self._layer = weakref.ref(layer)
        self._told = False

    def __call__(self, error: Exception) -> None:
        layer = self._layer()
        if layer is not None and not self._told:
            self._told = True
            text = f"{layer.name}: some of what was painted cannot be read from disk: {error}"
            MAIN_LOOP.post(functools.partial(show_warning, text))
