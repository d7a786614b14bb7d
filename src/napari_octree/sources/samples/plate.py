"""A plate of wells with cells, computed while you look: a dose that kills from left to right.

Invariants: nothing is computed before it is read; a pixel depends on its place, its level and the
seed only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from napari_octree.sources.arrays.generated_array import GeneratedArray
from napari_octree.sources.levels.level_source import as_level_source
from napari_octree.sources.mosaic.deviations import Deviations
from napari_octree.sources.mosaic.field import GivenField, PixelSize, run_in_turn
from napari_octree.sources.mosaic.mosaic_array import MosaicArray
from napari_octree.sources.mosaic.places import Places
from napari_octree.sources.mosaic.pyramid import Model, mosaic_levels

T = TypeVar("T")

CELLS = 90
"""In a field without the drug."""
RADIUS = (14.0, 30.0)
"""Of cells, in pixels of the finest level."""
BACKGROUND = 120
CHUNK = 512


def plate(
    rows: int = 16,
    columns: int = 24,
    fields: int = 4,
    side: int = 2048,
    levels: int = 5,
    seed: int = 0,
) -> tuple[MosaicArray, ...]:
    """Make a plate of `rows` × `columns` wells, 16 bits.

    Parameters
    ----------
    rows, columns : int
    fields : int
        Of a well, side by side in rows.
    side : int
        Pixels of a field.
    levels : int
        Of a field.
    seed : int

    Returns
    -------
    tuple of MosaicArray
        Finest first; more levels than a field has where an overview needs them.
    """
    across = max(int(np.ceil(np.sqrt(fields))), 1)
    step = 2 ** (levels - 1)
    pitch = -(-side * across * 31 // (30 * 16 * step)) * 16 * step
    wells = [(row, column) for row in range(rows) for column in range(columns)]
    starts = np.array(
        [
            (row * pitch + n // across * side, column * pitch + n % across * side)
            for row, column in wells
            for n in range(fields)
        ]
    )
    names = [f"{row_name(r)}/{c + 1:02} field {n + 1}" for r, c in wells for n in range(fields)]
    shapes = tuple((-(-side // 2**n),) * 2 for n in range(levels))
    chunks = tuple(tuple(min(CHUNK, n) for n in shape) for shape in shapes)
    return mosaic_levels(
        Places(np.stack([starts, starts + side], axis=2), names),
        PaintedFields(columns, fields, shapes, seed, tuple(names)),
        Model(shapes, chunks, np.dtype(np.uint16), 0),
        where="sample plate",
        identity=("sample plate", seed),
        layout={"plate": [rows, columns, fields, side, levels, seed]},
        extent=(rows * pitch, columns * pitch),
        pitch=(pitch, pitch),
        deviations=Deviations("sample plate"),
    )


def row_name(row: int) -> str:
    """A, B, …, Z, AA, AB, … as on plates of 1536 wells."""
    letter = chr(ord("A") + row % 26)
    return letter if row < 26 else row_name(row // 26 - 1) + letter


@dataclass(frozen=True, eq=False)
class PaintedFields:
    """The opener of the fields: a `mosaic.FieldOpener`."""

    columns: int
    per_well: int
    shapes: tuple[tuple[int, ...], ...]
    seed: int
    names: Sequence[str]

    def field(self, number: int) -> GivenField:
        """Make a field; a dose grows with the column and leaves fewer and dimmer cells."""
        dose = number // self.per_well % self.columns / max(self.columns - 1, 1)
        cells = _cells(self.seed + number, self.shapes[0][0], 1 - 0.9 * dose)
        levels = tuple(
            as_level_source(
                GeneratedArray(
                    f"{self.names[number]}, level {level}", shape, np.dtype(np.uint16),
                    tuple(min(CHUNK, n) for n in shape), partial(_paint, cells, 2**level),
                )
            )
            for level, shape in enumerate(self.shapes)
        )  # fmt: skip
        sizes = tuple((float(2**level),) * 2 for level in range(len(self.shapes)))
        return GivenField(self.names[number], levels, sizes)

    def prepare(self, numbers: Sequence[int], pixel_size: PixelSize, turn: int) -> None:
        """Nothing has to be fetched."""

    def run(self, tasks: Sequence[Callable[[], T]], turn: int) -> list[T | BaseException]:
        """Paint one after the other."""
        return run_in_turn(tasks)

    def turn(self) -> AbstractContextManager[None]:
        """Paint whenever the loader asks."""
        return nullcontext()

    def forget(self) -> None:
        """Nothing is remembered."""


def _cells(seed: int, side: int, vitality: float) -> np.ndarray:
    """Return y, x, radius and brightness of each cell."""
    rng = np.random.default_rng(seed)
    count = rng.poisson(CELLS * vitality * (side / 2048) ** 2)
    return np.column_stack(
        [
            rng.uniform(0, side, (count, 2)),
            rng.uniform(*RADIUS, count),
            rng.uniform(800, 2600, count) * (0.4 + 0.6 * vitality),
        ]
    )


def _paint(cells: np.ndarray, step: int, ranges: tuple[range, ...]) -> np.ndarray:
    """Paint the cells that touch a box of a level, whose pixels are `step` wide."""
    rows, columns = (np.asarray(r, float) * step + (step - 1) / 2 for r in ranges)
    image = np.full((len(rows), len(columns)), float(BACKGROUND))
    for y, x, radius, brightness in cells:
        width = np.hypot(radius, step / 2)  # a coarse pixel sees more than its centre
        reach = 3 * width
        high, wide = (np.abs(a - c) < reach for a, c in ((rows, y), (columns, x)))
        if high.any() and wide.any():
            peak = brightness * (radius / width) ** 2
            profile = [
                np.exp(-(((a - c) / width) ** 2)) for a, c in ((rows[high], y), (columns[wide], x))
            ]
            image[np.ix_(high, wide)] += peak * np.outer(*profile)
    result: np.ndarray = np.minimum(image, 65535).astype(np.uint16)
    return result
