"""PointSubject: a set of points as the dock shows it; its nodes are its parts, by depth.

Invariants: those of `Subject`. Level 0 is the deepest, finest depth. The map shows how many points
lie where: of all points if that was counted, else of the sample.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
from qtpy.QtGui import QImage

from napari_octree.layers.points.octree_points import OctreePoints
from napari_octree.layers.points.point_look import POSITION
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.points.density_grid import halved
from napari_octree.qt.desk.subjects.subject import (
    PLANES,
    LevelRow,
    Loaded,
    Panel,
    Place,
    Subject,
    finest,
    human_size,
    image_of,
    texts,
)

MOST_CELLS = 256
"""Of the picture, down and right; fewer where that would be less than `IN_A_CELL` points each."""

IN_A_CELL = 8

SAMPLE_CELLS = 64
"""The same where only a sample is counted."""


class PointSubject(Subject):
    """A set of points.

    Parameters
    ----------
    layer : OctreePoints
    """

    word = "nodes"

    def __init__(self, layer: OctreePoints) -> None:
        self._layer = layer

    @property
    def displayed(self) -> tuple[int, ...]:
        """Axes of the data that are displayed."""
        slab = self._layer.slab
        return () if slab is None else slab.displayed

    @property
    def described(self) -> object:
        """The set."""
        return self._layer.points_source

    def rows(self) -> list[LevelRow]:
        """Describe the depths of the trees, deepest first."""
        source = self._layer.points_source
        table, nbytes = source.table, source.dtype(source.columns).itemsize
        if not len(table):
            return []
        depths = table.depths
        nodes, points = np.bincount(depths), np.bincount(depths, table.counts)
        rows = []
        for level, depth in enumerate(range(len(nodes) - 1, -1, -1)):
            largest = int(table.counts[depths == depth].max())
            rows.append(
                LevelRow(
                    f"{int(points[depth]):,} points",
                    str(2**level),
                    f"{largest:,} points",
                    f"{int(nodes[depth]):,}",
                    human_size(int(points[depth]) * nbytes),
                )
            )
        return rows

    def counts(self) -> list[tuple[str, str, str]]:
        """By depth: on the GPU, failed, in RAM."""
        source, by_level = self._layer.points_source, self._layer.residency.by_level()
        if not len(source.table):
            return []
        deepest = int(source.table.depths.max())
        cached = np.zeros(deepest + 1)
        if not source.in_memory:
            for level in source.levels:
                rows = self._cached_rows(level.storage.key)
                nbytes = source.table.counts[rows] * level.dtype.itemsize
                np.add.at(cached, deepest - source.table.depths[rows], nbytes)
        return [
            texts(*by_level.get(level, (0, 0)), float(cached[level]), source.in_memory)
            for level in range(deepest + 1)
        ]

    def _cached_rows(self, storage: Hashable) -> np.ndarray:
        """Nodes of which some columns are in RAM."""
        regions = self._layer.loader.cache.regions_of(storage)
        starts = np.array([region[0][0] for region in regions], np.int64)
        return np.asarray(self._layer.points_source.table.ends.searchsorted(starts, "right"))

    # --------------------------------------------------------------------- map

    def panels(self) -> list[Panel]:
        """Make the pictures."""
        layer = self._layer
        source, slab = layer.points_source, layer.slab
        if slab is None or not source.total or not len(source.table):
            return []
        density = source.density
        if density is not None and slab.displayed == density.plan.axes:
            picture = density.picture(density.weights(slab.low, slab.high))
            side = density.plan.side
            most = min(max(math.isqrt(int(picture.sum()) // IN_A_CELL), 16), MOST_CELLS)
            while max(picture.shape) > most:
                picture, side = halved(picture), 2 * side
            rows, columns = picture.shape
            image = _picture(layer, picture)
            return [Panel((0, 1), image, (rows * side, columns * side), density.low)]
        return [self._sampled(axes) for axes in (PLANES if len(slab.displayed) == 3 else [(0, 1)])]

    def _sampled(self, axes: tuple[int, int]) -> Panel:
        """A picture of the sample along two of the displayed axes."""
        source, slab = self._layer.points_source, self._layer.slab
        assert slab is not None
        positions = np.asarray(source.sample[POSITION], float)
        inside = slab.inside(positions)
        if inside is not None:
            positions = positions[inside]
        along = [slab.displayed[axis] for axis in axes]
        low, high = source.table.bounds[:, along]
        extent = np.maximum(high - low, 1e-300)
        side = extent.max() / SAMPLE_CELLS
        cells = np.maximum(np.ceil(extent / side), 1).astype(int)
        extent = cells * side
        box = [(float(a), float(b)) for a, b in zip(low, low + extent, strict=True)]
        shown = positions[:, along]
        bins = (int(cells[0]), int(cells[1]))
        picture, _, _ = np.histogram2d(shown[:, 0], shown[:, 1], bins=bins, range=box)
        image = _picture(self._layer, picture)
        return Panel(
            axes, image, (float(extent[0]), float(extent[1])), (float(low[0]), float(low[1]))
        )

    @property
    def loaded(self) -> Hashable:
        """What the places depend on."""
        layer = self._layer
        return layer.residency, layer.slab, layer.loader.cache.changes

    def places(self, resident: bool) -> list[Place]:
        """Where nodes failed, and where they are on the GPU or in RAM."""
        found, source = self._layer.residency, self._layer.points_source
        failed = self._places(found.failed, Loaded.FAILED)
        if not resident:
            return failed
        in_ram: set[ChunkKey] = set()
        if not source.in_memory and len(source.table):
            deepest, depths = int(source.table.depths.max()), source.table.depths
            for level in source.levels:
                rows = self._cached_rows(level.storage.key).tolist()
                in_ram.update(ChunkKey(deepest - int(depths[row]), (row,)) for row in rows)
        return [
            *self._places(in_ram - found.resident, Loaded.IN_RAM),
            *self._places(found.resident, Loaded.ON_GPU),
            *failed,
        ]

    def _places(self, nodes: Iterable[ChunkKey], state: Loaded) -> list[Place]:
        table, axes = self._layer.points_source.table, list(self.displayed)
        chosen = [node for node in finest(list(nodes)) if node.index[0] < len(table)]
        rows = np.array([node.index[0] for node in chosen], np.int64)
        boxes = np.stack([table.lows[rows][:, axes], table.highs[rows][:, axes]], axis=-1)
        return [
            Place(node.level, tuple((low, high) for low, high in box), state)
            for node, box in zip(chosen, boxes.tolist(), strict=True)
        ]

    def to_data(self, data: np.ndarray, place: Mapping[int, float]) -> None:
        """Set a point to where the map says."""
        for axis, value in place.items():
            data[self.displayed[axis]] = value


def _picture(layer: Any, counts: np.ndarray) -> QImage:
    """The logarithm of counts, in the mean colour of the faces."""
    shades = np.log1p(counts)
    shades /= max(float(shades.max()), 1e-300)
    colour = np.ones(3)
    faces = np.asarray(layer.face_color, float)
    if len(faces) and faces[:, :3].max() > 0:
        colour = faces[:, :3].mean(axis=0)
        colour /= max(colour.max(), 1e-300)
    return image_of((255 * shades[..., np.newaxis] * colour).astype(np.uint8))
