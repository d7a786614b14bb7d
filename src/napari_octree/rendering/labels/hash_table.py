"""Labels with colours of their own, as the hash table that the shader looks them up in.

Invariants: pure. Every label is in the table once, in the first free cell from its home on; a cell
without a label ends a search. All that the shader calculates stays below 2^24, where float32 is
exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_octree.rendering.gpu.label_encoding import LabelEncoding

COLUMNS = 2048
MOST_PROBES = 32
ROOM = 2.5
"""Cells per label."""

EMPTY = -1.0
"""The opacity of a cell that holds no label."""


@dataclass(frozen=True, eq=False)
class HashTable:
    """The table, as textures.

    Attributes
    ----------
    keys : (rows, columns, 4) array of the encoding's words
    colours : (rows, columns, 4) float32
    factors : (4,) float64
        Of a label's words: the remainders of the products by `homes` are summed up, and the
        remainder of the sum is the label's home cell.
    homes : float
    probes : float
        Cells to look at, at most.
    """

    keys: np.ndarray
    colours: np.ndarray
    factors: np.ndarray
    homes: float
    probes: float


def hash_table(labels: np.ndarray, colours: np.ndarray, encoding: LabelEncoding) -> HashTable:
    """Make the table of labels of 32 or 64 bits.

    Parameters
    ----------
    labels : (N,) array, all different
    colours : (N, 4) float32
    encoding : LabelEncoding
    """
    words = encoding.encode(labels).astype(np.int64)
    random = np.random.default_rng(0)  # the same table each time
    largest = 2 ** (24 - encoding.word_bits)
    room = ROOM
    while True:
        rows = max(-(-int(len(labels) * room + MOST_PROBES) // COLUMNS), 1)
        homes = rows * COLUMNS - MOST_PROBES
        factors = random.integers(1, largest, 4)
        home = (words * factors % homes).sum(axis=1) % homes
        cells, probes = _placed(home, rows * COLUMNS)
        if cells is not None:
            break
        room *= 1.2
    taken = cells >= 0
    keys = np.zeros((len(cells), 4), encoding.texel_dtype)
    texels = np.zeros((len(cells), 4), np.float32)
    texels[:, 3] = EMPTY
    keys[taken] = words[cells[taken]]
    texels[taken] = colours[cells[taken]]
    shape = (rows, COLUMNS, 4)
    return HashTable(
        keys.reshape(shape),
        texels.reshape(shape),
        factors.astype(float),
        float(homes),
        float(probes),
    )


def _placed(home: np.ndarray, cells: int) -> tuple[np.ndarray | None, int]:
    """Which label each cell holds (-1: none), and how far from home one may be; None: too far."""
    table = np.full(cells, -1, np.int64)
    left = np.arange(len(home))
    for probe in range(MOST_PROBES):
        at = home[left] + probe
        free = table[at] < 0
        table[at[free]] = left[free]  # of several one stays
        left = left[table[at] != left]
        if not len(left):
            return table, probe + 1
    return None, MOST_PROBES
