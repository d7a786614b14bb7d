"""Generated points: counts add up, nodes lie in their cells, as dense as the cascade says."""

from __future__ import annotations

import numpy as np

from napari_octree.samples import points


def test_a_billion_points():
    source = points(10**9)
    table = source.table
    assert table.count == source.total == 10**9
    rows = np.flatnonzero(table.child_counts)
    for row in rows[:: len(rows) // 50]:
        children = table.children(np.array([row]))[1]
        assert table.subtrees[row] == table.counts[row] + table.subtrees[children].sum()
    storage = source.level(source.columns).storage
    for row in (0, 5, len(table) // 2, len(table) - 1):
        records = storage.read(source.region(row))
        assert (records["position"] >= table.lows[row]).all()
        assert (records["position"] <= table.highs[row]).all()
        start, stop = source.region(row)[0]
        np.testing.assert_array_equal(records["index"], np.arange(start, stop))
        again = storage.read(source.region(row))
        np.testing.assert_array_equal(records, again)


def test_the_root_is_as_dense_as_the_cascade_says():
    source = points(10**7)
    records = source.level(source.columns).storage.read(source.region(0))
    density = source.density.counts[0].reshape(8, 128, 8, 128).sum(axis=(1, 3))
    cells = (records["position"] / 2**17).astype(int)
    found = np.bincount(cells[:, 0] * 8 + cells[:, 1], minlength=64)
    expected = density.ravel() / density.sum() * len(records)
    likely = expected > 5
    square = ((found - expected)[likely] ** 2 / expected[likely]).sum()
    degrees = np.count_nonzero(likely) - 1
    assert abs(square - degrees) < 5 * np.sqrt(2 * degrees)


def test_few_and_none():
    assert points(0).table.count == 0
    assert points(3).sample.shape == (3,)
