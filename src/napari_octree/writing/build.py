"""Builds a pyramid out of core: a dask graph with one task for each shard.

Invariants: what is held in memory is a few shards for each worker, whatever the image's size; a
finished shard is not computed again, so a build that was killed goes on where it was; the same
image gives the same bytes with threads and on a cluster. Attributes are written last, those of the
image after those of its labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from napari_octree.sources.protocol import Region
from napari_octree.writing.errors import WritingError
from napari_octree.writing.image_to_write import ImageToWrite
from napari_octree.writing.ome_attributes import VERSIONS, group_attributes
from napari_octree.writing.pyramid_plan import PyramidPlan, plan_pyramid
from napari_octree.writing.running import Progress, run_in_threads, run_on_cluster
from napari_octree.writing.shard_task import ShardTask
from napari_octree.writing.source_paths import refuse_own_source
from napari_octree.writing.target import Target, label_path, write_list_of_labels

METHODS = ("auto", "mean", "nearest", "mode")


@dataclass(frozen=True)
class BuildOptions:
    """How a pyramid is built.

    Attributes
    ----------
    version : {"0.5", "0.4", "0.6"}
        Of OME-Zarr.
    method : {"auto", "mean", "nearest", "mode"}
        How a coarser pixel is made; "auto" is the mean for images and the mode for labels, which
        are never averaged.
    chunk, shard : int, optional
        Sides, in pixels; see `plan_pyramid`.
    sharded : bool
        Whether chunks lie in shards (0.4 knows none).
    factors : sequence of sequence of int, optional
        See `plan_pyramid`.
    overwrite : bool
        Delete what is there.
    label : bool
        It is a label image, whatever its file says.
    """

    version: str = "0.5"
    method: str = "auto"
    chunk: int | None = None
    shard: int | None = None
    sharded: bool = True
    factors: Sequence[Sequence[int]] | None = None
    overwrite: bool = False
    label: bool = False

    def method_for(self, image: ImageToWrite) -> str:
        """How coarser pixels of an image are made."""
        if image.is_label or self.label:
            return "mode" if self.method in ("auto", "mean") else self.method
        return "mean" if self.method == "auto" else self.method


@dataclass(frozen=True, eq=False)
class _Part:
    """An image, or one of its label images, and where it goes."""

    image: ImageToWrite
    target: Target
    method: str
    label: bool
    recipe: dict[str, Any]

    def finish(self) -> None:
        version = self.target.version
        attributes = group_attributes(
            self.image, self.target.plan, version, self.method, self.label
        )
        self.target.finish(attributes, self.recipe)


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
    """Write an image and its coarser levels as OME-Zarr, with the label images beside it.

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
        Of the image.

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
    if options.method not in METHODS:
        raise WritingError(f"method {options.method!r}: it must be one of {', '.join(METHODS)}")
    refuse_own_source(image, path)
    labels = [
        _part(label, label_path(path, label.name), _for_label(options, image, label))
        for label in image.labels
    ]
    main = _part(image, path, options)
    if labels:
        main.recipe["labels"] = [part.recipe for part in labels]
    if not main.target.create(main.recipe, image.axes, options.overwrite):
        return main.target.plan
    if labels:
        write_list_of_labels(path, options.version, None)
    tasks = []
    for part in (main, *labels):
        if part is main or part.target.create(part.recipe, part.image.axes, False):
            tasks += graph(part.image, part.target, part.method)
    if scheduler is None:
        run_in_threads(tasks, workers, progress, cancelled)
    else:
        run_on_cluster(tasks, scheduler, progress, cancelled)
    for part in labels:
        part.finish()
    if labels:
        write_list_of_labels(path, options.version, [part.image.name for part in labels])
    main.finish()
    return main.target.plan


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
            below = [] if number < 2 else [made[number - 1, piece] for piece in task.pieces()]
            name = f"build-{run}-level-{number}-{'-'.join(str(start) for start, _ in region)}"
            tasks.append(delayed(task.run, pure=False)(*below, dask_key_name=name))
            made[number, region] = tasks[-1]
    return tasks


def _part(image: ImageToWrite, path: str, options: BuildOptions) -> _Part:
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
    method = options.method_for(image)
    recipe = {
        **image.identity(),
        "version": options.version,
        "method": method,
        "chunk": list(plan.chunk),
        "shard": list(plan.shard),
        "sharded": sharded,
        "levels": [list(level.shape) for level in plan.levels],
        "factors": [list(level.factors) for level in plan.levels],
    }
    target = Target(path, plan, image.dtype.str, options.version, sharded)
    return _Part(image, target, method, image.is_label or options.label, recipe)


def _for_label(options: BuildOptions, image: ImageToWrite, label: ImageToWrite) -> BuildOptions:
    """The options of an image, for labels beside it, which may have fewer axes."""
    factors = options.factors
    if factors is not None:
        places = [image.axes.find(letter) for letter in label.axes]
        steps = [tuple(step[p] if p >= 0 else 1 for p in places) for step in factors]
        factors = [step for step in steps if max(step) > 1]
    return BuildOptions(
        options.version, options.method, options.chunk, options.shard, options.sharded, factors
    )
