"""Build the trees of points that do not fit in memory: five passes, each of many small tasks.

Invariants: every task writes one file or the nodes of one subtree, and is skipped where its file
is there; what it writes depends on the points and the options only. So a build that was killed
goes on where it was, and ends with the same bytes. Memory is bounded by a block, or a bucket, for
each worker.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from napari_octree.octree.points.density_grid import DensityGrid, DensityPlan
from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_grid import PointGrid
from napari_octree.octree.points.point_tree import QUOTA, hashes_of, sample_rows
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.blocks_of import blocks_of
from napari_octree.sources.points.point_blocks import PointBlocks
from napari_octree.sources.points.points_source import (
    INDEX,
    POSITION,
    SAMPLE,
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
from napari_octree.writing.points.partial import sweep, whole
from napari_octree.writing.points.survey import Survey, merge
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

T = TypeVar("T")

BUCKET = 2_000_000
"""Points of a bucket at most."""

PARTS = ("survey", "count", "spread", "least", "built", "store")
"""Folders of what is half done."""

Report = Callable[[int, int], None]


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
        self.work = target.with_name(f"{target.name}.building")
        self._workers, self._progress = workers, progress
        self._done = 0
        self._total = 4 * len(blocks)

    def run(self) -> None:
        """Do all passes."""
        if self.target.exists():
            if not self.options.overwrite:
                raise WritingError(f"{self.target}: is there already")
            shutil.rmtree(self.target)
        self._begin()
        surveys = self._survey()
        survey = merge(surveys) if surveys else _nothing()
        grid = survey.grid(self.options.planes)
        buckets = self._choose_buckets(survey, grid)
        self._total = 3 * len(self.blocks) + 2 * len(buckets)
        dtype = record_dtype(
            survey.ndim,
            np.dtype(survey.position_dtype),
            survey.features,
            (POSITION, INDEX, *(column_of(f.name) for f in survey.features)),
        )
        pieces = self._spread(surveys, Spread(grid, survey, dtype, buckets))
        store = NodeStore(
            str(self.work / "store"), grid, survey.low, survey.high, survey.features, dtype
        )
        plan = _density_plan(survey, grid, buckets)
        with written_to(store.folder):
            store.reopen()  # it may have been interrupted at its very end
        tables = self._build_trees(pieces, buckets, store, plan)
        self._end(store, survey, tables, plan)

    # ------------------------------------------------------------------ passes

    def _begin(self) -> None:
        """Have a folder for what is half done; that of another build is not touched."""
        options = self.options
        named = self.blocks.name, len(self.blocks), options.planes, options.quota, options.bucket
        text = json.dumps(named)
        name = self.work / "build.json"
        with written_to(self.work):
            if name.exists() and (self.work / "store").is_dir():
                if name.read_text(encoding="utf-8") != text:
                    raise WritingError(
                        f"{self.work}: holds an interrupted build of other points or with other "
                        "options; delete it to begin anew"
                    )
                sweep(self.work)
                return
            for part in PARTS:  # of a build that was interrupted before its begin or after its end
                shutil.rmtree(self.work / part, ignore_errors=True)
                (self.work / part).mkdir(parents=True)
            with whole(name) as made:
                made.write_text(text, encoding="utf-8")

    def _survey(self) -> list[Survey]:
        """Look at each block: how many points, where, with which features."""
        numbers = range(len(self.blocks))
        return self._each(
            [task(survey_task, self.blocks, i, self._file("survey", i)) for i in numbers]
        )

    def _choose_buckets(self, survey: Survey, grid: PointGrid) -> tuple[Bucket, ...]:
        """Count the points of cells, and choose cells that a worker can hold."""
        options = self.options
        roots = len(unique_cells(grid.cells(_corners(survey), 0))[0])
        depth = count_depth(grid, roots, options.quota, options.bucket)
        counted = self._each(
            [
                task(count_task, self.blocks, i, grid, depth, self._file("count", i))
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
        files = [self._file("spread", i) for i in range(len(self.blocks))]
        self._each(
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
        least = self._each(
            [
                task(least_task, pieces, k, bucket, quota, self._file("least", k))
                for k, bucket in enumerate(buckets)
            ]
        )
        limits = thresholds(grid, buckets, least, quota)
        return self._each(
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
                    self._file("built", k),
                )
                for k, bucket in enumerate(buckets)
            ]
        )

    def _file(self, part: str, number: int) -> Path:
        return self.work / part / f"{number}.npy"

    def _each(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Do tasks, a few at a time, in their order."""
        import dask

        results: list[T] = []
        step = max(4 * self._workers, 1)
        settings: dict[str, Any] = {"num_workers": self._workers}
        pool: ThreadPoolExecutor | None = None
        try:
            from distributed import default_client

            default_client()
        except (ImportError, ValueError):
            if self._workers > 1:
                # Leaving it waits for what runs, which dask does not do after an error.
                pool = ThreadPoolExecutor(self._workers, "octree-points")
                settings = {"scheduler": "threads", "pool": pool}
            else:
                settings = {"scheduler": "synchronous"}
        with pool or contextlib.nullcontext():
            for start in range(0, len(tasks), step):
                some = [dask.delayed(task, pure=False)() for task in tasks[start : start + step]]
                results += dask.compute(*some, **settings)
                self._done += len(some)
                if self._progress is not None:
                    self._progress(self._done, max(self._total, self._done))
        return results

    def _end(
        self,
        store: NodeStore,
        survey: Survey,
        tables: Sequence[Built],
        plan: DensityPlan | None,
    ) -> None:
        """Write the nodes above the buckets, the table and the metadata; move all to its place."""
        tops: dict[tuple[int, tuple[int, ...]], list[np.ndarray]] = {}
        for built in tables:
            for node, part in built.tops:
                tops.setdefault(node, []).append(part)
        rows: dict[tuple[int, tuple[int, ...]], int] = {}
        depths: list[int] = []
        cells: list[Sequence[int]] = []
        counts: list[int] = []
        lows: list[np.ndarray] = []
        highs: list[np.ndarray] = []
        parents: list[int] = []
        halves = np.where(store.grid.split, 2, 1)
        for node in sorted(tops):
            records = np.concatenate(tops[node])
            records = records[np.argsort(hashes_of(records[INDEX]))]
            store.write(*node, records)
            depth, cell = node
            rows[node] = len(depths)
            parent = (depth - 1, tuple(int(v) for v in np.array(cell) // halves))
            depths.append(depth)
            cells.append(cell)
            counts.append(len(records))
            lows.append(records[POSITION].min(axis=0))
            highs.append(records[POSITION].max(axis=0))
            parents.append(rows.get(parent, -1))
        parts = [_columns(depths, cells, counts, lows, highs, parents, survey.ndim)]
        first = len(depths)
        for built in tables:
            own = built.own
            above = rows.get(built.parent, -1) if built.parent is not None else -1
            linked = np.where(own["parents"] < 0, above, own["parents"] + first)
            parts.append({**own, "parents": linked})
            first += len(own["depths"])
        whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        table, _ = NodeTable.in_order(**whole)
        samples = [built.sample for built in tables]
        sample = np.concatenate(samples) if samples else np.zeros(0, store.dtype)
        sample = sample[sample_rows(hashes_of(sample[INDEX]), SAMPLE)]
        identity = hashlib.sha256(
            table.counts.tobytes() + table.lows.tobytes() + sample.tobytes()
        ).hexdigest()[:16]
        parts_of_density = [built.density for built in tables if built.density is not None]
        density = None if plan is None else DensityGrid.of_parts(plan, parts_of_density)
        store.finish(table, sample, survey.valid, identity, density)
        with written_to(self.target):
            sweep(Path(store.folder))  # a cluster's worker may have been killed
            os.rename(store.folder, self.target)
        shutil.rmtree(self.work, ignore_errors=True)  # what is left of it is not taken for a build


def _columns(
    depths: Sequence[int],
    cells: Sequence[Sequence[int]],
    counts: Sequence[int],
    lows: Sequence[np.ndarray],
    highs: Sequence[np.ndarray],
    parents: Sequence[int],
    ndim: int,
) -> dict[str, np.ndarray]:
    return {
        "depths": np.array(depths, np.int64),
        "cells": np.array(cells, np.int64).reshape(-1, ndim),
        "counts": np.array(counts, np.int64),
        "lows": np.array(lows, float).reshape(-1, ndim),
        "highs": np.array(highs, float).reshape(-1, ndim),
        "parents": np.array(parents, np.int64),
    }


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
