"""StrokedLabels: edits made stroke by stroke, as soon as the pixels below them are there.

Invariants: main thread. A change of some regions of level 0 is made above the data, in memory;
where the pixels below are not loaded yet, it waits for them, in order, and goes by the settings of
the moment when it was asked for. A stroke is painted as a whole or not at all, whatever fails.
Undo and redo are napari's.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from napari.utils.notifications import show_info, show_warning

from napari_octree.layers.data.layer_levels import LayerLevels
from napari_octree.layers.labels.painting.edited_labels import EditedLabels
from napari_octree.layers.labels.painting.pending_strokes import Dab, PendingStrokes
from napari_octree.layers.labels.painting.stroke_history import (
    PLAIN_STROKES,
    drop_oldest,
    nbytes_of,
    pack_old,
    regions_of,
    unpacked,
)
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.sources.protocol import Region

HISTORY_BYTES = 2**26
"""Of strokes that can be undone: the oldest are forgotten."""

READ_TIMEOUT_S = 60
"""How long a script that asks for labels waits for them."""

_SCRIPT = itertools.count(1)

_SETTINGS = (
    "_preserve_labels",
    "_selected_label",
    "_prev_selected_label",
    "_mode",
    "_brush_size",
    "_n_edit_dimensions",
    "_contiguous",
)
"""What tools go by."""


class StrokedLabels(EditedLabels):
    """The strokes on an `OctreeLabels`, those that wait and those that can be undone."""

    _history_limit = 10_000  # napari's is 100; ours are packed, and bounded by their bytes
    _strokes: PendingStrokes | None = None
    _stroke = 0
    _applying: int | None = None
    _drops = 0
    _brought: Sequence[Region] = ()
    _lost_strokes: frozenset[int] = frozenset()
    _unpacked = 0
    _newest: tuple[int, Any] = (-1, None)
    _updated_slice: tuple[slice, ...] | None
    _staged_history: list[Any]
    _preserve_labels: bool
    _undo_history: deque[Any]
    _redo_history: deque[Any]

    # ------------------------------------------------------------ below the brush

    def _adopt(self, levels: LayerLevels, renewed: bool = False) -> None:
        """Load what waiting strokes need from these levels, from now on."""
        waiting = [] if self._strokes is None else self._strokes.take_all()
        self._strokes = None
        super()._adopt(levels, renewed)
        for dab in waiting:
            self._pending.add(dab)

    def _forget_edits(self) -> None:
        if self._strokes is not None:
            if self._strokes.take_all():
                show_warning(f"{self.name}: what waited for labels to be loaded is not painted.")
            self._strokes = None
        super()._forget_edits()

    def _bring(self, region: Region) -> bool:
        edits = self._label_edits
        is_known = edits is not None and edits.drops == self._drops
        for brought in self._brought if is_known else ():
            if all(a <= c and d <= b for (a, b), (c, d) in zip(brought, region, strict=True)):
                return True
        return self._pending.bring(region)

    def _bring_and_wait(self, region: Region) -> bool:
        if self._bring(region):
            self._keep_edits_soon()
            return True
        if threading.current_thread() is not threading.main_thread():
            return False
        done = [False]
        self._pending.add(Dab(-next(_SCRIPT), [region], lambda: done.append(True), is_undo=True))
        MAIN_LOOP.run_until(lambda: len(done) > 1 or not self._waits, READ_TIMEOUT_S)
        return self._bring(region)

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
                self._config.memory.edits_bytes // (2 * self._label_edits.chunk_nbytes),
                self._apply_pending,
                self._on_lost,
            )
        return self._strokes

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

    def _finish_strokes(self, timeout: float) -> bool:
        return not self._waits or MAIN_LOOP.run_until(lambda: not self._waits, timeout)

    @property
    def is_unsaved(self) -> bool:
        """Something was painted, or waits for the pixels below it, that is not in the data."""
        return self._waits or super().is_unsaved

    def _reset_editable(self) -> None:
        self.editable = True  # napari's own: only where there is one level

    # ----------------------------------------------------------------- changes

    def _when_at_hand(
        self, regions: Sequence[Region], change: Callable[[], None], is_undo: bool = False
    ) -> None:
        """Make a change of some regions, now or when their pixels have come."""
        pending = self._pending
        if self._applying is not None and pending.bring(*regions):
            self._make(change, regions)
            return
        if not self._block_history:
            self._stroke += 1
        stroke = self._current_stroke
        if stroke in self._lost_strokes:
            return  # the rest of a stroke of which a part cannot be painted
        if self._edits_are_full and not is_undo:
            self._revert(stroke)
            self._lost_strokes |= {stroke}
            show_warning(
                f"{self.name}: not painted: there is no more room for what was painted, neither "
                "in memory nor on disk. Save it with layer.save_edits()."
            )
            return
        if not len(pending) and pending.bring(*regions):
            self._make(change, regions)
            return
        settings = {name: getattr(self, name) for name in _SETTINGS}
        slice_input = self._slice_input

        def change_later() -> None:
            now = {name: getattr(self, name) for name in _SETTINGS}
            try:
                self.__dict__.update(settings)
                with self._overview_slicing.as_of(slice_input):
                    change()
            finally:
                self.__dict__.update(now)

        pending.add(Dab(stroke, regions, change_later, is_undo))
        self.tell_progress()

    def _make(self, change: Callable[[], None], regions: Sequence[Region]) -> None:
        """Make a change of regions that are at hand: they need not be looked for again."""
        former, self._brought = self._brought, regions
        self._drops = 0 if self._label_edits is None else self._label_edits.drops
        try:
            change()
        finally:
            self._brought = former

    @property
    def _current_stroke(self) -> int:
        return self._stroke if self._applying is None else self._applying

    def _apply_pending(self) -> None:
        applied = False
        while dabs := self._pending.next_ready():
            applied = True
            if dabs[0].is_undo:
                dabs[0].apply()
                continue
            self._applying = dabs[0].stroke
            try:
                with super().block_history():
                    for dab in dabs:
                        dab.apply()
            except Exception as error:  # of whatever kind: it is told, and the rest goes on
                self._revert(self._applying)
                show_warning(f"{self.name}: a stroke was not painted: {error}")
            finally:
                self._applying = None
            self._make_room()
        if applied:
            self._partial_labels_refresh()
            self.tell_progress()

    def _on_lost(self, strokes: set[int]) -> None:
        for stroke in strokes:
            self._revert(stroke)
        if self._block_history:
            self._lost_strokes |= strokes
        what = "A stroke was" if len(strokes) == 1 else f"{len(strokes)} strokes were"
        show_warning(
            f"{self.name}: {what} not painted, as the labels below could not be loaded. "
            "Retry with layer.reload()."
        )

    def _revert(self, stroke: int) -> None:
        """Take back what was painted already of a stroke that cannot be painted as a whole."""
        if stroke == self._current_stroke:
            self._revert_staged()
        number, item = self._newest
        if number == stroke and self._undo_history and self._undo_history[-1] is item:
            self._load_now(self._undo_history, deque(), undoing=True)

    def _revert_staged(self) -> None:
        staged, self._staged_history = self._staged_history, []
        if staged:
            self._load_now(deque([staged]), deque(), undoing=True)

    # ---------------------------------------------------------------- the history

    @contextmanager
    def block_history(self) -> Iterator[None]:
        """Have all that is painted within be undone together; if it raises, take it back."""
        is_outermost = not self._block_history
        if is_outermost:
            self._stroke += 1
        try:
            with super().block_history():
                try:
                    yield
                except BaseException:
                    if is_outermost:
                        self._revert_staged()
                    raise
        finally:
            if is_outermost:
                self._lost_strokes = frozenset()
                self._after_edits()

    def _begin_stroke(self) -> None:
        self._stroke += 1
        super()._begin_stroke()

    def _commit_stroke(self) -> None:
        super()._commit_stroke()
        self._lost_strokes = frozenset()
        self._after_edits()

    def _abort_stroke(self) -> None:
        if self._strokes is not None:
            self._strokes.drop({self._stroke})
        self._revert(self._stroke)
        with self._without_reading_again():
            super()._abort_stroke()
        self._lost_strokes = frozenset()
        self._after_edits()

    def _append_to_undo_history(self, item: list[Any]) -> None:
        """Add a stroke; parts of one that waited in between are one stroke."""
        stroke = self._current_stroke
        number, newest = self._newest
        if number == stroke and self._undo_history and self._undo_history[-1] is newest:
            item = [*newest, *item]
            self._undo_history.pop()
        super()._append_to_undo_history(item)
        self._newest = (stroke, item)
        self._unpacked += 1

    def _keep_edits(self) -> None:
        super()._keep_edits()
        if self._unpacked >= PLAIN_STROKES:
            self._unpacked = 0
            pack_old(self._undo_history)
            drop_oldest(self._undo_history, HISTORY_BYTES)

    def undo(self) -> None:
        """Take back the last stroke."""
        last = None if self._strokes is None else self._strokes.last
        if last is None:
            super().undo()
        elif last.is_undo:
            show_info(f"{self.name}: the last undo waits for labels that are being loaded.")
        else:
            assert self._strokes is not None
            self._strokes.drop({last.stroke})
            self._revert(last.stroke)

    def redo(self) -> None:
        """Paint again what was taken back."""
        if not self._waits:
            super().redo()

    def _load_history(self, before: deque[Any], after: deque[Any], undoing: bool = True) -> None:
        if not before:
            return
        self._when_at_hand(
            list(regions_of(before[-1])),
            lambda: self._load_now(before, after, undoing),
            is_undo=True,
        )

    def _load_now(self, before: deque[Any], after: deque[Any], undoing: bool) -> None:
        """Apply a stroke of the history, whose pixels are at hand."""
        if before:
            item = before[-1] = unpacked(before[-1])
            with self._without_reading_again():
                super()._load_history(before, after, undoing)
            self._updated_slice = None
            edits = self._label_edits
            if edits is not None:
                edits.settle({i for region in regions_of(item) for i in edits.indices(region)})

    @contextmanager
    def _without_reading_again(self) -> Iterator[None]:
        """Have napari's refresh within be of what was painted only, and not of data in memory."""
        refreshes, self._refreshes = self._refreshes, False
        try:
            yield
        finally:
            self._refreshes = refreshes

    @property
    def _history_bytes(self) -> int:
        return nbytes_of(self._undo_history) + nbytes_of(self._redo_history)
