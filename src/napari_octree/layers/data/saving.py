"""The pixels that napari's writers get: all of the finest level, as one array in memory.

Invariants: what is too large is refused before a file is made; a store is read in worker threads,
and the window stays alive meanwhile.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from math import prod

import numpy as np

from napari_octree.layers.data.layer_levels import LayerLevels
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.sources.protocol import LevelSource, Region

MEBIBYTE = 2**20
MOST_READ_BYTES = 256 * MEBIBYTE
"""A store that holds more is not read as a whole. What is in memory already may be of any size."""
READS_AT_ONCE = 8
LONGEST_S = 3600.0


class NotSavedError(ValueError):
    """A layer that napari's writers cannot write; the message names it and says what to do."""


def pixels_to_save(name: str, levels: LayerLevels) -> np.ndarray:
    """Return all pixels of the finest level (main thread).

    Parameters
    ----------
    name : str
        The layer's, for messages.
    levels : LayerLevels

    Raises
    ------
    NotSavedError
        They are too many, or cannot be read.
    """
    source, array = levels.sources[0], levels.arrays[0]
    if source.storage.in_memory:
        return np.asarray(array if source.is_whole else _read(source))
    nbytes = prod(source.shape) * source.dtype.itemsize
    if nbytes > MOST_READ_BYTES:
        raise NotSavedError(
            f"{name}: not saved: {_readable(nbytes)} of pixels are too much for one write. "
            "Save it under a name that ends in .zarr or .ome.tif, which any size fits in, or use "
            "Layers ▸ Data ▸ Export selected octree layers…"
        )
    with ThreadPoolExecutor(1, thread_name_prefix="napari-octree saving") as pool:
        future: Future[np.ndarray] = pool.submit(_read, source)
        future.add_done_callback(lambda _: MAIN_LOOP.post(lambda: None))  # wakes the loop
        MAIN_LOOP.run_until(future.done, LONGEST_S)
        try:
            return future.result()
        except Exception as error:  # stores are foreign code
            raise NotSavedError(
                f"{name}: not saved: its pixels cannot be read: {type(error).__name__}: {error}"
            ) from error


def _read(source: LevelSource) -> np.ndarray:
    """Read a whole level, chunk by chunk."""
    storage = source.storage
    whole = tuple(
        (0, n) if i is None else (i, i + 1)
        for n, i in zip(storage.shape, source.fixed, strict=True)
    )
    result = np.empty([stop - start for start, stop in whole], storage.dtype)
    grid = storage.grid(tuple(min(n, 1024) for n in storage.shape))

    def read(index: tuple[int, ...]) -> None:
        region = grid.region(index)
        pixels = storage.read(region)
        here, there = _overlap(region, whole)
        result[there] = storage.fill_value if pixels is None else pixels[here]

    with ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="napari-octree saving") as pool:
        list(pool.map(read, grid.indices(whole)))
    return result[tuple(slice(None) if i is None else 0 for i in source.fixed)]


def _overlap(region: Region, whole: Region) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where a chunk meets the region that is wanted, in the chunk and in that region."""
    ends = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(region, whole, strict=True)]
    here = tuple(slice(a - r, b - r) for (a, b), (r, _) in zip(ends, region, strict=True))
    there = tuple(slice(a - w, b - w) for (a, b), (w, _) in zip(ends, whole, strict=True))
    return here, there


def _readable(nbytes: int) -> str:
    value = float(nbytes)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} PB"
