"""Build the trees of points that do not fit in memory: five passes, each of many small tasks.

Invariants: every task writes one file or the nodes of one subtree, and is skipped where its file
is there; what it writes depends on the points and the options only. So a build that was killed
goes on where it was, and ends with the same bytes. Memory is bounded by a block, or a bucket, for
each worker.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.octree.points.density_grid import DensityGrid, DensityPlan
from napari_octree.octree.points.point_grid import PointGrid
from napari_octree.octree.points.point_tree import QUOTA
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.blocks_of import blocks_of
from napari_octree.sources.points.point_blocks import PointBlocks
from napari_octree.sources.points.points_source import (
    INDEX,
    POSITION,
    PointsSource,
    column_of,
    record_dtype,
)
from napari_octree.sources.points.zarr_points import open_zarr_points
from napari_octree.writing.errors import WritingError, written_to
from napari_octree.writing.points.buckets import (
    Bucket,
    ancestors,
    choose_buckets,
    count_depth,
    thresholds,
    unique_cells,
)
from napari_octree.writing.points.node_store import NodeStore
from napari_octree.writing.points.survey import Survey, merge
from napari_octree.writing.points.task_runner import Report, TaskRunner
from napari_octree.writing.points.tasks import (
    Built,
    Spread,
    bucket_task,
    count_task,
    least_task,
    spread_task,
    survey_task,
    task,
)
from napari_octree.writing.points.top_nodes import sample_of, write_top_nodes
from napari_octree.writing.points.work_folder import WorkFolder

BUCKET = 2_000_000
"""Points of a bucket at most."""


@dataclass(frozen=True)
class PointsOptions:
    """How points are indexed.

    Attributes
    ----------
    planes : tuple of int or None
        Axes whose planes get trees of their own; see `choose_planes`.
    quota : int
        Points of an inner node.
    bucket : int
        Points that a worker holds at most, beside a block of the input.
    overwrite : bool
        Delete what is at the target.
    """

    planes: tuple[int, ...] | None = None
    quota: int = QUOTA
    bucket: int = BUCKET
    overwrite: bool = False


def build_points(
    source: Any,
    target: str | os.PathLike[str],
    options: PointsOptions | None = None,
    *,
    features: Any = None,
    axes: Sequence[str] | None = None,
    workers: int = 2,
    progress: Report | None = None,
) -> PointsSource:
    """Index points and write them as zarr, out of core.

    Parameters
    ----------
    source : array-like, DataFrame, path, or sequence of columns
        As `napari_octree.sources.points.blocks_of.blocks_of` takes it.
    target : path
        A folder that is not there yet, or that of a build that was interrupted.
    options : PointsOptions, optional
    features, axes
        Columns; see `blocks_of`.
    workers : int
        Threads. With an active `distributed.Client` its workers do the work.
    progress : callable, optional
        Called with the number of finished tasks and of all.

    Returns
    -------
    PointsSource
        What was written.

    Raises
    ------
    SourceError
        These are no points.
    WritingError
        There is something at the target, or an interrupted build of other points.
    """
    options = options or PointsOptions()
    blocks = blocks_of(source, features, axes)
    build = _Build(blocks, Path(target).expanduser(), options, workers, progress)
    build.run()
    return open_zarr_points(str(target))


class _Build:
    """One build.

    Parameters
    ----------
    blocks : PointBlocks
    target : Path
    options : PointsOptions
    workers : int
    progress : callable or None
    """

    def __init__(
        self,
        blocks: PointBlocks,
        target: Path,
        options: PointsOptions,
        workers: int,
        progress: Report | None,
    ) -> None:
        self.blocks, self.target, self.options = blocks, target, options
        self._work = WorkFolder(target)
        self._runner = TaskRunner(workers, progress)
        self._runner.total = 4 * len(blocks)

    def run(self) -> None:
        """Do all passes."""
        if self.target.exists():
            if not self.options.overwrite:
                raise WritingError(f"{self.target}: is there already")
            shutil.rmtree(self.target)
        options = self.options
        name, count = self.blocks.name, len(self.blocks)
        self._work.begin((name, count, options.planes, options.quota, options.bucket))
        surveys = self._survey()
        survey = merge(surveys) if surveys else _nothing()
        grid = survey.grid(self.options.planes)
        buckets = self._choose_buckets(survey, grid)
        self._runner.total = 3 * len(self.blocks) + 2 * len(buckets)
        dtype = record_dtype(
            survey.ndim,
            np.dtype(survey.position_dtype),
            survey.features,
            (POSITION, INDEX, *(column_of(f.name) for f in survey.features)),
        )
        pieces = self._spread(surveys, Spread(grid, survey, dtype, buckets))
        store = NodeStore(
            str(self._work.store), grid, survey.low, survey.high, survey.features, dtype
        )
        plan = _density_plan(survey, grid, buckets)
        with written_to(store.folder):
            store.reopen()  # it may have been interrupted at its very end
        tables = self._build_trees(pieces, buckets, store, plan)
        self._end(store, survey, tables, plan)

    # ------------------------------------------------------------------ passes

    def _survey(self) -> list[Survey]:
        """Look at each block: how many points, where, with which features."""
        numbers = range(len(self.blocks))
        return self._runner.each(
            [task(survey_task, self.blocks, i, self._work.file("survey", i)) for i in numbers]
        )

    def _choose_buckets(self, survey: Survey, grid: PointGrid) -> tuple[Bucket, ...]:
        """Count the points of cells, and choose cells that a worker can hold."""
        options = self.options
        roots = len(unique_cells(grid.cells(_corners(survey), 0))[0])
        depth = count_depth(grid, roots, options.quota, options.bucket)
        counted = self._runner.each(
            [
                task(count_task, self.blocks, i, grid, depth, self._work.file("count", i))
                for i in range(len(self.blocks))
            ]
        )
        counts: dict[tuple[int, ...], int] = {}
        for part in counted:
            for cell, count in part:
                counts[cell] = counts.get(cell, 0) + count
        return choose_buckets(grid, counts, depth, options.bucket)

    def _spread(self, surveys: Sequence[Survey], spread: Spread) -> list[str]:
        """Sort the points of each block by bucket. Returns the files."""
        firsts = np.concatenate([[0], np.cumsum([s.count for s in surveys])]).astype(int)
        files = [self._work.file("spread", i) for i in range(len(self.blocks))]
        self._runner.each(
            [
                task(spread_task, self.blocks, i, int(firsts[i]), spread, file)
                for i, file in enumerate(files)
            ]
        )
        return [str(file) for file in files]

    def _build_trees(
        self,
        pieces: list[str],
        buckets: Sequence[Bucket],
        store: NodeStore,
        plan: DensityPlan | None,
    ) -> list[Built]:
        """Build and write the tree of each bucket; what is above them is still to be written."""
        grid, quota = store.grid, self.options.quota
        least = self._runner.each(
            [
                task(least_task, pieces, k, bucket, quota, self._work.file("least", k))
                for k, bucket in enumerate(buckets)
            ]
        )
        limits = thresholds(grid, buckets, least, quota)
        return self._runner.each(
            [
                task(
                    bucket_task,
                    pieces,
                    k,
                    bucket,
                    [(node, limits[node]) for node in ancestors(grid, bucket)],
                    store,
                    quota,
                    plan,
                    self._work.file("built", k),
                )
                for k, bucket in enumerate(buckets)
            ]
        )

    def _end(
        self,
        store: NodeStore,
        survey: Survey,
        tables: Sequence[Built],
        plan: DensityPlan | None,
    ) -> None:
        """Write the nodes above the buckets, the table and the metadata; move all to its place."""
        table = write_top_nodes(store, tables)
        sample = sample_of(store, tables)
        identity = hashlib.sha256(
            table.counts.tobytes() + table.lows.tobytes() + sample.tobytes()
        ).hexdigest()[:16]
        parts = [built.density for built in tables if built.density is not None]
        density = None if plan is None else DensityGrid.of_parts(plan, parts)
        store.finish(table, sample, survey.valid, identity, density)
        self._work.end()


def _density_plan(
    survey: Survey, grid: PointGrid, buckets: Sequence[Bucket]
) -> DensityPlan | None:
    """Choose the cells in which points are counted, for each plane that has any."""
    plane_axes = [axis for axis in range(grid.ndim) if not grid.split[axis]]
    planes = [[bucket.cell[axis] for axis in plane_axes] for bucket in buckets]
    return DensityPlan.of(grid, np.array(survey.low), np.array(survey.high), planes)


def _corners(survey: Survey) -> np.ndarray:
    """Return the corners of the points' box, along which roots are counted."""
    low, high = np.array(survey.low), np.array(survey.high)
    if not survey.valid:
        return np.zeros((1, survey.ndim))
    return np.array([low, high])


def _nothing() -> Survey:
    raise SourceError("there are no points: at least one block is needed")
