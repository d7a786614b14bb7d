"""Strokes in the history, made small: nearly all of them wait for an undo that never comes.

Invariants: pure. A packed stroke becomes what it was, bit by bit. Nothing that was not packed here
in this process is unpacked.
"""

from __future__ import annotations

import pickle
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_octree.sources.protocol import Region

PLAIN_STROKES = 16
"""At the history's end that are left as napari made them."""


@dataclass(frozen=True)
class PackedStroke:
    """One item of napari's history.

    Attributes
    ----------
    data : bytes
    regions : tuple of Region
        What its changes cover on level 0.
    """

    data: bytes
    regions: tuple[Region, ...]

    def __len__(self) -> int:
        return len(self.regions)


def pack_old(history: deque[Any]) -> None:
    """Pack all strokes but the last few."""
    place = len(history) - PLAIN_STROKES - 1
    while place >= 0 and not isinstance(history[place], PackedStroke):
        history[place] = packed(history[place])
        place -= 1


def packed(stroke: list[Any]) -> PackedStroke:
    """Make a stroke small."""
    data = zlib.compress(pickle.dumps(stroke, pickle.HIGHEST_PROTOCOL), 1)
    return PackedStroke(data, tuple(regions_of(stroke)))


def unpacked(stroke: list[Any] | PackedStroke) -> list[Any]:
    """The stroke as napari made it."""
    if isinstance(stroke, PackedStroke):
        atoms: list[Any] = pickle.loads(zlib.decompress(stroke.data))
        return atoms
    return stroke


def regions_of(stroke: list[Any] | PackedStroke) -> Iterator[Region]:
    """What the changes of a stroke cover on level 0."""
    if isinstance(stroke, PackedStroke):
        yield from stroke.regions
        return
    for atom in stroke:
        key = getattr(atom, "slice_key", None)
        if key is not None:
            yield tuple((int(s.start), int(s.stop)) for s in key)
        else:
            yield tuple((int(np.min(i)), int(np.max(i)) + 1) for i in atom[0])


def nbytes_of(history: deque[Any]) -> int:
    """Bytes that the strokes of a history take, roughly."""
    return sum(_nbytes(stroke) for stroke in history)


def drop_oldest(history: deque[Any], limit_bytes: int) -> None:
    """Forget the oldest strokes until the rest fits; the last one stays."""
    sizes = [_nbytes(stroke) for stroke in history]
    total = sum(sizes)
    for size in sizes[:-1]:
        if total <= limit_bytes:
            return
        history.popleft()
        total -= size


def _nbytes(stroke: list[Any] | PackedStroke) -> int:
    if isinstance(stroke, PackedStroke):
        return len(stroke.data)
    return sum(
        part.nbytes
        for atom in stroke
        for part in (*atom, *(atom[0] if isinstance(atom[0], tuple) else ()))
        if isinstance(part, np.ndarray)
    )
