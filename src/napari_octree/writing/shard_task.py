"""One shard of a level, computed and written: the unit of a build.

Invariants: picklable, runs in any thread or process; a shard that is in the store is left alone;
what is held in memory is the shard, and one of the level below at a time.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import zarr

from napari_octree.sources.derived.mode import reduce_mode
from napari_octree.sources.derived.reduction import reduce_mean
from napari_octree.sources.protocol import Region
from napari_octree.writing.errors import written_to
from napari_octree.writing.image_to_write import ImageToWrite
from napari_octree.writing.target import Target

TRIES = 4
"""Times that a shard is tried where its source fails as networks do."""


@dataclass(frozen=True)
class ShardTask:
    """One shard of a level, and for level 1 the level-0 shards below it.

    Attributes
    ----------
    image : ImageToWrite
    target : Target
    level : int
    region : Region
    method : str
    """

    image: ImageToWrite
    target: Target
    level: int
    region: Region
    method: str

    def run(self, *below: object) -> bool:
        """Write the shard unless it is there (any thread or process); True if it was written.

        Parameters
        ----------
        *below : object
            Results of the tasks whose shards it is made of: they are done, that is all.
        """
        for attempt in range(TRIES):
            try:
                return self._write()
            except (ConnectionError, TimeoutError):
                if attempt == TRIES - 1:
                    raise
                time.sleep(2**attempt * (0.5 + random.random() / 2))
        raise AssertionError("unreachable")

    def pixels(self) -> np.ndarray:
        """Compute the shard from the image or from the level below; write nothing."""
        if self.level == 0:
            return self._read_image(self.region)
        below = self.target.array(self.level - 1)
        return self._reduced(lambda piece: np.asarray(below[_slices(piece)]))

    def _write(self) -> bool:
        array = self.target.array(self.level)
        below = self.target.array(self.level - 1) if self.level else None
        written = self.target.is_written(self.level, self.region, array)
        if below is not None and self.level == 1 and written:
            written = all(self.target.is_written(0, p, below) for p in self.pieces())
        if written:
            return False
        if below is None:
            self._store(array, self.region, self._read_image(self.region))
        else:
            block = self._reduced(lambda piece: self._piece(piece, below))
            self._store(array, self.region, block)
        return True

    def _reduced(self, read: Callable[[Region], np.ndarray]) -> np.ndarray:
        factors = self.target.plan.levels[self.level].factors
        out = np.empty([stop - start for start, stop in self.region], self.target.dtype)
        for piece in self.pieces():
            part = reduce_block(read(piece), factors, self.method, self._offsets())
            place = tuple(
                slice(start // f - low, start // f - low + n)
                for (start, _), f, (low, _), n in zip(
                    piece, factors, self.region, part.shape, strict=True
                )
            )
            out[place] = part
        return out

    def _offsets(self) -> tuple[int, ...]:
        """Which pixel of a box "nearest" takes: such that levels stay near the boxes' centres."""
        levels = self.target.plan.levels[1 : self.level + 1]
        return tuple(
            nearest_offsets([level.factors[axis] for level in levels])[-1]
            for axis in range(len(self.region))
        )

    def pieces(self) -> list[Region]:
        """Shards of the level below of which the shard is made."""
        plan = self.target.plan
        shape = plan.levels[self.level - 1].shape
        factors = plan.levels[self.level].factors
        whole = tuple(
            (start * f, min(stop * f, n))
            for (start, stop), f, n in zip(self.region, factors, shape, strict=True)
        )
        return list(_cut(whole, plan.shard))

    def _piece(self, region: Region, below: zarr.Array) -> np.ndarray:
        """Pixels of a shard of the level below, which is written first if it is of level 0."""
        if self.level > 1 or self.target.is_written(0, region, below):
            return np.asarray(below[_slices(region)])
        block = self._read_image(region)
        self._store(below, region, block)
        return block

    def _store(self, array: zarr.Array, region: Region, block: np.ndarray) -> None:
        with written_to(self.target.path):
            array[_slices(region)] = block

    def _read_image(self, region: Region) -> np.ndarray:
        block = self.image.read(region)
        if block is None:
            shape = [stop - start for start, stop in region]
            return np.full(shape, self.image.fill_value, self.image.dtype)
        return block


def reduce_block(
    block: np.ndarray, factors: tuple[int, ...], method: str, offsets: tuple[int, ...]
) -> np.ndarray:
    """Make one pixel of each box of `factors` pixels; boxes at the end may be smaller."""
    if method == "mean":
        return reduce_mean(block, factors)
    if method == "mode":
        return reduce_mode(block, factors)
    for axis, (f, offset) in enumerate(zip(factors, offsets, strict=True)):
        index = np.arange(0, block.shape[axis], f) + offset
        block = block.take(np.minimum(index, block.shape[axis] - 1), axis)
    return block


def nearest_offsets(factors: Sequence[int]) -> list[int]:
    """Which of the `f` pixels of the level below each level takes, along one axis.

    Always the lower of two would lead half a pixel away from what a level's pixels cover; this
    keeps within a quarter.
    """
    chosen: list[int] = []
    place, total = 0, 1
    for f in factors:
        centre = (total * f - 1) / 2
        offset = min(range(f), key=lambda o: abs(place + o * total - centre))
        chosen.append(offset)
        place += offset * total
        total *= f
    return chosen


def _slices(region: Region) -> tuple[slice, ...]:
    return tuple(slice(start, stop) for start, stop in region)


def _cut(region: Region, step: Iterable[int]) -> Iterable[Region]:
    """Boxes of a region along multiples of a step."""
    sides = [
        [(a, min(a + s, stop)) for a in range(start, stop, s)]
        for (start, stop), s in zip(region, step, strict=True)
    ]
    return itertools.product(*sides)
