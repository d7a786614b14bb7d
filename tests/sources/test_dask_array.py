"""A block of a dask array costs its own part of the graph, and is what dask itself computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import zarr

from napari_octree.sources.arrays.dask_array import wrap_dask
from napari_octree.sources.arrays.dask_part import part_of

BASE = np.arange(60 * 80, dtype=np.int32).reshape(60, 80)


class Unbounded:
    """Ones, nearly without end."""

    shape, dtype, ndim = (2**24, 2**24), np.dtype(np.uint8), 2

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.ones(tuple(i.stop - i.start for i in index), np.uint8)


@pytest.mark.parametrize("name", [False, "a graph with a layer of its own for the array"])
def test_a_block_among_any_number_of_blocks(name: Any) -> None:
    """Once: the keys of all 2^32 were listed first (a million of them took 2 s)."""
    array = da.from_array(Unbounded(), 256, name=name, meta=np.empty((0, 0), np.uint8))
    for each in (array, array.T + 1):
        loaded = wrap_dask(each)._load(((2**20, 2**20 + 256), (2**23, 2**23 + 256)))
        assert loaded.shape == (256, 256)


def delayed(base: da.Array) -> da.Array:
    blocks = [
        da.from_delayed(dask.delayed(np.full)((60, 20), 7 + i), (60, 20), np.int64)
        for i in range(4)
    ]
    return da.concatenate(blocks, axis=1)


KINDS: dict[str, Callable[[da.Array], da.Array]] = {
    "as it is": lambda a: a,
    "element by element": lambda a: np.sqrt(a.astype(float)) * 2 + a.T.T,
    "sliced": lambda a: a[5:55:2, ::-1],
    "picked": lambda a: a[[3, 40, 2, 59]],
    "transposed": lambda a: a.T,
    "cut anew": lambda a: a.rechunk((7, 33)),
    "with neighbours": lambda a: a.map_overlap(lambda b: b + b.sum(), depth=2, boundary="reflect"),
    "blocks that know their place": lambda a: a.map_blocks(
        lambda b, block_info=None: b + block_info[0]["chunk-location"][1], dtype=a.dtype
    ),
    "reduced": lambda a: a.sum(axis=0)[None] + a.mean(),
    "multiplied": lambda a: a @ a.T,
    "stacked": lambda a: da.stack([a, a * 2])[1],
    "put together": lambda a: da.concatenate([a, a[::2]]),
    "where": lambda a: da.where(a > 100, a, -1),
    "of functions": delayed,
    "random": lambda a: a + da.random.default_rng(3).integers(0, 9, a.shape, chunks=a.chunks),
    "kept": lambda a: (a + 1).persist(scheduler="synchronous") * 2,
}


@pytest.mark.parametrize("wraps_zarr", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_block_is_what_dask_computes(kind: str, wraps_zarr: bool) -> None:
    if wraps_zarr:
        stored = zarr.create_array({}, data=BASE, chunks=(20, 30))
        array = KINDS[kind](da.from_zarr(stored))
    else:
        array = KINDS[kind](da.from_array(BASE, (20, 30)))
    expected = array.compute(scheduler="synchronous")
    wrapped = wrap_dask(array)
    ends = [np.cumsum([0, *sizes]) for sizes in array.chunks]
    for index in np.ndindex(*array.numblocks):
        region = tuple((int(e[i]), int(e[i + 1])) for e, i in zip(ends, index, strict=True))
        found = wrapped._load(region)
        np.testing.assert_array_equal(found, expected[tuple(slice(*ends) for ends in region)])


def test_only_what_a_block_takes_is_in_its_part() -> None:
    array = da.from_array(BASE, (20, 20)) + 1
    part = part_of(array.__dask_graph__(), (array.name, 1, 1))
    assert len(part) <= 3
    with pytest.raises(KeyError):
        part_of(array.__dask_graph__(), ("another array", 0, 0))


def test_what_dask_makes_one_task_of_stays_one() -> None:
    stored = zarr.create_array({}, data=BASE, chunks=(60, 80))
    array = da.from_array(stored, (60, 80), name=False)[8:16, 24:32]
    graph, key = array.__dask_graph__(), (array.name, 0, 0)
    part = array.__dask_optimize__(part_of(graph, key), [key])
    assert len(part) == len(array.__dask_optimize__(graph, [key]))
