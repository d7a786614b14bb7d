"""A zarr store that says how long its bytes took.

Invariants: it stores nothing and changes nothing; an array on it reads what the array it was
made of reads, by the same requests. Newer versions of zarr have more ways to ask a store: for
several ranges of a shard at once (3.2), and without an event loop (3.4).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import zarr
from zarr.storage import StorePath, WrapperStore

from napari_octree.sources.arrays.zarr_arrays.bounded_codecs import with_bounded_codecs
from napari_octree.sources.arrays.zarr_arrays.fetch_clock import FetchClock


def timed(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """Return the same array, whose fetches are counted by `FetchClock`, with bounded codecs."""
    return with_bounded_codecs(array, StorePath(TimedStore(array.store), array.path))


class TimedStore(WrapperStore[Any]):
    """A zarr store that tells the read it serves how long its bytes took."""

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Fetch an object, or a part of it."""
        with _fetching():
            return await super().get(key, prototype, byte_range)

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[Any]) -> Any:
        """Fetch parts of objects."""
        with _fetching():
            return await super().get_partial_values(prototype, key_ranges)

    async def get_ranges(self, key: str, byte_ranges: Any, **options: Any) -> AsyncIterator[Any]:
        """Fetch parts of one object, as the wrapped store joins them."""
        parent: Any = super()  # zarr 3.1 does not have it
        groups = parent.get_ranges(key, byte_ranges, **options)
        while True:
            try:
                with _fetching():
                    group = await anext(groups)
            except StopAsyncIteration:
                return
            yield group

    # Only where zarr's wrapper has it too: a store that has it is asked nothing else.
    if hasattr(WrapperStore, "get_sync"):

        def get_sync(self, key: str, **options: Any) -> Any:
            """Fetch an object, or a part of it, in this thread."""
            parent: Any = super()
            with _fetching():
                return parent.get_sync(key, **options)


@contextmanager
def _fetching() -> Iterator[None]:
    """Count what is done within as fetching, for the read that it is done for."""
    clock = FetchClock.current()
    started = time.perf_counter()
    yield
    if clock is not None:
        clock.fetched(time.perf_counter() - started)
