"""TilePatches: which texels are sent for what is painted."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from napari_octree.rendering.tiles.tile_patches import _blocks


@given(stnp.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_blocks_hold_what_was_painted_once_and_nothing_else(mask: np.ndarray) -> None:
    counts = np.zeros(mask.shape, int)
    for block in _blocks(mask):
        counts[block] += 1
    np.testing.assert_array_equal(counts, mask)


def test_a_rectangle_is_one_block() -> None:
    mask = np.zeros((40, 30), bool)
    mask[3:35, 4:20] = True
    assert list(_blocks(mask)) == [(slice(3, 35), slice(4, 20))]
