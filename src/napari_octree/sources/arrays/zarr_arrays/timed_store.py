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

from napari_octree.sources.arrays.zarr_arrays.fetch_clock import FetchClock
from napari_octree.sources.arrays.zarr_arrays.unpacked_size import UnpackedLimit, unpacked_limit


def timed(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """Return the same array, whose fetches are counted by `FetchClock`."""
    store = TimedStore(array.store)
    store.unpacked_limit = unpacked_limit(array)
    place = StorePath(store, array.path)
    return zarr.Array.from_dict(place, array.metadata.to_dict())


class TimedStore(WrapperStore[Any]):
    """A zarr store that tells the read it serves how long its bytes took.

    Attributes
    ----------
    unpacked_limit : UnpackedLimit or None
        Chunks that would unpack to more are refused.
    """

    unpacked_limit: UnpackedLimit | None = None

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Fetch an object, or a part of it."""
        with _fetching():
            found = await super().get(key, prototype, byte_range)
        return self._checked(found, key, byte_range)

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
                found = parent.get_sync(key, **options)
            return self._checked(found, key, options.get("byte_range"))

    def _checked(self, found: Any, key: str, byte_range: Any) -> Any:
        if found is not None and byte_range is None and self.unpacked_limit is not None:
            chunk = memoryview(found.as_numpy_array()).cast("B")
            self.unpacked_limit.check(chunk, chunk[-4:], key)
        return found


@contextmanager
def _fetching() -> Iterator[None]:
    """Count what is done within as fetching, for the read that it is done for."""
    clock = FetchClock.current()
    started = time.perf_counter()
    yield
    if clock is not None:
        clock.fetched(time.perf_counter() - started)
