"""Which storage chunks a tile is made of, and which touch its apron.

Invariants: pure geometry over grids; costs what it returns, whatever the size of the array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from itertools import product, repeat
from typing import cast

from napari_octree.loading.assembly import grow, storage_apron
from napari_octree.loading.request import TileRequest
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.protocol import ChunkGrid, ChunkId, Region


class GridMemo:
    """Storage chunks of requests; remembers grids for the length of one `replace`."""

    def __init__(self) -> None:
        self._grids: dict[tuple[int, tuple[int, ...]], tuple[ChunkGrid, bool]] = {}

    def chunk_ids(self, request: TileRequest) -> list[ChunkId]:
        """Return the chunks that hold the request's own pixels (none if in memory)."""
        source = request.source
        storage = source.storage
        if storage.in_memory:
            return []
        name = (id(source), request.hint)
        known = self._grids.get(name)
        if known is None:
            grid = storage.grid(source.storage_shape(request.hint))
            known = self._grids[name] = grid, not source.is_whole
        grid, partly_fixed = known
        region = source.storage_region(request.region) if partly_fixed else request.region
        key = storage.key
        if type(grid) is RegularGrid:
            box = _single_box(grid, region)
            if box is not None:
                return [ChunkId(key, box)]
        cells = boxes(grid, region)
        if request.outward:
            cells = sorted(cells, key=partial(_from_the_middle, region))
        return [ChunkId(key, box) for box in cells]


def neighbours(request: TileRequest, own: Iterable[ChunkId]) -> tuple[ChunkId, ...]:
    """Return the chunks that touch the request's apron, but are not its own."""
    source = request.source
    storage = source.storage
    grid = storage.grid(source.storage_shape(request.hint))
    core = source.storage_region(request.region)
    around = grow(core, storage_apron(source, request.apron), storage.shape)
    regions = [chunk_id.region for chunk_id in own]
    known = regions if len(regions) == 1 else set(regions)  # to hash one takes longer
    others = [box for box in boxes(grid, around) if box not in known]
    return tuple(map(_named, zip(repeat(storage.key), others)))


# Eight for each tile: the constructor of the tuple itself is twice as fast as that of `ChunkId`.
_named = partial(cast("Callable[..., ChunkId]", tuple.__new__), ChunkId)


def _from_the_middle(region: Region, box: Region) -> int:
    """Four times the squared distance between the middles of two boxes."""
    return sum(
        (start + stop - first - last) ** 2
        for (start, stop), (first, last) in zip(region, box, strict=True)
    )


def boxes(grid: ChunkGrid, region: Region) -> Iterable[Region]:
    """Return the boxes of all chunks that touch a region inside the array."""
    if type(grid) is not RegularGrid:
        return map(grid.region, grid.indices(region))
    return product(*map(_cells, region, grid.shape, grid.chunk_shape))


@lru_cache(maxsize=128)
def _cells(extent: tuple[int, int], size: int, chunk: int) -> tuple[tuple[int, int], ...]:
    """One axis of `boxes`; tiles of one row or column have it in common."""
    start, stop = extent
    return tuple(
        (first, min(first + chunk, size)) for first in range(start - start % chunk, stop, chunk)
    )


def _single_box(grid: RegularGrid, region: Region) -> Region | None:
    """Return the one chunk that holds all of `region`, or None: the usual case, made quick."""
    box = []
    same = True
    for pair, size, chunk in zip(region, grid.shape, grid.chunk_shape, strict=True):
        start, stop = pair
        first = start - start % chunk
        last = first + chunk
        if last > size:
            last = size
        if not first <= start < stop <= last:
            return None
        if start == first and stop == last:
            box.append(pair)
        else:
            box.append((first, last))
            same = False
    return region if same else tuple(box)
