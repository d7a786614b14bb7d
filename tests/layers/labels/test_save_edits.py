"""Saved edits, read back by plain zarr, equal numpy at every level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree import OctreeLabels
from napari_octree.layers.labels.painting.edits import LabelEdits
from napari_octree.layers.labels.painting.save_edits import save_edits
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.octree.transform import LevelTransform, infer_level_transforms
from napari_octree.sources.errors import SourceError

SHAPE = (70, 95)


def pyramid(
    shards: bool = False,
    path: Any = None,
    factors: Any = ((1, 1), (2, 2), (4, 4)),
    zarr_format: Any = 3,
    dtype: str = "int32",
) -> list[zarr.Array]:
    data = np.random.default_rng(0).integers(0, 5, SHAPE, dtype=np.int32).astype(dtype)
    group = zarr.create_group(path if path is not None else {}, zarr_format=zarr_format)
    levels = []
    for level, (rows, columns) in enumerate(factors):
        pixels = data[rows // 2 :: rows, columns // 2 :: columns]
        array = group.create_array(
            str(level),
            shape=pixels.shape,
            dtype=pixels.dtype,
            chunks=(16, 16),
            shards=(32, 32) if shards else None,
        )
        array[:] = pixels
        levels.append(array)
    return levels


def expected(before: np.ndarray, painted: np.ndarray, now: np.ndarray, t: LevelTransform) -> Any:
    """One pixel at a time: the one of level 0 at the centre, the lower of two."""
    result = before.copy()
    for place in np.ndindex(*before.shape):
        at = tuple(
            min(max(int(np.floor(i * f + o + (f - 1) / 2)), 0), n - 1)
            for i, f, o, n in zip(place, t.factor, t.translation, SHAPE, strict=True)
        )
        if painted[at]:
            result[place] = now[at]
    return result


@settings(max_examples=25, deadline=None)
@given(
    boxes=st.lists(
        st.tuples(st.integers(0, 69), st.integers(0, 94), st.integers(1, 40), st.integers(0, 9)),
        min_size=1,
        max_size=5,
    ),
    kind=st.sampled_from([(3, True), (3, False), (2, False)]),
    factors=st.sampled_from(
        [((1, 1), (2, 2), (4, 4)), ((1, 1), (1, 2), (2, 4)), ((1, 1), (3, 3), (9, 5)), ((1, 1),)]
    ),
    dtype=st.sampled_from(["int32", ">i4", "uint8", "int64"]),
)
def test_all_levels_have_what_was_painted(boxes, kind, factors, dtype):
    zarr_format, shards = kind
    levels = pyramid(shards, factors=factors, zarr_format=zarr_format, dtype=dtype)
    before = [level[:] for level in levels]
    edits = LabelEdits(SHAPE, np.dtype(dtype).newbyteorder("="))
    now = before[0].copy()
    for y, x, size, label in boxes:
        region = ((y, min(y + size, SHAPE[0])), (x, min(x + size, SHAPE[1])))
        for index in edits.missing(region):
            edits.hold(index, before[0][tuple(slice(*pair) for pair in edits.box(index))])
        edits.write(region, np.array(label))
        now[tuple(slice(*pair) for pair in region)] = label
    # A pixel that was painted back to what it was is written all the same, with the same label.
    painted = edits.overlay([np.arange(n) for n in SHAPE])
    where = np.zeros(SHAPE, bool) if painted is None else painted[1]
    transforms = infer_level_transforms([level.shape for level in levels])
    revisions = edits.revisions(edits.unsaved)
    save_edits(edits, list(revisions), levels, transforms)
    edits.mark_saved(revisions)
    np.testing.assert_array_equal(levels[0][:], now)
    for level, old, transform in zip(levels, before, transforms, strict=True):
        np.testing.assert_array_equal(level[:], expected(old, where, now, transform))
    assert not edits.unsaved
    assert save_edits(edits, edits.written_chunks, levels, transforms) == 0


def test_a_layer_saves_to_a_store_that_was_opened_for_reading(tmp_path, qapp) -> None:
    pyramid(path=tmp_path / "labels.zarr")
    levels = [zarr.open_array(tmp_path / "labels.zarr", path=str(n), mode="r") for n in range(3)]
    layer = OctreeLabels(levels)
    assert layer.wait_until_settled(30)
    layer.brush_size = 21
    layer.paint((30, 40), 77)  # waits for level 0, which nobody has looked at
    MAIN_LOOP.run_until(lambda: layer.has_edits, 30)
    before = zarr.open_array(tmp_path / "labels.zarr", path="0", mode="r")[:]
    assert not (before == 77).any()
    assert layer.has_edits
    assert layer.save_edits() > 0
    assert not layer.has_edits
    after = zarr.open_array(tmp_path / "labels.zarr", path="0", mode="r")[:]
    np.testing.assert_array_equal(after, layer.data[:, :])
    assert (after == 77).sum() > 300
    assert (zarr.open_array(tmp_path / "labels.zarr", path="2", mode="r")[:] == 77).sum() > 15
    layer.undo()
    assert layer.has_edits
    layer.save_edits()
    again = zarr.open_array(tmp_path / "labels.zarr", path="0", mode="r")[:]
    np.testing.assert_array_equal(again, before)


def test_what_cannot_be_written_to_says_so(qapp) -> None:
    class Store:
        shape, dtype, chunks = SHAPE, np.dtype(np.int32), (16, 16)

        def __getitem__(self, index: Any) -> np.ndarray:
            return np.zeros(SHAPE, np.int32)[index]

    layer = OctreeLabels([Store()])
    assert layer.wait_until_settled(30)
    layer.paint((30, 40), 7)
    with pytest.raises(SourceError, match="only zarr, tensorstore, HDF5 and numpy arrays"):
        layer.save_edits()
    assert layer.has_edits


def test_a_store_that_fails_keeps_the_edits(qapp, monkeypatch) -> None:
    levels = pyramid()
    layer = OctreeLabels(levels)
    assert layer.wait_until_settled(30)
    layer.paint((30, 40), 7)
    MAIN_LOOP.run_until(lambda: layer.has_edits, 30)

    def full(self: Any, *args: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with pytest.raises(OSError, match="No space left"):
        layer.save_edits()
    assert layer.has_edits
    monkeypatch.undo()
    layer.save_edits()
    assert not layer.has_edits
    assert (levels[0][:] == 7).any()


def test_arrays_in_memory_are_saved_to_if_asked(qapp) -> None:
    data = np.zeros(SHAPE, bool)
    layer = OctreeLabels(data)
    assert layer.wait_until_settled(30)
    layer.paint((30, 40), 1)
    assert not data.any()
    layer.save_edits()
    assert data[30, 40]


def test_exports_and_copies_have_what_was_painted(qapp) -> None:
    levels = pyramid()
    layer = OctreeLabels(levels)
    assert layer.wait_until_settled(30)
    layer.brush_size = 21
    layer.paint((30, 40), 77)
    assert layer.wait_until_settled(30)  # the stroke has its pixels
    np.testing.assert_array_equal(layer.level(0).compute(), layer.data[:, :])
    assert (layer.level(2).compute() == 77).sum() > 15
    assert not (levels[0][:] == 77).any()
    given = np.zeros(SHAPE, np.uint8)
    plain = OctreeLabels(given)
    assert plain.wait_until_settled(30)
    plain.paint((30, 40), 7)
    data, *_ = plain.as_layer_data_tuple()
    assert data[30, 40] == 7
    assert not given.any()


@pytest.mark.parametrize("kind", ["tensorstore", "h5py", "xarray"])
def test_other_arrays_are_saved_to(kind: str, tmp_path, qapp) -> None:
    data = np.random.default_rng(0).integers(0, 5, SHAPE, dtype=np.int32)
    if kind == "tensorstore":
        import tensorstore

        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(tmp_path / "a")}}
        array = tensorstore.open(spec, create=True, dtype="int32", shape=SHAPE).result()
        array.write(data).result()
    elif kind == "h5py":
        import h5py

        array = h5py.File(tmp_path / "a.h5", "w").create_dataset("a", data=data, chunks=(16, 16))
    else:
        import xarray

        array = xarray.DataArray(data.copy())
    layer = OctreeLabels([array])
    layer.paint((30, 40), 7)
    assert layer.wait_until_settled(30)
    layer.save_edits()
    expected_now = data.copy()
    expected_now[25:36, 35:46] = np.asarray(array[25:36, 35:46])
    np.testing.assert_array_equal(np.asarray(array[:, :]), expected_now)
    assert int(np.asarray(array[30, 40])) == 7
