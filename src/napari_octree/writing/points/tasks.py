"""The tasks of a build of points: each writes one file, or the nodes of one subtree.

Invariants: any process; what a task writes depends on its arguments only; its file is there whole
or not at all, and then the task is not done again.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.octree.points.density_grid import DensityPlan
from napari_octree.octree.points.point_grid import PointGrid
from napari_octree.octree.points.point_tree import build_trees, hashes_of, sample_rows
from napari_octree.sources.points.point_blocks import PointBlocks
from napari_octree.sources.points.points_source import INDEX, POSITION, SAMPLE
from napari_octree.writing.points.buckets import Bucket, BucketFinder, unique_cells
from napari_octree.writing.points.node_store import NodeStore
from napari_octree.writing.points.partial import whole
from napari_octree.writing.points.survey import Survey, records_of, survey_block

Cell = tuple[int, ...]

Node = tuple[int, Cell]
"""A node of the trees: its depth and its cell there."""


@dataclass(frozen=True)
class Spread:
    """How points are spread over buckets."""

    grid: PointGrid
    survey: Survey
    dtype: np.dtype
    buckets: tuple[Bucket, ...]


@dataclass(frozen=True, eq=False)
class Built:
    """A bucket that has been built.

    Attributes
    ----------
    own : {column: array}
        Of the table of its nodes, with the boxes of their own points.
    parent : (depth, cell) or None
        The node above it.
    tops : list of ((depth, cell), records)
        What it gives to the nodes above it.
    sample : structured array
        Its points with the least hashes.
    density : ((plane, row, column), counts) or None
        As `DensityPlan.count` returns it, of all its points.
    """

    own: dict[str, np.ndarray]
    parent: Node | None
    tops: list[tuple[Node, np.ndarray]]
    sample: np.ndarray
    density: tuple[tuple[int, int, int], np.ndarray] | None


@dataclass(frozen=True, eq=False)
class _Task:
    """A call that is made once: its result is kept in a file."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    file: str

    def __call__(self) -> Any:
        path = Path(self.file)
        if path.exists():
            return _loaded(path)
        return self.function(*self.arguments, path)


def task(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Return a call that is made once: the last argument is the file of its result."""
    return _Task(function, arguments[:-1], str(arguments[-1]))


def _kept(path: Path, value: Any) -> Any:
    """Write a result to its file."""
    with whole(path) as made, made.open("wb") as file:
        pickle.dump(value, file, protocol=5)
    return value


def _loaded(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


def survey_task(blocks: PointBlocks, number: int, file: Path) -> Survey:
    """Look at a block."""
    return _kept(file, survey_block(blocks.read(number)))


def count_task(
    blocks: PointBlocks, number: int, grid: PointGrid, depth: int, file: Path
) -> list[tuple[Cell, int]]:
    """Count the points of a block in the cells of a depth."""
    positions = np.asarray(blocks.read(number).positions)
    positions = positions[np.isfinite(positions).all(axis=1)]
    cells, inverse = unique_cells(grid.cells(positions, depth))
    counts = np.bincount(inverse, minlength=len(cells)).tolist()
    pairs = [(tuple(cell), n) for cell, n in zip(cells.tolist(), counts, strict=True)]
    return _kept(file, pairs)


def spread_task(blocks: PointBlocks, number: int, first: int, how: Spread, file: Path) -> None:
    """Write the points of a block in the order of buckets, and where each bucket begins."""
    records = records_of(blocks.read(number), first, how.survey, how.dtype)
    numbers = BucketFinder(how.grid, how.buckets).find(records[POSITION])
    order = np.argsort(numbers, kind="stable")
    edges = numbers[order].searchsorted(np.arange(len(how.buckets) + 1))
    with whole(file.with_suffix(".records")) as made, made.open("wb") as opened:
        np.save(opened, records[order])
    _kept(file, edges)


def _points(pieces: Sequence[str], bucket: int) -> np.ndarray:
    """Return the points of a bucket, from all blocks."""
    parts = []
    for piece in pieces:
        edges = _loaded(Path(piece))
        start, stop = int(edges[bucket]), int(edges[bucket + 1])
        if start < stop:
            records = np.load(Path(piece).with_suffix(".records"), mmap_mode="r")
            parts.append(np.array(records[start:stop]))
    return np.concatenate(parts)


def least_task(
    pieces: Sequence[str], number: int, bucket: Bucket, quota: int, file: Path
) -> np.ndarray:
    """Return the least hashes of a bucket: as many as the nodes above it may take."""
    if not bucket.depth:
        return _kept(file, np.zeros(0, np.uint64))
    hashes = hashes_of(_points(pieces, number)[INDEX])
    most = min(quota * bucket.depth, len(hashes))
    return _kept(file, np.sort(np.partition(hashes, most - 1)[:most]))


def bucket_task(
    pieces: Sequence[str],
    number: int,
    bucket: Bucket,
    above: Sequence[tuple[Node, int]],
    store: NodeStore,
    quota: int,
    plan: DensityPlan | None,
    file: Path,
) -> Built:
    """Build and write the subtree of a bucket."""
    records = _points(pieces, number)
    hashes = hashes_of(records[INDEX])
    sample = records[sample_rows(hashes, SAMPLE)]
    density = None if plan is None else plan.count(records[POSITION])
    tops = []
    for node, limit in above:
        taken = hashes <= np.uint64(limit)
        tops.append((node, records[taken]))
        records, hashes = records[~taken], hashes[~taken]
    table, order = build_trees(records[POSITION], hashes, store.grid, quota, bucket.depth)
    records = records[order]
    lows, highs = np.empty_like(table.lows), np.empty_like(table.highs)
    for i in range(len(table)):
        points = records[table.starts[i] : table.ends[i]]
        store.write(int(table.depths[i]), table.cells[i].tolist(), points)
        lows[i], highs[i] = points[POSITION].min(axis=0), points[POSITION].max(axis=0)
    own = {
        "depths": table.depths,
        "cells": table.cells,
        "counts": table.counts,
        "lows": lows,
        "highs": highs,
        "parents": table.parents,
    }
    parent = above[-1][0] if above else None
    return _kept(file, Built(own, parent, tops, sample, density))
