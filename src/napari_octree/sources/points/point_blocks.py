"""PointBlocks: points that are read block by block, to be indexed; those of arrays.

Invariants: making one reads metadata only; blocks are numbered and can be read in any order, in
any thread, again and again: the same numbers give the same points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

BLOCK = 1_000_000
"""Points of a block, where the input has no blocks of its own."""


class Block(NamedTuple):
    """Some points.

    Attributes
    ----------
    positions : (n, ndim) array
    values : {feature: (n,) array-like}
    """

    positions: np.ndarray
    values: Mapping[str, Any]


@runtime_checkable
class PointBlocks(Protocol):
    """Points in blocks."""

    @property
    def name(self) -> str:
        """What a person calls them."""
        ...

    def __len__(self) -> int:
        """Return the number of blocks."""
        ...

    def read(self, block: int) -> Block:
        """Read a block (may block for long)."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayBlocks:
    """Columns of anything that can be sliced: numpy, zarr, dask, h5py.

    Attributes
    ----------
    name : str
    positions : (N, ndim) array, or a sequence of ndim (N,) arrays
    values : {feature: (N,) array}
    size : int
        Points of a block.
    """

    name: str
    positions: Any
    values: Mapping[str, Any] = field(default_factory=dict)
    size: int = BLOCK

    @property
    def count(self) -> int:
        """Points in all."""
        first = self.positions[0] if isinstance(self.positions, list | tuple) else self.positions
        return int(first.shape[0])

    def __len__(self) -> int:
        return -(-self.count // self.size)

    def read(self, block: int) -> Block:
        """Slice the columns."""
        rows = slice(block * self.size, min((block + 1) * self.size, self.count))
        if isinstance(self.positions, list | tuple):
            positions = np.stack([_now(axis[rows]) for axis in self.positions], axis=1)
        else:
            positions = _now(self.positions[rows])
        values = {
            name: _now(getattr(column, "iloc", column)[rows])
            for name, column in self.values.items()
        }
        return Block(positions, values)


def _now(array: Any) -> np.ndarray:
    """Return the numbers of a slice, whatever lazy thing it is."""
    computed = array.compute(scheduler="synchronous") if hasattr(array, "compute") else array
    kept: np.ndarray = computed if hasattr(computed, "cat") else np.asarray(computed)
    return kept
