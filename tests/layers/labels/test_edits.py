"""Edits in memory equal numpy, at level 0 and as coarser levels see them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.layers.labels.painting import edited_chunks
from napari_octree.layers.labels.painting.edits import LabelEdits
from napari_octree.layers.labels.painting.flood import flood


@st.composite
def writes(draw, shape):
    region = []
    for n in shape:
        start = draw(st.integers(0, n - 1))
        region.append((start, draw(st.integers(start + 1, n))))
    return tuple(region), draw(st.integers(0, 5))


@settings(max_examples=60)
@given(st.data())
def test_edits_are_numpy_s(data):
    shape = data.draw(st.sampled_from([(20, 33), (3, 17, 20), (2, 2, 9, 9)]))
    side, edited_chunks.CHUNK_SIDE = (
        edited_chunks.CHUNK_SIDE,
        data.draw(st.sampled_from([4, 7, 64])),
    )
    try:
        edits = LabelEdits(shape, np.dtype(np.int64))
    finally:
        edited_chunks.CHUNK_SIDE = side
    base = np.random.default_rng(0).integers(0, 3, shape)
    expected = base.copy()
    for region, label in data.draw(st.lists(writes(shape), max_size=6)):
        index = tuple(slice(*pair) for pair in region)
        for chunk in edits.missing(region):
            edits.hold(chunk, base[tuple(slice(*pair) for pair in edits.box(chunk))])
        np.testing.assert_array_equal(edits.read(region), expected[index])
        changed = edits.write(region, np.array(label))
        differs = expected[index] != label
        assert (changed is not None) == differs.any()
        if changed is not None:
            where = np.argwhere(differs) + [start for start, _ in region]
            assert (np.array(changed)[:, 0] <= where.min(axis=0)).all()
            assert (np.array(changed)[:, 1] >= where.max(axis=0) + 1).all()
            assert (np.array(changed)[:, 0] >= np.array(region)[:, 0]).all()
            assert (np.array(changed)[:, 1] <= np.array(region)[:, 1]).all()
        expected[index] = label
    factors = [data.draw(st.integers(1, 4)) for _ in shape]
    places = tuple(
        np.minimum(np.arange(0, n, f) + (f - 1) // 2, n - 1)
        for n, f in zip(shape, factors, strict=True)
    )
    coarse = base[np.ix_(*places)]
    np.testing.assert_array_equal(edits.onto(coarse, places), expected[np.ix_(*places)])
    found = edits.overlay(places)
    unchanged = np.ones(coarse.shape, bool) if found is None else ~found[1]
    np.testing.assert_array_equal(coarse[unchanged], expected[np.ix_(*places)][unchanged])
    for place in np.argwhere(expected != base)[:5]:
        assert edits.value(place) == expected[tuple(place)]


def test_only_pixels_that_change_count():
    edits = LabelEdits((10, 10), np.dtype(np.uint8))
    edits.hold((0, 0), np.ones((10, 10)))
    assert not edits
    assert edits.write(((2, 5), (2, 5)), np.array(1)) is None
    assert not edits
    edits.drop_saved()
    assert edits.missing(((0, 1), (0, 1))) == [(0, 0)]


@pytest.mark.parametrize("connected", [True, False])
def test_a_flood_grows_as_far_as_labels_are_at_hand(connected):
    labels = np.zeros((1500, 1500), np.uint8)
    labels[600:700, 100:1400] = 3
    labels[20:30, 20:30] = 3

    def read(region):
        if region[1][1] > limit:
            return None
        return labels[tuple(slice(*pair) for pair in region)]

    limit = 1500
    found = flood((650, 750), (0, 1), labels.shape, connected, read)
    assert found.is_whole
    mask = np.zeros(labels.shape, bool)
    mask[tuple(slice(*pair) for pair in found.region)] = found.mask
    expected = labels == 3
    expected[20:30, 20:30] &= not connected
    np.testing.assert_array_equal(mask, expected)
    limit = 1300
    found = flood((650, 750), (0, 1), labels.shape, connected, read)
    assert not found.is_whole
    assert found.mask.any()
    limit = 100
    assert flood((650, 750), (0, 1), labels.shape, connected, read) is None
