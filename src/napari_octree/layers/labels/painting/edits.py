"""LabelEdits: what has been painted, in memory, above data that stay as they are.

Invariants: a chunk that is held has the pixels that lie below it, and which of them were written;
only pixels that changed count as written. Edits are user data: a held chunk that has written
pixels is never dropped. Any thread may look; only the main thread writes.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_octree.sources.protocol import Region

Index = tuple[int, ...]

CHUNK_SIDE = 256
"""Pixels a side of a chunk, on the last two axes; 1 on the others."""


@dataclass(eq=False)
class EditedChunk:
    """A box of level 0.

    Attributes
    ----------
    values : array
        As it is now.
    written : bool array
        Which pixels are not as in the data.
    saved : bool
        What is written is in the data too.
    """

    values: np.ndarray
    written: np.ndarray
    saved: bool = True


class LabelEdits:
    """The edits of one version of a layer's data.

    Parameters
    ----------
    shape : tuple of int
        Of level 0.
    dtype : numpy.dtype
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        side = [1] * (len(shape) - 2) + [CHUNK_SIDE] * 2
        self.chunk_shape = tuple(min(s, n) for s, n in zip(side, shape, strict=True))
        self._chunks: dict[Index, EditedChunk] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return any(chunk.written.any() for chunk in self._chunks.values())

    # ------------------------------------------------------------------ chunks

    def box(self, index: Index) -> Region:
        """The region of a chunk."""
        return tuple(
            (i * c, min((i + 1) * c, n))
            for i, c, n in zip(index, self.chunk_shape, self.shape, strict=True)
        )

    def indices(self, region: Region) -> Iterator[Index]:
        """The chunks that touch a region."""
        return itertools.product(
            *[
                range(start // c, -(-stop // c))
                for (start, stop), c in zip(region, self.chunk_shape, strict=True)
            ]
        )

    def missing(self, region: Region) -> list[Index]:
        """The chunks of a region that are not held."""
        return [index for index in self.indices(region) if index not in self._chunks]

    def hold(self, index: Index, values: np.ndarray) -> None:
        """Take in the pixels of a chunk, which belong to the edits from now on."""
        with self._lock:
            if index not in self._chunks:
                values = np.array(values, self.dtype)
                self._chunks[index] = EditedChunk(values, np.zeros(values.shape, np.bool_))

    def drop_unwritten(self) -> None:
        """Let go of chunks that nothing was written to."""
        with self._lock:
            self._chunks = {
                index: chunk for index, chunk in self._chunks.items() if chunk.written.any()
            }

    @property
    def unsaved(self) -> list[Index]:
        """Chunks with pixels that are not in the data."""
        with self._lock:
            return [i for i, c in self._chunks.items() if not c.saved and c.written.any()]

    @property
    def written_chunks(self) -> list[Index]:
        """Chunks with written pixels."""
        with self._lock:
            return [i for i, c in self._chunks.items() if c.written.any()]

    def chunk(self, index: Index) -> EditedChunk:
        """A held chunk, as a copy: to be kept elsewhere."""
        with self._lock:
            held = self._chunks[index]
            return EditedChunk(held.values.copy(), held.written.copy(), held.saved)

    def restore(self, index: Index, chunk: EditedChunk) -> None:
        """Put back a chunk that was kept elsewhere."""
        with self._lock:
            self._chunks[index] = chunk

    def mark_saved(self, index: Index, values: np.ndarray) -> None:
        """Say that a chunk is in the data, if it still is as it was then."""
        with self._lock:
            held = self._chunks.get(index)
            if held is not None and np.array_equal(held.values, values):
                held.saved = True

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        with self._lock:
            return sum(c.values.nbytes + c.written.nbytes for c in self._chunks.values())

    # ------------------------------------------------------------------ pixels

    def read(self, region: Region) -> np.ndarray:
        """The pixels of a region, all of whose chunks are held; a copy."""
        with self._lock:
            result = np.empty([stop - start for start, stop in region], self.dtype)
            for index in self.indices(region):
                target, part = _overlap(region, self.box(index))
                result[target] = self._chunks[index].values[part]
            return result

    def write(self, region: Region, values: np.ndarray) -> Region | None:
        """Set the pixels of a region, all of whose chunks are held.

        Returns
        -------
        region or None
            Where pixels have changed.
        """
        values = np.broadcast_to(values, [stop - start for start, stop in region])
        changed: list[Region] = []
        with self._lock:
            for index in self.indices(region):
                box = self.box(index)
                source, part = _overlap(region, box)
                chunk = self._chunks[index]
                new = values[source].astype(self.dtype)
                differs = chunk.values[part] != new
                if differs.any():
                    chunk.values[part] = new
                    chunk.written[part] |= differs
                    chunk.saved = False
                    changed.append(_bounds(differs, [s.start for s in part], box))
        if not changed:
            return None
        return tuple(
            (min(pair[0] for pair in axis), max(pair[1] for pair in axis))
            for axis in zip(*changed, strict=True)
        )

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
        if not self._chunks or any(not len(axis) for axis in places):
            return None
        region = tuple((int(axis[0]), int(axis[-1]) + 1) for axis in places)
        found: tuple[np.ndarray, np.ndarray] | None = None
        with self._lock:
            for index in self._touching(region):
                chunk, box = self._chunks[index], self.box(index)
                spans = [
                    slice(*np.searchsorted(axis, bounds))
                    for axis, bounds in zip(places, box, strict=True)
                ]
                picked = np.ix_(
                    *[
                        axis[span] - bounds[0]
                        for axis, span, bounds in zip(places, spans, box, strict=True)
                    ]
                )
                written = chunk.written[picked]
                if not written.any():
                    continue
                if found is None:
                    shape = [len(axis) for axis in places]
                    found = np.zeros(shape, self.dtype), np.zeros(shape, np.bool_)
                found[0][tuple(spans)] = chunk.values[picked]
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
        chunk = self._chunks.get(index)
        if chunk is None:
            return None
        value: np.generic = chunk.values[
            tuple(p - start for p, (start, _) in zip(place, self.box(index), strict=True))
        ]
        return value

    def _touching(self, region: Region) -> Iterator[Index]:
        """Held chunks that touch a region: by whichever are fewer."""
        wanted = 1
        for (start, stop), c in zip(region, self.chunk_shape, strict=True):
            wanted *= -(-stop // c) - start // c
        if wanted < len(self._chunks):
            return (index for index in self.indices(region) if index in self._chunks)
        return (
            index
            for index in self._chunks
            if all(a < d and c < b for (a, b), (c, d) in zip(region, self.box(index), strict=True))
        )


def _overlap(region: Region, box: Region) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where a box lies in a region, and what of the box that is."""
    within, part = [], []
    for (start, stop), (first, last) in zip(region, box, strict=True):
        low, high = max(start, first), min(stop, last)
        within.append(slice(low - start, high - start))
        part.append(slice(low - first, high - first))
    return tuple(within), tuple(part)


def _bounds(mask: np.ndarray, offset: Sequence[int], box: Region) -> Region:
    """The bounding box of the true pixels of a mask that lies at `offset` within a chunk's box."""
    bounds = []
    for axis, (start, o) in enumerate(zip((b[0] for b in box), offset, strict=True)):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        bounds.append((int(hit[0]) + o + start, int(hit[-1]) + o + start + 1))
    return tuple(bounds)
