"""LabelEdits: what has been painted, above data that stay as they are.

Invariants: only pixels that changed count as written; a write is done as a whole or not at all.
Any thread may look; only the main thread writes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_octree.layers.labels.painting.edited_chunks import EditedChunks
from napari_octree.sources.protocol import Region


class LabelEdits(EditedChunks):
    """The pixels of the edits of one version of a layer's data; see `EditedChunks`."""

    def read(self, region: Region) -> np.ndarray:
        """The pixels of a region, all of whose chunks are held; a copy (main thread)."""
        with self._lock:
            result = np.empty([stop - start for start, stop in region], self.dtype)
            for index in self.indices(region):
                target, part = _overlap(region, self.box(index))
                result[target] = self._hot(index).values[part]
            return result

    def write(self, region: Region, values: np.ndarray) -> Region | None:
        """Set the pixels of a region, all of whose chunks are held: all, or none if it raises.

        Returns
        -------
        region or None
            Pixels have changed there, and nowhere else.
        """
        values = np.asarray(values, self.dtype)
        values = np.broadcast_to(values, [stop - start for start, stop in region])
        changes = []
        with self._lock:
            for index in self.indices(region):
                box = self.box(index)
                source, part = _overlap(region, box)
                chunk = self._hot(index)
                new = values[source]
                differs = chunk.values[part] != new
                if differs.any():
                    chunk.remember_clean()
                    chunk.own()
                    changes.append((index, chunk, part, new, differs))
            for index, chunk, part, new, differs in changes:
                chunk.values[part] = new
                chunk.written[part] |= differs
                chunk.has_written, chunk.saved = True, False
                chunk.revision += 1
                self._counts.written.add(index)
                self._counts.unsaved.add(index)
        if not changes:
            return None
        largest = int(values.max())
        self.largest = largest if self.largest is None else max(self.largest, largest)
        boxes = [self.box(index) for index, *_ in changes]
        return tuple(
            (max(start, min(pair[0] for pair in axis)), min(stop, max(pair[1] for pair in axis)))
            for (start, stop), axis in zip(region, zip(*boxes, strict=True), strict=True)
        )

    def known(self, region: Region) -> np.ndarray | None:
        """All pixels of a region of level 0, painted or not; None where they are not in memory."""
        with self._lock:
            if any(index not in self._chunks for index in self.indices(region)):
                return None
            return self.read(region)

    def overlay(self, places: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
        """What was written at a grid of places.

        Parameters
        ----------
        places : sequence of int arrays
            Per axis pixels of level 0, rising; the grid is their product.

        Returns
        -------
        values, written : arrays of the grid's shape
            None if nothing was.
        """
        if not self._counts.written or any(not len(axis) for axis in places):
            return None
        region = tuple((int(axis[0]), int(axis[-1]) + 1) for axis in places)
        found: tuple[np.ndarray, np.ndarray] | None = None
        with self._lock:
            touching = list(self._touching(region))
        for index in touching:
            box = self.box(index)
            spans = [
                slice(*np.searchsorted(axis, bounds))
                for axis, bounds in zip(places, box, strict=True)
            ]
            if any(span.start == span.stop for span in spans):
                continue
            picked = np.ix_(
                *[
                    axis[span] - bounds[0]
                    for axis, span, bounds in zip(places, spans, box, strict=True)
                ]
            )
            with self._lock:
                chunk = self._readable(index)
                written = None if chunk is None else chunk.written[picked]
                values = None if chunk is None else chunk.values[picked]
            if written is None or not written.any():
                continue
            if found is None:
                shape = [len(axis) for axis in places]
                found = np.zeros(shape, self.dtype), np.zeros(shape, np.bool_)
            found[0][tuple(spans)] = values
            found[1][tuple(spans)] = written
        return found

    def onto(self, block: np.ndarray, places: Sequence[np.ndarray]) -> np.ndarray:
        """Return `block`, or a copy with what was written at its places."""
        found = self.overlay(places)
        if found is None:
            return block
        values, written = found
        return np.where(written, values, block).astype(block.dtype, copy=False)

    def value(self, place: Sequence[int]) -> np.generic | None:
        """The label of one pixel of level 0, if its chunk is held."""
        index = tuple(p // c for p, c in zip(place, self.chunk_shape, strict=True))
        with self._lock:
            chunk = self._readable(index)
        if chunk is None:
            return None
        value: np.generic = chunk.values[
            tuple(p - start for p, (start, _) in zip(place, self.box(index), strict=True))
        ]
        return value


def _overlap(region: Region, box: Region) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where a box lies in a region, and what of the box that is."""
    within, part = [], []
    for (start, stop), (first, last) in zip(region, box, strict=True):
        low, high = max(start, first), min(stop, last)
        within.append(slice(low - start, high - start))
        part.append(slice(low - first, high - first))
    return tuple(within), tuple(part)
