"""LasBlocks: the points of LAS and LAZ files, block by block, to be indexed.

Invariants: those of `PointBlocks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.encode_feature import Coded
from napari_octree.sources.points.lidar.las_features import (
    CLASSES,
    CLASSIFICATION,
    features_of_format,
    laspy_module,
    positions_of,
    values_of,
)
from napari_octree.sources.points.point_blocks import BLOCK, Block


@dataclass(frozen=True, eq=False)
class LasBlocks:
    """Points of a file, z, y and x.

    Attributes
    ----------
    name : str
        The path.
    count : int
    features : tuple of str
    size : int
        Points of a block.
    """

    name: str
    count: int
    features: tuple[str, ...]
    size: int = BLOCK

    @classmethod
    def of(cls, path: Path, features: Sequence[str] | None) -> LasBlocks:
        """Look into a file.

        Raises
        ------
        SourceError
        """
        laspy = laspy_module()
        try:
            with laspy.open(path) as file:
                header = file.header
                some = laspy.ScaleAwarePointRecord.zeros(1, header=header)
        except Exception as error:  # laspy's own
            raise SourceError(f"{path}: cannot be read as LAS: {error}") from error
        known = tuple(f.name for f in features_of_format(header.point_format, some))
        unknown = [name for name in features or () if name not in known]
        if unknown:
            raise SourceError(
                f"{path}: there is no dimension {unknown[0]!r}; there are {', '.join(known)}"
            )
        return cls(str(path), int(header.point_count), known if features is None else (*features,))

    def __len__(self) -> int:
        return -(-self.count // self.size)

    def read(self, block: int) -> Block:
        """Read a block."""
        laspy = laspy_module()
        start = block * self.size
        with laspy.open(self.name) as file:
            file.seek(start)
            points = file.read_points(min(self.size, self.count - start))
        values: dict[str, Any] = dict(values_of(points, self.features))
        if CLASSIFICATION in values:
            codes = np.asarray(values[CLASSIFICATION])
            values[CLASSIFICATION] = Coded(codes, CLASSES)
        return Block(positions_of(points), values)
