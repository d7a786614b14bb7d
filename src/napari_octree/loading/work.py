"""What workers do for the scheduler, and the values they report: pure functions and frozen values.

Invariants: nothing here keeps state or knows who asks; called in worker threads; may raise what
user code raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from napari_octree.loading.assembly import Part, assemble, grow, storage_apron
from napari_octree.loading.request import LoadedTile, TileRequest, TileState
from napari_octree.sources.errors import ShapeMismatchError
from napari_octree.sources.protocol import Region, StorageArray


class ReadOutcome(NamedTuple):
    """What became of a read.

    Attributes
    ----------
    pixels : numpy.ndarray or None
        None if it failed, and where the store holds nothing.
    error : BaseException or None
    seconds : float
    decode_s : float or None
        What decoding took of it; None where the reader cannot tell it from fetching.
    busy_s : float or None
        What the reading thread computed of it; None if it is not known.
    """

    pixels: np.ndarray | None
    error: BaseException | None = None
    seconds: float = 0.0
    decode_s: float | None = None
    busy_s: float | None = None


class Made(NamedTuple):
    """What became of the attempt to make a tile.

    Attributes
    ----------
    result : LoadedTile or None
        None if it failed.
    error : BaseException or None
    """

    result: LoadedTile | None
    error: BaseException | None


def read_checked(storage: StorageArray, region: Region) -> np.ndarray | None:
    """Read a chunk and check what came.

    Raises
    ------
    ShapeMismatchError
        It has not the shape or type that the array announced.
    """
    pixels = storage.read(region)
    if pixels is None:
        return None
    pixels = np.asarray(pixels)
    shape = tuple([stop - start for start, stop in region])
    if pixels.shape != shape:
        raise ShapeMismatchError(f"a chunk of shape {pixels.shape}, where {shape} was announced")
    if pixels.dtype != storage.dtype:
        raise ShapeMismatchError(
            f"a chunk of type {pixels.dtype}, where {storage.dtype} was announced"
        )
    if not storage.in_memory and pixels.base is not None:
        base = pixels.base
        if isinstance(base, np.ndarray) and base.nbytes > 2 * pixels.nbytes:
            return pixels.copy()  # a small view would keep a large array in memory, uncounted
    return pixels


def make_tile(request: TileRequest, parts: Sequence[Part], own: int, complete: bool) -> LoadedTile:
    """Assemble and finish a tile.

    Parameters
    ----------
    request : TileRequest
    parts : sequence of Part
        The tile's own chunks, then those around it; none if its array is in memory.
    own : int
        How many are its own.
    complete : bool
        No chunk around it is absent.
    """
    source = request.source
    storage = source.storage
    core = source.storage_region(request.region)
    apron = storage_apron(source, request.apron)
    if storage.in_memory:
        around = grow(core, apron, storage.shape)
        parts, own, complete = [(around, read_checked(storage, around))], 1, True
    block = assemble(core, apron, storage.shape, storage.dtype, storage.fill_value, parts)
    data = request.finish(source.drop_fixed(block))
    state = TileState.MISSING
    for _, pixels in parts[:own]:
        if pixels is not None:
            state = TileState.LOADED
            break
    return LoadedTile(request.key, data, state, complete)
