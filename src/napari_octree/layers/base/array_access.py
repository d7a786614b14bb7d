"""A layer's pixels for other programs: dask arrays of its levels, a crop, what is in view.

Invariants: main thread; nothing is read until somebody computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.data.crop import crop_levels
from napari_octree.octree.view import View
from napari_octree.sources.arrays.generated_array import GeneratedArray
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.derived.downsampled import read_region

if TYPE_CHECKING:
    import dask.array

    from napari_octree.octree.transform import LevelTransform
    from napari_octree.sources.derived.cropped import CroppedArray
    from napari_octree.sources.protocol import LevelSource, Region


class ArrayAccess(OctreeLayer):
    """What layers of pixels offer to scripts and other plugins."""

    @property
    def _level_sources(self) -> tuple[LevelSource, ...]:
        """The levels, as they are read."""
        raise NotImplementedError

    @property
    def _level_places(self) -> tuple[LevelTransform, ...]:
        """Where they lie on level 0, over all axes but that of colours."""
        raise NotImplementedError

    @property
    def _displayed_axes(self) -> tuple[int, ...]:
        """Axes that are drawn; () outside the data."""
        raise NotImplementedError

    def level(self, number: int) -> dask.array.Array:
        """Return a level as a dask array, cut as its store is.

        Parameters
        ----------
        number : int
            0 is the finest, -1 the coarsest.

        Returns
        -------
        dask.array.Array
            Shape and axes as `layer.level_shapes[number]`. Computing it reads the store in
            dask's threads, beside the layer's own loading.
        """
        import dask.array as da
        from dask.array.core import normalize_chunks

        sources = self._level_sources
        if not -len(sources) <= number < len(sources):
            raise IndexError(
                f"{self.name}: there is no level {number}, but 0 to {len(sources) - 1}"
            )
        source = sources[number]
        planes = len(source.shape) - 2 - bool(getattr(self, "rgb", False))
        hint = tuple(1 if a < planes else min(n, 512) for a, n in enumerate(source.shape))
        grid = source.storage.grid(source.storage_shape(hint))
        wanted: Any = hint
        if isinstance(grid, RegularGrid):
            pairs = zip(grid.chunk_shape, source.fixed, strict=True)
            wanted = tuple(chunk for chunk, fixed in pairs if fixed is None)
        chunks = normalize_chunks(wanted, source.shape, dtype=source.dtype)
        meta = np.empty((0,) * len(source.shape), source.dtype.newbyteorder("="))
        sliced = GeneratedArray(
            source.storage.source_name, source.shape, meta.dtype, (), _Pixels(source)
        )
        # Not fancy: lists of pixels are picked from whole blocks.
        return da.from_array(sliced, chunks, name=False, asarray=False, fancy=False, meta=meta)

    def level_source(self, number: int) -> LevelSource:
        """Return how a level is read: for those who write it elsewhere."""
        return self._level_sources[number]

    def as_dask(self) -> list[dask.array.Array]:
        """Return all levels as dask arrays, finest first."""
        return [self.level(number) for number in range(len(self._level_sources))]

    def level_affine(self, number: int) -> np.ndarray:
        """Return where the pixels of a level lie in the world.

        Returns
        -------
        numpy.ndarray
            (ndim + 1, ndim + 1): from the level's pixel centres to world coordinates, for
            `napari.layers.Image(layer.level(number), affine=...)`.
        """
        transform = self._level_places[number]
        matrix = np.eye(self.ndim + 1)
        for axis, (f, t) in enumerate(zip(transform.factor, transform.translation, strict=True)):
            matrix[axis, axis] = f
            matrix[axis, -1] = t + (f - 1) / 2
        return self._data_to_world_matrix() @ matrix

    def visible_region(self) -> Region:
        """Return the box that the view drawn last shows.

        Returns
        -------
        tuple of (int, int)
            Level-0 pixels, start and stop per axis; along axes of sliders the whole, as is
            all in 3-D and before anything has been drawn.
        """
        shape = [int(n) for n in self._level_sources[0].shape[: self.ndim]]
        box = [(0, n) for n in shape]
        view = self.view
        if isinstance(view, View):
            corners = np.array(view.corners)
            displayed = self._displayed_axes[-2:]
            for axis, low, high in zip(displayed, corners.min(0), corners.max(0), strict=False):
                start = int(np.clip(np.floor(low), 0, shape[axis] - 1))
                box[axis] = (start, int(np.clip(np.ceil(high), start + 1, shape[axis])))
        return tuple(box)

    def crop(self, box: Sequence[tuple[int, int]], name: str | None = None) -> Self:
        """Return a layer that shows a box of this one; nothing is copied.

        Parameters
        ----------
        box : sequence of (int, int)
            Level-0 pixels, start and stop per axis (without that of colours), clipped to the
            image.
        name : str, optional

        Returns
        -------
        layer
            Of the same class and looks, in the same place; what one has read the other has too.

        Raises
        ------
        ValueError
            Nothing of the image lies in the box.
        """
        clipped = self._clipped(box)
        arrays, transforms = crop_levels(self._level_sources, self._level_places, clipped)
        _, state, _ = self.as_layer_data_tuple()
        origin = np.array([start for start, _ in clipped], float)
        # napari's order: affine ∘ translate ∘ rotate ∘ shear ∘ scale
        moved = self._data_to_world_matrix()[:-1, :-1] @ origin
        affine = np.asarray(self.affine.linear_matrix)
        state |= {
            "translate": np.asarray(self.translate) + np.linalg.solve(affine, moved),
            "level_transforms": transforms,
            "config": self.config,
            "name": name or f"{self.name} crop",
        }
        return type(self)(arrays, **state)

    def cropped_level(
        self, number: int, box: Sequence[tuple[int, int]]
    ) -> tuple[CroppedArray, np.ndarray]:
        """Return the part of a level that lies in a box, and where its pixels lie in the world.

        As `crop(box).level_source(number)` and `crop(box).level_affine(number)`, without a layer.

        Raises
        ------
        ValueError
            Nothing of the image lies in the box.
        """
        clipped = self._clipped(box)
        source, place = self._level_sources[number], self._level_places[number]
        (array,), (moved,) = crop_levels([source], [place], clipped)
        matrix = np.eye(self.ndim + 1)
        for axis, (f, t) in enumerate(zip(moved.factor, moved.translation, strict=True)):
            matrix[axis, axis] = f
            matrix[axis, -1] = clipped[axis][0] + t + (f - 1) / 2
        return array, self._data_to_world_matrix() @ matrix

    def _clipped(self, box: Sequence[tuple[int, int]]) -> Region:
        shape = self._level_sources[0].shape[: self.ndim]
        if len(box) != len(shape):
            raise ValueError(f"a box of {len(box)} axes for a layer of {len(shape)}")
        clipped = tuple(
            (max(int(start), 0), min(int(stop), n))
            for (start, stop), n in zip(box, shape, strict=True)
        )
        if any(start >= stop for start, stop in clipped):
            raise ValueError(f"{self.name}: nothing lies in the box {tuple(box)}")
        return clipped

    def _data_to_world_matrix(self) -> np.ndarray:
        """(ndim + 1, ndim + 1), for column vectors."""
        matrix = np.eye(self.ndim + 1)
        matrix[:-1, -1] = self.data_to_world(np.zeros(self.ndim))
        for axis, unit in enumerate(np.eye(self.ndim)):
            matrix[:-1, axis] = np.asarray(self.data_to_world(unit)) - matrix[:-1, -1]
        return matrix


@dataclass(frozen=True)
class _Pixels:
    """Reads a level as a `GeneratedArray` computes."""

    source: LevelSource

    def __call__(self, ranges: tuple[range, ...]) -> np.ndarray:
        dtype = self.source.dtype.newbyteorder("=")
        shape = tuple(len(r) for r in ranges)
        if 0 in shape:
            return np.empty(shape, dtype)
        region = tuple((min(r[0], r[-1]), max(r[0], r[-1]) + 1) for r in ranges)
        block = read_region(self.source, region)
        if block is None:
            return np.full(shape, self.source.storage.fill_value, dtype)
        index = (np.array(r) - low for r, (low, _) in zip(ranges, region, strict=True))
        return np.ascontiguousarray(block[np.ix_(*index)], dtype)
