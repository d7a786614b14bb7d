"""Where edits of a layer are kept on disk, how they are cut, and whose can be found again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from napari_octree.config import OctreeConfig
from napari_octree.sources.chunk_grid import RegularGrid
from napari_octree.sources.protocol import LevelSource

MOST_VOXELS = 2**17
DEEPEST = 32


def scratch_folder(config: OctreeConfig) -> Path:
    """The folder that folders of edits are made in."""
    if config.memory.edits_path is not None:
        return config.memory.edits_path
    return user_cache_path("napari-octree") / "edits"


def is_lasting(source: LevelSource) -> bool:
    """Whether a source can be opened again by its name, in another process."""
    storage = source.storage
    name = storage.source_name
    is_place = storage.is_remote or os.path.isabs(name) or name.startswith("file:")
    return is_place and not (storage.in_memory or storage.is_computed)


def source_name(source: LevelSource) -> str:
    """A name that other parts of the same array do not have."""
    name = source.storage.source_name
    return name if source.is_whole else f"{name} {source.fixed}"


def chunk_shape_of(source: LevelSource) -> tuple[int, ...] | None:
    """A shape of boxes that goes with a store's own chunks: thick where these are.

    A stroke needs the pixels of all boxes that it touches: so boxes of series of planes are
    planes, and those of volumes are volumes, as brushes are.
    """
    shape = source.shape
    if len(shape) < 3 or source.storage.in_memory:
        return None
    grid = source.storage.grid(source.storage_shape((1,) * (len(shape) - 2) + (256, 256)))
    if not isinstance(grid, RegularGrid):
        return None
    chunk = [n for n, fixed in zip(grid.chunk_shape, source.fixed, strict=True) if fixed is None]
    depth = max(min(int(chunk[-3]), DEEPEST), 1)
    side = 256
    while depth * side * side > MOST_VOXELS and side > 64:
        side //= 2
    return (*[1] * (len(shape) - 3), depth, side, side)
