"""A build in a process of its own, to be killed: ``python killed_build.py TARGET``.

Prints a line for each few tasks that are done.
"""

import sys
from dataclasses import dataclass

import numpy as np

from napari_octree.sources.points.point_blocks import Block
from napari_octree.writing.points.build import PointsOptions, build_points


@dataclass(frozen=True)
class Made:
    """A million points of clusters, in blocks."""

    name: str = "made"

    def __len__(self) -> int:
        return 10

    def read(self, block: int) -> Block:
        """Make a block."""
        rng = np.random.default_rng(block)
        positions = rng.random((20, 2))[rng.integers(0, 20, 100_000)] * 1000
        positions += rng.normal(size=positions.shape) * 30
        return Block(positions.astype(np.float32), {"kind": rng.integers(0, 5, len(positions))})


if __name__ == "__main__":
    build_points(
        Made(),
        sys.argv[1],
        PointsOptions(bucket=150_000),
        workers=1,
        progress=lambda done, total: print(done, total, flush=True),  # noqa: T201
    )
