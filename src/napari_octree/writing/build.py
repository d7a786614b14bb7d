"""Builds a pyramid out of core: a dask graph with one task for each shard.

Invariants: what is held in memory is a few shards for each worker, whatever the image's size; a
finished shard is not computed again, so a build that was killed goes on where it was; the same
image gives the same bytes with threads and on a cluster. Attributes are written last.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
import zarr

from napari_octree.sources.derived.mode import reduce_mode
from napari_octree.sources.derived.reduction import reduce_mean
from napari_octree.sources.protocol import Region
from napari_octree.writing.errors import CancelledError, WritingError
from napari_octree.writing.image_to_write import ImageToWrite
from napari_octree.writing.ome_attributes import VERSIONS, group_attributes
from napari_octree.writing.pyramid_plan import PyramidPlan, plan_pyramid
from napari_octree.writing.target import Target

TRIES = 4
"""Times that a shard is tried where its source fails as networks do."""

Progress = Callable[[int, int], None]
"""Told the number of finished tasks and of all."""


@dataclass(frozen=True)
class BuildOptions:
    """How a pyramid is built.

    Attributes
    ----------
    version : {"0.5", "0.4", "0.6"}
        Of OME-Zarr.
    method : {"mean", "nearest", "mode"}
        How a coarser pixel is made; nearest or mode for labels.
    chunk, shard : int, optional
        Sides, in pixels; see `plan_pyramid`.
    sharded : bool
        Whether chunks lie in shards (0.4 knows none).
    factors : sequence of sequence of int, optional
        See `plan_pyramid`.
    overwrite : bool
        Delete what is there.
    label : bool
        It is a label image.
    """

    version: str = "0.5"
    method: str = "mean"
    chunk: int | None = None
    shard: int | None = None
    sharded: bool = True
    factors: Sequence[Sequence[int]] | None = None
    overwrite: bool = False
    label: bool = False


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
            written = all(self.target.is_written(0, p, below) for p in self._pieces())
        if written:
            return False
        if below is None:
            array[_slices(self.region)] = self._read_image(self.region)
        else:
            array[_slices(self.region)] = self._reduced(lambda piece: self._piece(piece, below))
        return True

    def _reduced(self, read: Callable[[Region], np.ndarray]) -> np.ndarray:
        factors = self.target.plan.levels[self.level].factors
        out = np.empty([stop - start for start, stop in self.region], self.target.dtype)
        for piece in self._pieces():
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

    def _pieces(self) -> list[Region]:
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
        below[_slices(region)] = block
        return block

    def _read_image(self, region: Region) -> np.ndarray:
        block = self.image.read(region)
        if block is None:
            shape = [stop - start for start, stop in region]
            return np.full(shape, self.image.fill_value, self.image.dtype)
        return block


def build_pyramid(
    image: ImageToWrite,
    path: str,
    options: BuildOptions | None = None,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> PyramidPlan:
    """Write an image and its coarser levels as OME-Zarr.

    Parameters
    ----------
    image : ImageToWrite
    path : str
        A folder on this machine, or one that all workers of the cluster reach under this name.
    options : BuildOptions, optional
    workers : int
        Threads; without meaning for a cluster.
    scheduler : str, optional
        Address of a `distributed` scheduler, whose workers do the work instead.
    progress : callable, optional
        Called in this thread or in workers, after each task.
    cancelled : callable, optional
        Asked between tasks; what is written stays, and the build can go on later.

    Returns
    -------
    PyramidPlan

    Raises
    ------
    WritingError
        Nothing can be written there, or the options do not fit.
    CancelledError
    SourceError, OSError
        The source cannot be read.
    """
    options = options or BuildOptions()
    if options.version not in VERSIONS:
        raise WritingError(f"version {options.version!r}: it must be one of {', '.join(VERSIONS)}")
    if options.method not in ("mean", "nearest", "mode"):
        raise WritingError(f"method {options.method!r}: it must be mean, nearest or mode")
    if image.dtype.kind not in "buif":
        raise WritingError(f"{image.name}: pixels of type {image.dtype} cannot be written")
    measured = all(
        unit is not None
        for unit, axis in zip(image.units, image.axes, strict=True)
        if axis in "zyx"
    )
    plan = plan_pyramid(
        image.shape,
        image.axes,
        image.scale,
        measured=measured,
        chunk=options.chunk,
        shard=options.shard,
        factors=options.factors,
    )
    sharded = options.sharded and options.version != "0.4"
    target = Target(path, plan, image.dtype.str, options.version, sharded)
    recipe = {
        **image.identity(),
        "version": options.version,
        "method": options.method,
        "chunk": list(plan.chunk),
        "shard": list(plan.shard),
        "sharded": sharded,
        "levels": [list(level.shape) for level in plan.levels],
        "factors": [list(level.factors) for level in plan.levels],
    }
    if not target.create(recipe, image.axes, options.overwrite):
        return plan
    tasks = graph(image, target, options.method)
    if scheduler is None:
        _run_in_threads(tasks, workers, progress, cancelled)
    else:
        _run_on_cluster(tasks, scheduler, progress, cancelled)
    attributes = group_attributes(image, plan, options.version, options.method, options.label)
    target.finish(attributes, recipe)
    return plan


def graph(image: ImageToWrite, target: Target, method: str) -> list[Any]:
    """Return one `dask.delayed` task per shard, each after those that it is made of."""
    from dask.delayed import delayed

    levels = target.plan.levels
    made: dict[tuple[int, Region], Any] = {}
    run = uuid4().hex[:8]  # other builds may run on the same cluster
    tasks = []
    for number in range(min(1, len(levels) - 1), len(levels)):
        for region in target.shards(number):
            task = ShardTask(image, target, number, region, method)
            below = [] if number < 2 else [made[number - 1, piece] for piece in task._pieces()]
            name = f"build-{run}-level-{number}-{'-'.join(str(start) for start, _ in region)}"
            tasks.append(delayed(task.run, pure=False)(*below, dask_key_name=name))
            made[number, region] = tasks[-1]
    return tasks


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


def _run_in_threads(
    tasks: list[Any],
    workers: int,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    import dask
    from dask.callbacks import Callback

    done = 0

    def before(*_: object) -> None:
        if cancelled is not None and cancelled():
            raise CancelledError

    def after(*_: object) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(min(done, len(tasks)), len(tasks))

    with Callback(pretask=before, posttask=after):
        dask.compute(*tasks, scheduler="threads", num_workers=workers, optimize_graph=False)


def _run_on_cluster(
    tasks: list[Any],
    address: str,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise WritingError(
            "a scheduler needs dask.distributed; try\n  pip install 'napari-octree[cluster]'"
        ) from error
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise WritingError(f"{address}: no dask scheduler answers: {error}") from error
    with client:
        futures = client.compute(tasks, optimize_graph=False)
        for done, future in enumerate(as_completed(futures, loop=client.loop), 1):
            if cancelled is not None and cancelled():
                client.cancel(futures)
                raise CancelledError
            future.result()
            if progress is not None:
                progress(done, len(tasks))


def _slices(region: Region) -> tuple[slice, ...]:
    return tuple(slice(start, stop) for start, stop in region)


def _cut(region: Region, step: Iterable[int]) -> Iterable[Region]:
    """Boxes of a region along multiples of a step."""
    sides = [
        [(a, min(a + s, stop)) for a in range(start, stop, s)]
        for (start, stop), s in zip(region, step, strict=True)
    ]
    return itertools.product(*sides)
