"""A zarr store that says how long its bytes took.

Invariants: it stores nothing and changes nothing; an array on it reads what the array it was
made of reads.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import zarr
from zarr.storage import StorePath, WrapperStore

from napari_octree.sources.fetch_clock import FetchClock


def timed(array: zarr.Array) -> zarr.Array:
    """Return the same array, whose fetches are counted by `FetchClock`."""
    place = StorePath(TimedStore(array.store), array.path)
    return zarr.Array.from_dict(place, array.metadata.to_dict())


class TimedStore(WrapperStore[Any]):
    """A zarr store that tells the read it serves how long its bytes took."""

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Fetch an object, or a part of it."""
        clock = FetchClock.current()
        started = time.perf_counter()
        value = await super().get(key, prototype, byte_range)
        if clock is not None:
            clock.fetched(time.perf_counter() - started)
        return value

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[Any]) -> Any:
        """Fetch parts of objects."""
        clock = FetchClock.current()
        started = time.perf_counter()
        values = await super().get_partial_values(prototype, key_ranges)
        if clock is not None:
            clock.fetched(time.perf_counter() - started)
        return values
